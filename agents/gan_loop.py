"""The loop of `copybandit.agents.gan`: write, tell apart, step twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from copybandit.agents.discriminator import Discriminator, accuracy, discriminator_loss
from copybandit.agents.gan import Beside, GANResult, GANRound, GANSettings, Shown
from copybandit.agents.token_rows import TokenRows, answer_log_pmf, draw_answers, entropy_of, log_prob_of
from copybandit.agents.trl_guard import isolated_randomness
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Ints

Pair = tuple[list[int], list[int]]
"""Tokens of a prompt and of an answer, its end included."""
ADAM_EPSILON = 1e-5


class Ended(Exception):
    """Training must end; the message says why."""


@dataclass(kw_only=True)
class Game:
    """What one run is made of and what it remembers.

    Attributes:
        rounds: played so far.
        writer: trained in place.
        real: the real pairs.
        product: shape (n,), whose copy each real pair is.
        asked: tokens of the prompts that it writes for.
        beside: what else the writer is paid for.
        judge: the discriminator.
        replay: pairs written in earlier rounds, the oldest first.
        baseline: shape (longest answer,), moving mean of returns by place.
    """

    settings: GANSettings
    writer: CausalLM
    real: list[Pair]
    product: Ints
    asked: list[list[int]]
    beside: Beside | None
    judge: Discriminator
    rng: np.random.Generator
    draws: torch.Generator
    adversarial: torch.optim.AdamW
    likelihood: torch.optim.AdamW
    judging: torch.optim.AdamW
    rounds: list[GANRound] = field(default_factory=list)
    replay: list[Pair] = field(default_factory=list)
    baseline: Tensor | None = None

    def rows(self, pairs: Sequence[Pair]) -> TokenRows:
        """Tensors of some pairs."""
        heads, tails = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return TokenRows.of(heads, tails, self.writer.pad_id, self.writer.device)

    def batch(self) -> list[Pair]:
        """Real pairs drawn at random."""
        return [self.real[i] for i in self.rng.integers(len(self.real), size=self.settings.batch_size)]

    def cells(self) -> Ints:
        """Indices of prompts to write for, drawn at random."""
        return self.rng.integers(len(self.asked), size=self.settings.batch_size)


def run_gan(
    writer: CausalLM,
    shown: Shown,
    settings: GANSettings,
    seed: int,
    on_round: Callable[[GANRound], bool],
) -> GANResult:
    """Run the loop; `copybandit.agents.gan.train_gan` says what each argument means."""
    stopped = ""
    with isolated_randomness(seed):
        game = begin(writer, shown, settings, seed)
        try:
            while len(game.rounds) < settings.rounds:
                if not on_round(play_round(game)):
                    stopped = f"stopped by the caller after round {len(game.rounds)}"
                    break
        except Ended as reason:
            stopped = str(reason)
    game.writer.model.eval()
    return GANResult(writer=game.writer, rounds=tuple(game.rounds), stopped=stopped)


def begin(
    writer: CausalLM, shown: Shown, settings: GANSettings, seed: int, beside: Beside | None = None
) -> Game:
    """Set up a game on a copy of `writer`; called where the global random state is isolated."""
    student = writer.clone("gan")
    weights = list(student.model.requires_grad_(True).parameters())
    options = settings.discriminator
    judge = Discriminator(writer.model.get_input_embeddings().weight, options.hidden, options.dropout).to(
        writer.device
    )
    trained = [weight for weight in judge.parameters() if weight.requires_grad]
    heads = student.prompt_ids(shown.prompts)
    return Game(
        settings=settings,
        writer=student,
        real=list(zip(heads, student.response_ids(shown.texts), strict=True)),
        product=np.unique(shown.product, return_inverse=True)[1],
        asked=heads if beside is None else student.prompt_ids(beside.prompts),
        beside=beside,
        judge=judge.train(),
        rng=np.random.default_rng(seed),
        draws=torch.Generator(writer.device).manual_seed(seed),
        # Likelihood gradients are the larger ones: one optimizer for both would scale the others away.
        adversarial=_adam(weights, settings.learning_rate, 0.0),
        likelihood=_adam(weights, settings.mle_learning_rate, 0.0),
        judging=_adam(trained, options.learning_rate, options.weight_decay),
    )


def _adam(weights: list[Any], learning_rate: float, decay: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(weights, lr=learning_rate, weight_decay=decay, eps=ADAM_EPSILON)


def play_round(game: Game) -> GANRound:
    """Play one round and remember it; the first begins with what the discriminator learns before.

    Raises:
        Ended: training diverged, or the round before collapsed.
    """
    if game.rounds:
        _check_entropy(game.rounds, game.settings)
    else:
        _warm_up(game)
    game.rounds.append(_round(game, len(game.rounds) + 1))
    return game.rounds[-1]


def _warm_up(game: Game) -> None:
    """Let the discriminator learn from copy of the untrained writer."""
    for step in range(game.settings.discriminator.warm_up):
        if step % 4 == 0:
            fresh = _write(game, game.cells())
        _teach_judge(game, fresh)


def _round(game: Game, number: int) -> GANRound:
    cells = game.cells()
    fresh = _write(game, cells)
    written = game.rows(fresh)
    pay = _pay(game, cells, fresh)
    told_apart = accuracy(game.judge, game.rows(game.batch()), written)
    loss = math.nan
    for _ in range(game.settings.discriminator.steps):
        loss = _teach_judge(game, fresh)
    _remember(game, fresh)
    reward = 2 * game.judge.judge(written).sigmoid() - 1
    entropy = _adversarial_step(game, written, reward, pay)
    return GANRound(
        round=number,
        reward=float(written.mean(reward)),
        accuracy=told_apart,
        discriminator_loss=loss,
        entropy=entropy,
        mle_loss=_likelihood_step(game),
        length=float(written.answer_mask.sum(1).float().mean()),
    )


def _pay(game: Game, cells: Ints, fresh: Sequence[Pair]) -> Tensor:
    """What each text earns beside the discriminator's verdict, shape (b,)."""
    if game.beside is None:
        return torch.zeros(len(fresh), device=game.writer.device)
    pay = game.beside.pay(game.writer, cells, [answer for _, answer in fresh])
    return torch.as_tensor(pay, dtype=torch.float32, device=game.writer.device)


