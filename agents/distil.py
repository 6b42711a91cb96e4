"""Distil a writer into one with fewer layers, which begins as the teacher with layers left out.

The student is taught the teacher's whole next-token distribution wherever an answer passes (Hinton et al., arXiv
1503.02531), on answers that the teacher writes itself (Kim and Rush, arXiv 1606.07947). Together the two are one quantity:

    KL(teacher || student) = E_{y ~ teacher} sum_t KL(teacher(. | y_<t) || student(. | y_<t))

so the token-level loss on the teacher's own answers is an unbiased estimate of the divergence between the sequences; on
given copy it is token-level alone. `written_share` says how many answers of a batch are the teacher's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from copybandit.agents.sft import Example
from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from copybandit.generators.lm import CausalLM


@dataclass(frozen=True, kw_only=True)
class DistilSettings:
    """How small the student is and how long it learns.

    Attributes:
        layers: of the student, taken evenly from the teacher's, the first and the last among them.
        steps: optimizer steps.
        batch_size: answers per step.
        learning_rate: peak; warmed up over a tenth of the steps, then annealed by a cosine.
        written_share: of the answers, written by the teacher; the rest are the given ones.
    """

    layers: int
    steps: int = 200
    batch_size: int = 16
    learning_rate: float = 5e-4
    written_share: float = 0.5

    def __post_init__(self) -> None:
        if min(self.layers, self.steps, self.batch_size) < 1:
            raise DataError(
                f"distil: layers, steps and batch_size must be >= 1, got {self.layers}, {self.steps}, "
                f"{self.batch_size}; raise the one below"
            )
        if not 0 <= self.written_share <= 1:
            raise DataError(f"distil: written_share must be in [0, 1], got {self.written_share}; try 0.5")


@dataclass(frozen=True, kw_only=True)
class DistilResult:
    """A student, and its loss at each step: KL(teacher || student) in nats a token."""

    writer: CausalLM
    losses: tuple[float, ...]


def smaller(teacher: CausalLM, layers: int, generator_id: str) -> CausalLM:
    """Return a copy of `teacher` with layers left out, evenly.

    Raises:
        DataError: the teacher has an adapter, fewer layers, or keeps them in another place than a Llama does.
    """
    from copybandit.agents.adapters import check_plain

    check_plain(teacher)
    student = teacher.clone(generator_id)
    trunk = getattr(student.model, "model", None)
    if trunk is None or not hasattr(trunk, "layers"):
        raise DataError(f"distil: {teacher.generator_id} must be a Llama-like model; choose another teacher")
    if layers > len(trunk.layers):
        raise DataError(
            f"distil: layers must be at most the teacher's {len(trunk.layers)}, got {layers}; lower it"
        )
    kept = np.linspace(0, len(trunk.layers) - 1, layers).round().astype(int)
    trunk.layers = type(trunk.layers)([trunk.layers[i] for i in kept])
    for place, layer in enumerate(trunk.layers):
        layer.self_attn.layer_idx = place  # where the cache keeps its keys and values
    student.model.config.num_hidden_layers = layers
    return student


def token_kl(teacher: CausalLM, student: CausalLM, examples: Sequence[Example]) -> Tensor:
    """Mean of KL(teacher || student) over the tokens of the answers, ends included, nats, at temperature 1; a scalar."""
    import torch

    rows = (
        teacher.prompt_ids([prompt for prompt, _ in examples]),
        teacher.response_ids([text for _, text in examples]),
    )
    with torch.no_grad():
        logits, _, mask = teacher.answer_logits(*rows)
        wanted = logits.log_softmax(-1)
    found = student.answer_logits(*rows)[0].log_softmax(-1)
    divergence = (wanted.exp() * (wanted - found)).sum(-1)
    return (divergence * mask).sum() / mask.sum()


def distil(
    teacher: CausalLM,
    examples: Sequence[Example],
    settings: DistilSettings,
    seed: int,
    on_step: Callable[[int, int], None] | None = None,
) -> DistilResult:
    """Teach a smaller copy of `teacher` to write as it does; `teacher` itself stays as it is.

    Args:
        teacher: whose distribution is learned.
        examples: prompts, and given copy for those answers that the teacher does not write.
        settings: how small and how long.
        seed: same seed, same settings, same thread count: same weights.
        on_step: told the step and how many there are.

    Raises:
        DataError: no examples, or more layers than the teacher has.
    """
    import torch

    if not examples:
        raise DataError("distil: needs examples, got none; give prompts and copy")
    student = smaller(teacher, settings.layers, "student")
    student.model.requires_grad_(True)
    optimizer = torch.optim.AdamW(student.model.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, settings.steps))
    rng, losses = np.random.default_rng(seed), []
    for step in range(1, settings.steps + 1):
        batch = _batch(teacher, examples, settings, rng)
        loss = token_kl(teacher, student, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
        torch.nn.utils.clip_grad_norm_(student.model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        losses.append(loss.item())
        if on_step:
            on_step(step, settings.steps)
    return DistilResult(writer=student, losses=tuple(losses))


def _batch(
    teacher: CausalLM, examples: Sequence[Example], settings: DistilSettings, rng: np.random.Generator
) -> list[Example]:
    """Draw examples, and let the teacher write its share of them anew; what it leaves empty stays as given."""
    batch = [examples[i] for i in rng.choice(len(examples), size=settings.batch_size)]
    own = round(settings.written_share * len(batch))
    prompts = [prompt for prompt, _ in batch[:own]]
    written = teacher.write(prompts, 1, rng) if own else []
    return [
        (prompt, texts[0] or text) for (prompt, text), texts in zip(batch[:own], written, strict=True)
    ] + batch[own:]


def _rate(step: int, steps: int) -> Any:
    warm = max(1, steps // 10)
    return (
        (step + 1) / warm
        if step < warm
        else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
    )
