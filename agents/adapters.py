"""Training an adapter: which one, how large, and for AdaLoRA who shares out its ranks.

AdaLoRA (arXiv 2303.10512) begins with more rank than it may keep. After each optimizer step, while the gradients are still
there, every direction of every layer is scored by how much the loss would feel its loss, and the worst are cut until the
layers together hold the budget; an orthogonality term keeps directions comparable. Both need to be called: a trainer that
knows nothing of them trains an adapter whose ranks never move. `RankAllocation` hangs onto the optimizer, so it works in
any trainer. The adapter itself, on disk and merged, is in `copybandit.generators.adapters`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from copybandit.generators.adapters import Adapter
    from copybandit.generators.lm import CausalLM

Choice = Literal["none", "lora", "adalora", "prefix"]
CHOICES: tuple[Choice, ...] = ("none", "lora", "adalora", "prefix")
LEAST_STEPS = 10
"""Steps that AdaLoRA needs: to warm up, to share out, and to settle."""
WARM_UP, SETTLE = 0.1, 0.3
"""Shares of AdaLoRA's steps before ranks begin to be cut, and after they are fixed."""
ORTHOGONALITY = 0.5
"""Weight of AdaLoRA's orthogonality term, the paper's own."""


@dataclass(frozen=True, kw_only=True)
class AdapterSettings:
    """What is trained.

    Attributes:
        kind: `none` trains all weights; the others leave them and train an adapter beside them, for which a learning
            rate about ten times as high is usual.
        rank: of every linear layer's change (lora), or on average over layers at the end (adalora, which begins with
            half as much again).
        prefix_tokens: pairs of keys and values in each attention layer (prefix).
    """

    kind: Choice = "none"
    rank: int = 8
    prefix_tokens: int = 16

    def __post_init__(self) -> None:
        if self.kind not in CHOICES:
            raise DataError(
                f"adapter: kind must be one of {', '.join(CHOICES)}, got {self.kind!r}; choose one"
            )
        if min(self.rank, self.prefix_tokens) < 1:
            raise DataError(
                f"adapter: rank and prefix_tokens must be >= 1, got {self.rank} and {self.prefix_tokens}; "
                "raise the one below"
            )


def attach(
    writer: CausalLM, settings: AdapterSettings, *, generator_id: str, seed: int, steps: int
) -> CausalLM:
    """Return a copy of `writer` that is ready to be trained; it writes exactly as `writer` does until it is.

    Args:
        writer: the base; it stays as it is.
        settings: what is trained.
        generator_id: name of the copy.
        seed: of the adapter's initial weights; global random state stays.
        steps: optimizer steps in all, which AdaLoRA must know beforehand.

    Raises:
        DataError: the writer carries an adapter already, or AdaLoRA has too few steps.
    """
    import torch

    check_plain(writer)
    student = writer.clone(generator_id)
    if settings.kind == "none":
        student.model.requires_grad_(True)
        return student
    from copybandit.generators.adapters import Adapter, AdapterCard, weights_hash
    from copybandit.generators.prefix import attach_prefix

    card = AdapterCard(
        kind=settings.kind,
        base=writer.source or "",
        base_hash=weights_hash(student.model),
        tokens=settings.prefix_tokens if settings.kind == "prefix" else 0,
    )
    student.source = writer.source
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if settings.kind == "prefix":
            attach_prefix(student.model, settings.prefix_tokens)
            student.adapter = Adapter(card=card)
        else:
            student.adapter = Adapter(card=card, peft=_attach_peft(student.model, settings, steps))
    return student


def check_plain(writer: CausalLM) -> None:
    """Raise DataError when `writer` carries an adapter, which could not be saved apart, or has weights that are integers."""
    from copybandit.generators.int8 import is_int8

    if is_int8(writer.model):
        raise DataError(
            f"writer {writer.generator_id}: int8 weights cannot be trained; train the writer first, then quantise it"
        )
    if writer.adapter is not None:
        raise DataError(
            f"writer {writer.generator_id}: must carry no adapter to be trained, got {writer.adapter.card.kind}; "
            "train merge_adapter(writer), or its base"
        )


def _attach_peft(model: Any, settings: AdapterSettings, steps: int) -> Any:
    from peft import AdaLoraConfig, LoraConfig, get_peft_model

    from copybandit.generators.adapters import quiet_peft

    shape: dict[str, Any] = {
        "lora_alpha": 2 * settings.rank,
        "lora_dropout": 0.0,
        "target_modules": "all-linear",
    }
    if settings.kind == "lora":
        config = LoraConfig(r=settings.rank, **shape)
    else:
        if steps < LEAST_STEPS:
            raise DataError(
                f"adalora: must have at least {LEAST_STEPS} optimizer steps to share out ranks, got {steps}; "
                "raise epochs, or use lora"
            )
        config = AdaLoraConfig(
            target_r=settings.rank,
            init_r=settings.rank + -(-settings.rank // 2),
            tinit=round(WARM_UP * steps),
            tfinal=round(SETTLE * steps),
            total_step=steps,
            orth_reg_weight=ORTHOGONALITY,
            **shape,
        )
    with quiet_peft():
        return get_peft_model(model, config).eval()


class RankAllocation:
    """AdaLoRA's work after each optimizer step, and the term it adds to the loss."""

    def __init__(self, adapter: Adapter) -> None:
        """Work on an `adalora` adapter."""
        assert adapter.peft is not None and adapter.card.kind == "adalora"
        self._tuner = adapter.peft.base_model
        self._step = 0

    def follow(self, optimizer: Optimizer) -> None:
        """Share out ranks after every step of `optimizer`, before the gradients go."""
        optimizer.register_step_post_hook(self._allocate)

    def _allocate(self, *_: object) -> None:
        self._step += 1
        self._tuner.update_and_allocate(self._step)

    def penalty(self) -> Tensor:
        """Orthogonality term: weight times the mean over matrices P of ||P^T P - I||, a scalar."""
        import torch

        distances = [
            torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device))
            for name, matrix in self._tuner.model.named_parameters()
            if (gram := _gram(name, matrix)) is not None
        ]
        return ORTHOGONALITY * torch.stack(distances).mean()

    def finish(self) -> None:
        """Drop the directions that were cut; the writer writes as before."""
        config = self._tuner.peft_config[self._tuner.trainable_adapter_name]
        if config.rank_pattern:
            self._tuner.resize_modules_by_rank_pattern(
                config.rank_pattern, self._tuner.trainable_adapter_name
            )
            self._tuner.model.eval()


def _gram(name: str, matrix: Tensor) -> Tensor | None:
    if ".lora_A." in name:
        return matrix @ matrix.T
    return matrix.T @ matrix if ".lora_B." in name else None


def ranks(writer: CausalLM) -> dict[str, int]:
    """Rank of each layer's change, by the layer's name; none for a writer without lora or adalora."""
    found = {}
    for name, weight in writer.model.named_parameters():
        layer, mark, _ = name.partition(".lora_A.")
        if mark:
            found[layer] = len(weight)
    return found