def _write(game: Game, cells: Ints) -> list[Pair]:
    """One answer of the writer to each prompt."""
    heads = [game.asked[cell] for cell in cells]
    answers = draw_answers(game.writer, heads, game.settings.temperature, game.draws)
    return list(zip(heads, answers, strict=True))


def _teach_judge(game: Game, fresh: Sequence[Pair]) -> float:
    """One step of the discriminator; returns its loss."""
    real, fake = game.rows(game.batch()), game.rows(_fakes(game, fresh))
    loss = discriminator_loss(game.judge, real, fake, game.settings.discriminator.smoothing)
    _step(game.judging, loss, game.settings.max_grad_norm, "the discriminator")
    return loss.item()


def _fakes(game: Game, fresh: Sequence[Pair]) -> list[Pair]:
    """A batch of fresh copy, of copy of earlier rounds, and of real copy of other products."""
    options, n = game.settings.discriminator, game.settings.batch_size
    old = round(options.replayed * n) if game.replay else 0
    swapped = round(options.mismatched * n)
    kept = [fresh[i] for i in game.rng.permutation(len(fresh))[: n - old - swapped]]
    replayed = [game.replay[i] for i in game.rng.integers(len(game.replay), size=old)] if old else []
    return [*kept, *replayed, *_mismatched(game, swapped)]


