"""The GAN as a tuner: a discriminator's verdict at every token, and the reward beside it.

    r_t = discounted sum of (2 D(x_<=s) - 1) for s >= t  +  reward_weight * standardised reward of the whole text

Real copy is approved copy that people wrote, for the very prompts that the writer is tuned on; the discriminator reads the
prompt, too, so that copy of another product counts as false.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from copybandit.agents.gan import Beside, Shown
from copybandit.agents.gan_loop import Ended, Game, begin, play_round
from copybandit.agents.trl_guard import isolated_randomness
from copybandit.agents.tune import Task, Tuned, TuneUpdate
from copybandit.agents.tune_journal import Journal, Told, run_updates
from copybandit.agents.tune_rollout import Answers, Bench, Scored, answer_log_prob
from copybandit.agents.tune_settings import GANTuneSettings
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError, Floats, Ints


class _Pay:
    """Scores what the GAN's writer wrote, and remembers it for the record."""

    def __init__(self, bench: Bench, weight: float) -> None:
        self._bench, self._weight = bench, weight
        self.last: tuple[Scored, Floats, Floats] | None = None

    def __call__(self, writer: CausalLM, cells: Ints, answers: Answers) -> Floats:
        bench, heads = self._bench, [self._bench.heads[cell] for cell in cells]
        scored = bench.score(cells, answers)
        own, untuned = (answer_log_prob(one, heads, answers) for one in (writer, bench.untuned))
        self.last = scored, own, untuned
        return self._weight * scored.score


def run_gan_tuner(
    writer: CausalLM,
    task: Task,
    settings: GANTuneSettings,
    seed: int,
    out_dir: Path,
    on_update: Callable[[TuneUpdate], bool],
    clock: Callable[[], float],
) -> Tuned:
    """Run the loop; `copybandit.agents.tune.tune` says what each argument means."""
    shown = _shown(task)
    with isolated_randomness(seed):
        bench = Bench(writer, task, settings, seed)
        pay, journal = _Pay(bench, settings.reward_weight), Journal(settings, out_dir, on_update, clock)
        beside = Beside(prompts=list(task.prompts), pay=pay)
        game = begin(writer, shown, settings.game(writer.temperature), seed, beside)
        try:
            return run_updates(journal, lambda: _update(game, pay), lambda: game.writer)
        except Ended as reason:
            journal.stopped = str(reason)
            return journal.found(game.writer)


def _update(game: Game, pay: _Pay) -> Told:
    done = play_round(game)
    assert pay.last is not None
    scored, own, untuned = pay.last
    more = (
        ("discriminator_accuracy", done.accuracy),
        ("discriminator_loss", done.discriminator_loss),
        ("discriminator_reward", done.reward),
    )
    return Told(scored=scored, own=own, untuned=untuned, more=more)


def _shown(task: Task) -> Shown:
    """The real copy of a task.

    Raises:
        DataError: it is of fewer than two products, so that there is no copy of another one.
    """
    prompts = [task.prompts[cell] for cell, _ in task.real]
    products = [_product(prompt) for prompt in prompts]
    if len(set(products)) < 2:
        raise DataError(
            f"gan: needs real copy of at least 2 products, got {len(set(products))}; give Task.real, or use another "
            "algorithm"
        )
    return Shown(prompts=prompts, product=products, texts=[text for _, text in task.real])


def _product(prompt: str) -> str:
    """A field prompt without its first field, whom it is written to: prompts of one product have the same."""
    return prompt.partition(" | ")[2] or prompt
