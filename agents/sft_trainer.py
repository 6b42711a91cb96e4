"""TRL's SFTTrainer on tokens the writer made itself, without TRL's telemetry, prints and leftovers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback

from copybandit.agents.adapters import RankAllocation
from copybandit.agents.sft import Example, SFTSettings
from copybandit.agents.trl_guard import importing_trl, isolated_randomness, quiet_arguments
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_files import quiet_transformers

with importing_trl():
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

IGNORED = -100
"""Label of a token that carries no loss."""


class _QuietSFTTrainer(SFTTrainer):
    def _send_telemetry(self) -> None:
        """Send nothing: what is trained here is nobody else's business."""

    allocation: RankAllocation | None = None

    def create_optimizer(self, *arguments: Any) -> Any:
        """Let AdaLoRA follow the optimizer."""
        optimizer = super().create_optimizer(*arguments)
        if self.allocation:
            self.allocation.follow(optimizer)
        return optimizer

    def compute_loss(self, *arguments: Any, **options: Any) -> Any:
        """Add AdaLoRA's orthogonality term."""
        loss = super().compute_loss(*arguments, **options)  # type: ignore[no-untyped-call]
        return loss + self.allocation.penalty() if self.allocation else loss


class _Progress(TrainerCallback):
    def __init__(self, on_step: Callable[[int, int], None] | None) -> None:
        self.on_step = on_step
        self.losses: list[float] = []

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.on_step:
            self.on_step(state.global_step, state.max_steps)


def encode_examples(writer: CausalLM, examples: list[Example]) -> Dataset:
    """Return rows of `input_ids` and `labels`; prompt tokens carry no loss."""
    heads = writer.prompt_ids([prompt for prompt, _ in examples])
    tails = writer.response_ids([response for _, response in examples])
    pairs = list(zip(heads, tails, strict=True))
    return Dataset.from_dict(
        {
            "input_ids": [head + tail for head, tail in pairs],
            "labels": [[IGNORED] * len(head) + tail for head, tail in pairs],
        }
    )


def fit(
    student: CausalLM,
    examples: list[Example],
    settings: SFTSettings,
    seed: int,
    out_dir: Path,
    on_step: Callable[[int, int], None] | None,
) -> tuple[float, ...]:
    """Train what is trainable of `student`, in place; returns the loss of each step."""
    progress = _Progress(on_step)
    model, adapter = student.model, student.adapter
    with isolated_randomness(seed), quiet_transformers():
        trainer = _QuietSFTTrainer(
            model=model,
            args=_arguments(settings, student, len(examples), seed, out_dir),
            train_dataset=encode_examples(student, examples),
            processing_class=student.tokenizer,
            callbacks=[progress],
        )
        if adapter is not None and adapter.card.kind == "adalora":
            trainer.allocation = RankAllocation(adapter)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    if trainer.allocation:
        trainer.allocation.finish()
    # TRL's chunked loss hangs its own forward on the instance; the class's own must be back for sampling.
    vars(model).pop("forward", None)
    model.eval()
    return tuple(progress.losses)


def _arguments(settings: SFTSettings, student: CausalLM, rows: int, seed: int, out_dir: Path) -> SFTConfig:
    steps = settings.steps(rows)
    with quiet_arguments():
        return SFTConfig(
            output_dir=str(out_dir),
            max_steps=steps,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=round(settings.warmup_share * steps),
            max_grad_norm=settings.max_grad_norm,
            max_length=None,
            loss_type="chunked_nll",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            use_cpu=student.device.type == "cpu",
            bf16=False,
            gradient_checkpointing=False,  # the same gradients for a third more work
            seed=seed,
        )
