"""TRL's DPOTrainer on the writer's own texts, batch after batch: write, rank by the reward, prefer the better.

Habits of TRL 1.12 behind these choices: it tokenises prompt and text together, so pairs come as the tokens that were drawn;
its reference is loaded by name or its log probabilities are cached on disk, so they are given with the pairs; it knows no
temperature, so the logits of the head are divided by the writer's while it trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PrinterCallback

from copybandit.agents.trl_guard import cheap_collection, importing_trl, isolated_randomness, quiet_arguments
from copybandit.agents.tune import Task, Tuned, TuneUpdate
from copybandit.agents.tune_group import Batch, Learned, run_groups
from copybandit.agents.tune_journal import Journal
from copybandit.agents.tune_rollout import Bench, Scored
from copybandit.agents.tune_settings import DPOSettings
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_files import quiet_transformers
from copybandit.sim.types import Ints

with importing_trl():
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Rows of the preferred and the other text of m prompts, each of shape (m,)."""

    chosen: Ints
    rejected: Ints


def ranked(scored: Scored, group: int) -> Pairs:
    """Of each prompt's texts the best and the worst, the second best and second worst, and so on, where one earns more.

    A text that is empty or refused ranks below all others and is never preferred.
    """
    worth = np.where(scored.approved, scored.score, scored.score.min() - 1).reshape(-1, group)
    order = worth.argsort(1, kind="stable") + np.arange(len(worth))[:, None] * group
    rejected, chosen = (half.ravel() for half in (order[:, : group // 2], order[:, : -(group // 2) - 1 : -1]))
    by_row = worth.ravel()
    sound = (by_row[chosen] > by_row[rejected]) & scored.approved[chosen]
    return Pairs(chosen=chosen[sound], rejected=rejected[sound])


class _QuietDPOTrainer(DPOTrainer):
    """DPOTrainer on pairs of tokens that carry their reference log probabilities."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _send_telemetry(self) -> None:
        """Send nothing: what is tuned here is nobody else's business."""


def run_dpo(
    writer: CausalLM,
    task: Task,
    settings: DPOSettings,
    seed: int,
    out_dir: Path,
    on_update: Callable[[TuneUpdate], bool],
    clock: Callable[[], float],
) -> Tuned:
    """Run the loop; `copybandit.agents.tune.tune` says what each argument means."""
    with isolated_randomness(seed), quiet_transformers(), cheap_collection():
        bench = Bench(writer, task, settings, seed)
        schedule = bench.optimizer(settings.updates * settings.minibatches * settings.epochs)

        def prefer(batch: Batch) -> Learned:
            pairs = ranked(batch.scored, settings.group)
            if len(pairs.chosen):
                _prefer(bench, _dataset(bench, batch, pairs), settings, schedule, out_dir)
            return (("pairs", float(len(pairs.chosen))),)

        return run_groups(bench, settings, Journal(settings, out_dir, on_update, clock), prefer)


def _dataset(bench: Bench, batch: Batch, pairs: Pairs) -> Dataset:
    return Dataset.from_dict(
        {
            "prompt_ids": [bench.heads[cell] for cell in batch.cells[pairs.chosen]],
            "chosen_ids": [batch.answers[row] for row in pairs.chosen],
            "rejected_ids": [batch.answers[row] for row in pairs.rejected],
            "ref_chosen_logps": batch.untuned[pairs.chosen],
            "ref_rejected_logps": batch.untuned[pairs.rejected],
        }
    )


def _prefer(bench: Bench, pairs: Dataset, settings: DPOSettings, schedule: Any, out_dir: Path) -> None:
    """The steps of one batch; optimizer and learning rate go on where the batch before left them."""
    model = bench.tuned.model
    with tempered_head(model, bench.tuned.temperature):
        trainer = _QuietDPOTrainer(
            model=model,
            args=_arguments(settings, bench, len(pairs), out_dir),
            train_dataset=pairs,
            processing_class=bench.tuned.tokenizer,
            optimizers=schedule,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    model.eval()


@contextmanager
def tempered_head(model: Any, temperature: float) -> Iterator[None]:
    """Let `model` give logits that are divided by a temperature, inside the block."""

    def divided(module: Any, args: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits / temperature

    hook = model.get_output_embeddings().register_forward_hook(divided)
    try:
        yield
    finally:
        hook.remove()


def _arguments(settings: DPOSettings, bench: Bench, pairs: int, out_dir: Path) -> DPOConfig:
    with quiet_arguments():
        return DPOConfig(
            output_dir=str(out_dir),
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=-(-pairs // settings.minibatches),
            beta=settings.beta,
            precompute_ref_log_probs=True,
            max_length=None,
            learning_rate=settings.learning_rate,
            max_grad_norm=settings.max_grad_norm,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            use_cpu=bench.tuned.device.type == "cpu",
            bf16=False,
            gradient_checkpointing=False,
            seed=int(bench.rng.integers(2**32)),
        )
