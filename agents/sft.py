"""Supervised fine-tuning: teach a writer to answer prompts the way given examples do.

The loss is the cross-entropy of the answer's tokens and of its end, never of the prompt. Examples are turned
into tokens by the writer itself, so training reads exactly the tokens that sampling will see. This file
imports neither torch nor TRL until it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from copybandit.agents.adapters import AdapterSettings, attach
from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

Example = tuple[str, str]
"""Prompt and response."""


@dataclass(frozen=True, kw_only=True)
class SFTSettings:
    """How long and how hard to train.

    Attributes:
        epochs: passes over the training examples.
        max_steps: optimizer steps after which to stop whatever `epochs` says; None for no limit.
        batch_size: examples per optimizer step.
        learning_rate: peak; warmed up linearly, then annealed by a cosine.
        warmup_share: of all steps.
        held_out_share: of the prompts, never trained on, for the loss before and after.
        max_grad_norm: gradients are clipped to this norm.
        adapter: what is trained; all weights unless told otherwise.
    """

    epochs: int = 1
    max_steps: int | None = None
    batch_size: int = 32
    learning_rate: float = 2e-4
    warmup_share: float = 0.05
    held_out_share: float = 0.1
    max_grad_norm: float = 1.0
    adapter: AdapterSettings = field(default_factory=AdapterSettings)

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.max_steps or 1) < 1:
            raise DataError(
                f"sft: epochs, batch_size and max_steps must be >= 1, got {self.epochs}, {self.batch_size}, "
                f"{self.max_steps}; raise the one below"
            )
        if not 0 < self.held_out_share < 1:
            raise DataError(f"sft: held_out_share must be in (0, 1), got {self.held_out_share}; try 0.1")

    def steps(self, rows: int) -> int:
        """Optimizer steps on so many training examples."""
        steps = self.epochs * -(-rows // self.batch_size)
        return min(steps, self.max_steps or steps)


@dataclass(frozen=True, kw_only=True)
class SFTResult:
    """A trained writer and what it learned.

    Attributes:
        writer: the trained copy, its adapter not merged.
        loss_before, loss_after: on held-out prompts, nats per answer token, the end included.
        train_losses: loss of each optimizer step's batch; AdaLoRA's orthogonality term is part of it.
        n_train, n_held_out: examples on each side.
    """

    writer: CausalLM
    loss_before: float
    loss_after: float
    train_losses: tuple[float, ...]
    n_train: int
    n_held_out: int


def sft(
    writer: CausalLM,
    examples: Sequence[Example],
    settings: SFTSettings,
    seed: int,
    out_dir: Path | str,
    on_step: Callable[[int, int], None] | None = None,
) -> SFTResult:
    """Train a copy of `writer` on `examples`; `writer` itself stays as it is.

    Args:
        writer: starting point.
        examples: pairs of prompt and response; a response must not be empty.
        settings: how long and how hard.
        seed: same seed, same settings, same thread count: same weights.
        out_dir: TRL's output folder; nothing is saved there unless the caller saves the writer.
        on_step: told the optimizer step and how many there are.

    Raises:
        DataError: an empty response, fewer than two different prompts, or a writer with an adapter already.
    """
    train, held_out = split_by_prompt(examples, settings.held_out_share, seed)
    # Torch and TRL take seconds to import; a command that only reads settings must not wait for them.
    from copybandit.agents.sft_trainer import fit

    steps = settings.steps(len(train))
    student = attach(writer, settings.adapter, generator_id="sft", seed=seed, steps=steps)
    losses = fit(student, train, settings, seed, Path(out_dir), on_step)
    return SFTResult(
        writer=student,
        loss_before=response_loss(writer, held_out),
        loss_after=response_loss(student, held_out),
        train_losses=losses,
        n_train=len(train),
        n_held_out=len(held_out),
    )


def split_by_prompt(
    examples: Sequence[Example], held_out_share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Hold out whole prompts, at least one, so that no held-out prompt was trained on with another answer."""
    for row, (prompt, response) in enumerate(examples):
        if not prompt.strip() or not response.strip():
            raise DataError(
                f"sft example {row}: prompt and response must not be empty, got {prompt!r} and {response!r}; "
                "drop it"
            )
    prompts = sorted({prompt for prompt, _ in examples})
    if len(prompts) < 2:
        raise DataError(f"sft: needs at least 2 different prompts, got {len(prompts)}; add examples")
    count = min(max(1, round(held_out_share * len(prompts))), len(prompts) - 1)
    chosen = np.random.default_rng(seed).choice(len(prompts), size=count, replace=False)
    hidden = {prompts[i] for i in chosen}
    train = [pair for pair in examples if pair[0] not in hidden]
    return train, [pair for pair in examples if pair[0] in hidden]


def response_loss(writer: CausalLM, examples: Sequence[Example]) -> float:
    """Return the mean negative log probability per answer token, in nats, at temperature 1."""
    prompts, responses = [pair[0] for pair in examples], [pair[1] for pair in examples]
    tokens = sum(len(row) for row in writer.response_ids(responses))
    return float(-writer.text_log_prob(prompts, responses).sum() / tokens)