def _mismatched(game: Game, n: int) -> list[Pair]:
    """Prompts with real copy of another product."""
    one, other = game.rng.integers(len(game.real), size=(2, 4 * n))
    apart = np.flatnonzero(game.product[one] != game.product[other])[:n]
    return [(game.real[one[k]][0], game.real[other[k]][1]) for k in apart]


def _remember(game: Game, fresh: Sequence[Pair]) -> None:
    game.replay.extend(fresh)
    del game.replay[: -game.settings.discriminator.replay_size]


def discounted(reward: Tensor, mask: Tensor, discount: float) -> Tensor:
    """Returns  R_t = r_t + discount * R_{t+1}  within each answer, shape (b, t); 0 where `mask` is 0."""
    total = torch.zeros_like(reward[:, 0])
    columns = []
    for t in reversed(range(reward.shape[1])):
        total = (reward[:, t] + discount * total) * mask[:, t]
        columns.append(total)
    return torch.stack(columns[::-1], 1)


def _log_pmf(game: Game, rows: TokenRows) -> Tensor:
    """Log probabilities at the temperature of the game, shape (b, t, v)."""
    log_pmf = answer_log_pmf(game.writer.model, rows)
    temperature = game.settings.temperature
    return log_pmf if temperature == 1 else (log_pmf / temperature).log_softmax(-1)


def _adversarial_step(game: Game, written: TokenRows, reward: Tensor, pay: Tensor) -> float:
    """One policy-gradient step; returns the writer's entropy before it, nats per token."""
    settings = game.settings
    returns = discounted(reward, written.answer_mask, settings.discount) + pay[:, None] * written.answer_mask
    advantage = returns - _moved_baseline(game, returns, written.answer_mask)
    log_pmf = _log_pmf(game, written)
    entropy = written.mean(entropy_of(log_pmf))
    gain = written.mean(advantage * log_prob_of(log_pmf, written))
    _step(game.adversarial, -gain - settings.entropy_bonus * entropy, settings.max_grad_norm, "the writer")
    return entropy.item()


def _moved_baseline(game: Game, returns: Tensor, mask: Tensor) -> Tensor:
    """Mean return at each place, moved towards this batch's; returned as it was before, shape (t,).

    The first batch that reaches a place has nothing before it and is its own baseline there.
    """
    count = mask.sum(0)
    now = (returns * mask).sum(0) / count.clamp(min=1)
    if game.baseline is None:
        game.baseline = returns.new_full((game.writer.max_new_tokens,), math.nan)
    known = game.baseline[: len(now)]
    before = torch.where(known.isnan(), now, known)
    keep = game.settings.baseline_memory
    game.baseline[: len(now)] = torch.where(count > 0, keep * before + (1 - keep) * now, known)
    return before


def _likelihood_step(game: Game) -> float:
    """One maximum-likelihood step on real copy; returns its loss, nats per token."""
    if game.settings.mle_learning_rate == 0:
        return math.nan
    rows = game.rows(game.batch())
    loss = -rows.mean(log_prob_of(_log_pmf(game, rows), rows))
    _step(game.likelihood, loss, game.settings.max_grad_norm, "the writer on real copy")
    return loss.item()


def _step(optimizer: torch.optim.AdamW, loss: Tensor, max_norm: float, whose: str) -> None:
    """Clip and step, unless loss or gradient is not finite."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    norm = nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], max_norm)
    if not (math.isfinite(loss.item()) and math.isfinite(float(norm))):
        raise Ended(f"diverged: loss {loss.item()} and gradient norm {float(norm)} of {whose}")
    optimizer.step()


def _check_entropy(rounds: Sequence[GANRound], settings: GANSettings) -> None:
    first, last = rounds[0].entropy, rounds[-1].entropy
    if last < settings.entropy_floor * first:
        raise Ended(
            f"entropy collapsed: {last:.3f} nats per token in round {len(rounds)}, {first:.3f} in the first; lower "
            "learning_rate or raise entropy_bonus"
        )
