"""Train a writer against a discriminator: its settings, its records and the one function that runs it.

Per round: write copy for a batch of briefs; let the discriminator learn to tell it from real copy; then step the writer
along the policy gradient of dense rewards, and once more by maximum likelihood on real copy:

    r_t = 2 D(x_<=t) - 1,   R_t = sum_{s >= t} discount^(s - t) r_s
    loss = -mean_t (R_t - b_t) log pi(x_t) - entropy_bonus * mean_t H(pi_t),   b_t a moving mean of R_t at place t

The policy gradient is SeqGAN's (Yu et al., AAAI 2017, arXiv 1609.05473); rewards at every token, large batches and a
held-back discriminator are ScratchGAN's (arXiv 1905.09922). Whether it was worth it only a temperature sweep tells
(`copybandit.evaluation.quality_diversity`). This file imports no torch until called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import Brief, DataError, Floats, Ints

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM


@dataclass(frozen=True, kw_only=True)
class DiscriminatorSettings:
    """How the discriminator learns.

    Attributes:
        hidden: width.
        steps: optimizer steps per round.
        warm_up: optimizer steps before the first round, on copy of the untrained writer.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        dropout: of its states.
        smoothing: real copy is labelled 1 - smoothing.
        mismatched: share of the fakes that are real copy of another brief (Reed et al., ICML 2016, arXiv 1605.05396).
        replayed: share of the fakes that were written in earlier rounds.
        replay_size: texts of earlier rounds that are kept.
    """

    hidden: int = 64
    steps: int = 2
    warm_up: int = 40
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1
    smoothing: float = 0.1
    mismatched: float = 0.25
    replayed: float = 0.25
    replay_size: int = 2048

    def __post_init__(self) -> None:
        if min(self.hidden, self.replay_size) < 1 or min(self.steps, self.warm_up) < 0:
            raise DataError(
                f"gan: discriminator needs hidden and replay_size >= 1, steps and warm_up >= 0, got {self.hidden}, "
                f"{self.replay_size}, {self.steps}, {self.warm_up}; raise the one below"
            )
        if min(self.mismatched, self.replayed) < 0 or self.mismatched + self.replayed >= 1:
            raise DataError(
                f"gan: mismatched and replayed must be shares that leave room for fresh copy, got {self.mismatched} and "
                f"{self.replayed}; lower one of them"
            )
        if not 0 <= self.smoothing < 0.5:
            raise DataError(f"gan: smoothing must be in [0, .5), got {self.smoothing}; try .1")


@dataclass(frozen=True, kw_only=True)
class GANSettings:
    """How long and how hard to train.

    Attributes:
        rounds: of discriminator, adversarial and maximum-likelihood steps.
        batch_size: texts written per round, and real texts per step.
        temperature: at which the writer is trained.
        learning_rate: of the adversarial step.
        mle_learning_rate: of the maximum-likelihood step; 0 leaves it out.
        discount: of rewards at later tokens, in [0, 1].
        baseline_memory: share of the moving baseline that stays in a round.
        entropy_bonus: reward units per nat of entropy at a token.
        entropy_floor: training stops where entropy falls below this share of the first round's.
        max_grad_norm: gradients are clipped to this norm.
        discriminator: how it learns.
    """

    rounds: int = 60
    batch_size: int = 128
    temperature: float = 1.0
    learning_rate: float = 1e-4
    mle_learning_rate: float = 2e-5
    discount: float = 0.5
    baseline_memory: float = 0.9
    entropy_bonus: float = 0.01
    entropy_floor: float = 0.4
    max_grad_norm: float = 1.0
    discriminator: DiscriminatorSettings = DiscriminatorSettings()

    def __post_init__(self) -> None:
        if min(self.rounds, self.batch_size) < 1:
            raise DataError(
                f"gan: rounds and batch_size must be >= 1, got {self.rounds} and {self.batch_size}; raise the one below"
            )
        if not self.temperature > 0:
            raise DataError(f"gan: temperature must be above 0, got {self.temperature}; try 1.0")
        for name in ("discount", "baseline_memory", "entropy_floor"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"gan: {name} must be in [0, 1], got {getattr(self, name)}; try the default")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Real copy: n prompts, whose product each is about, and their texts."""

    prompts: Sequence[str]
    product: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What the writer works for beside fooling the discriminator.

    Attributes:
        prompts: n prompts that it writes for, instead of those of the real copy.
        pay: the writer as it is, indices of prompts, shape (b,), and answers' tokens -> what each text earns, shape (b,),
            added to the return of each of its tokens without discount.
    """

    prompts: Sequence[str]
    pay: Callable[[CausalLM, Ints, list[list[int]]], Floats]


@dataclass(frozen=True, kw_only=True)
class GANRound:
    """One round.

    Attributes:
        round: 1 is the first.
        reward: mean of 2 D - 1 over the tokens of this round's copy; 0 where the discriminator cannot tell.
        accuracy: share of texts, real and fresh, that the discriminator told apart before it learned from them.
        discriminator_loss: nats per token, of its last step.
        entropy: of the writer, nats per token.
        mle_loss: on a batch of real copy, nats per token; nan where that step is left out.
        length: tokens per text, the end included.
    """

    round: int
    reward: float
    accuracy: float
    discriminator_loss: float
    entropy: float
    mle_loss: float
    length: float


@dataclass(frozen=True, kw_only=True)
class GANResult:
    """A trained writer and how it came about.

    Attributes:
        writer: as it was last; where training diverged, as it was before the step that would have followed.
        rounds: one record per round.
        stopped: why training ended early; empty where it did not.
    """

    writer: CausalLM
    rounds: tuple[GANRound, ...]
    stopped: str


def train_gan(
    writer: CausalLM,
    briefs: Sequence[Brief],
    texts: Sequence[str],
    settings: GANSettings,
    seed: int,
    on_round: Callable[[GANRound], bool] | None = None,
) -> GANResult:
    """Train a copy of `writer`, which must be pretrained, against real copy; `writer` itself stays as it is.

    It is trained at the temperature of the settings, whatever temperature it is served at.

    Args:
        writer: starting point.
        briefs: n briefs that real copy was written for.
        texts: the real, approved copy, one text per brief, none empty.
        settings: how long and how hard.
        seed: same seed, same settings, same thread count: same weights.
        on_round: told each round; returning False ends training.

    Raises:
        DataError: not one text per brief, an empty text, or fewer than two different briefs.
    """
    _check_inputs(briefs, texts)
    # Torch takes seconds to import; a command that only reads settings must not wait for it.
    from copybandit.agents.gan_loop import run_gan

    shown = Shown(
        prompts=[field_prompt(brief) for brief in briefs],
        product=[brief.product.product_id for brief in briefs],
        texts=texts,
    )
    return run_gan(writer, shown, settings, seed, on_round or _go_on)


def _go_on(done: GANRound) -> bool:
    return True


def _check_inputs(briefs: Sequence[Brief], texts: Sequence[str]) -> None:
    if len(briefs) != len(texts):
        raise DataError(f"gan: {len(briefs)} briefs, {len(texts)} texts; give one text per brief")
    empty = [row for row, text in enumerate(texts) if not text.strip()]
    if empty:
        raise DataError(
            f"gan: real copy must not be empty, got {texts[empty[0]]!r} in row {empty[0]}; drop it"
        )
    products = {brief.product.product_id for brief in briefs}
    if len(products) < 2:
        raise DataError(f"gan: needs copy of at least 2 products, got {len(products)}; add copy")
