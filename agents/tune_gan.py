"""The GAN as a tuner: a discriminator's verdict at every token, and the reward beside it.

    r_t = discounted sum of (2 D(x_<=s) - 1) for s >= t  +  reward_weight * standardised reward of the whole text

Real copy is approved copy that people wrote, for the very prompts that the writer is tuned on; the discriminator reads the
prompt, too, so that copy of another product counts as false.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from copybandit.agents.gan import Beside, GANRound, Shown
from copybandit.agents.gan_loop import run_gan
from copybandit.agents.tune import Task, TuneUpdate
from copybandit.agents.tune_rollout import STOPPED, Answers, Bench, Found, Journal, Scored, answer_log_prob
from copybandit.agents.tune_settings import GANTuneSettings
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError, Floats, Ints


class _Pay:
    """Scores what the GAN's writer wrote, and remembers it for the record."""

    def __init__(self, bench: Bench, weight: float) -> None:
        self._bench, self._weight = bench, weight
        self.writer = bench.tuned
        self.scored: Scored | None = None
        self.log_probs: tuple[Floats, Floats] | None = None

    def __call__(self, writer: CausalLM, cells: Ints, answers: Answers) -> Floats:
        bench, heads = self._bench, [self._bench.heads[cell] for cell in cells]
        self.writer, self.scored = writer, bench.score(cells, answers)
        self.log_probs = (
            answer_log_prob(writer, heads, answers),
            answer_log_prob(bench.untuned, heads, answers),
        )
        return self._weight * self.scored.score


def run_gan_tuner(
    writer: CausalLM,
    task: Task,
    settings: GANTuneSettings,
    seed: int,
    out_dir: Path,
    on_update: Callable[[TuneUpdate], bool],
    clock: Callable[[], float],
) -> Found:
    """Run the loop; `copybandit.agents.tune.tune` says what each argument means."""
    if settings.lora_rank is not None:
        raise DataError(
            f"gan: trains all weights, got lora_rank {settings.lora_rank}; drop it, or use another algorithm"
        )
    bench = Bench(writer, task, settings, seed)
    pay = _Pay(bench, settings.reward_weight)
    journal = Journal(settings, out_dir, on_update, clock)

    def on_round(done: GANRound) -> bool:
        assert pay.scored is not None and pay.log_probs is not None
        more = (
            ("discriminator_accuracy", done.accuracy),
            ("discriminator_loss", done.discriminator_loss),
            ("discriminator_reward", done.reward),
        )
        return journal.tell(pay.scored, pay.log_probs, lambda: pay.writer, more)

    prompts = list(task.prompts)
    shown = Shown(
        prompts=[prompts[cell] for cell, _ in task.real],
        product=[_product(prompts[cell]) for cell, _ in task.real],
        texts=[text for _, text in task.real],
    )
    beside = Beside(prompts=prompts, pay=pay)
    found = run_gan(writer, shown, settings.game(writer.temperature), seed, on_round, beside)
    stopped = found.stopped
    if stopped.startswith("stopped by the caller"):
        stopped = STOPPED if len(journal.updates) < settings.updates else ""
    return journal.found(found.writer, stopped)


def _product(prompt: str) -> str:
    """A field prompt without its first field, whom it is written to: prompts of one product have the same."""
    return prompt.partition(" | ")[2] or prompt
