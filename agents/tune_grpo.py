"""TRL's GRPOTrainer on a programmatic reward, with the writer's own sampler and PPO's meaning of the price of KL.

Habits of TRL 1.12 behind these choices: its reference model is loaded anew from the name in the config, which no writer in
memory has; its forward pass gives left-padded rows no position ids; `generate` samples by whatever is left in a generation
config, so texts are drawn by `rollout_func`, from exactly the distribution that the loss divides by; k3 as a loss has not
the gradient of the reverse KL (mended by `use_bias_correction_kl`); a group's own sd makes the price of KL differ from
prompt to prompt, so advantages are in sd of the reference texts' reward.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PrinterCallback, TrainerCallback

from copybandit.agents.trl_guard import cheap_collection, importing_trl, isolated_randomness, quiet_arguments
from copybandit.agents.tune import Task, Tuned, TuneUpdate
from copybandit.agents.tune_journal import Journal, Told
from copybandit.agents.tune_rollout import Bench, Scored
from copybandit.agents.tune_settings import GRPOSettings
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_files import quiet_transformers
from copybandit.sim.types import Floats

with importing_trl():
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer


class _Each(TrainerCallback):
    """Tells each update, which is `steps` optimizer steps, and ends training when told to."""

    def __init__(self, steps: int, told: Callable[[], bool]) -> None:
        self._steps, self._told = steps, told

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self._steps == 0 and not self._told():
            control.should_training_stop = True


class _QuietGRPOTrainer(GRPOTrainer):
    """GRPOTrainer whose texts are the writer's own, whose reference is the untuned writer, and which keeps records."""

    def __init__(self, bench: Bench, settings: GRPOSettings, args: GRPOConfig, journal: Journal) -> None:
        self.bench, self.settings, self.journal = bench, settings, journal
        self.cells = {prompt: cell for cell, prompt in enumerate(bench.task.prompts)}
        self.last: tuple[Scored, tuple[Floats, Floats]] | None = None
        super().__init__(
            model=bench.tuned.model,
            reward_funcs=self._earned,
            args=args,
            train_dataset=Dataset.from_dict({"prompt": list(bench.task.prompts)}),
            processing_class=bench.tuned.tokenizer,
            optimizers=bench.optimizer(args.max_steps),
            callbacks=[_Each(settings.minibatches * settings.epochs, self._told)],
            rollout_func=self._written,
        )
        self.remove_callback(PrinterCallback)
        # Set only now: with a price in its arguments TRL would load a reference by name.
        self.ref_model = bench.untuned.model
        self.price = settings.price()
        self.beta = self.price.at(1)

    def _send_telemetry(self) -> None:
        """Send nothing: what is tuned here is nobody else's business."""

    def _written(self, prompts: list[str], _: Any) -> dict[str, Any]:
        """Texts of the writer's own sampler; the texts of a prompt stand side by side."""
        group = self.settings.group
        cells = np.array([self.cells[prompt] for prompt in prompts], np.int64)
        assert (cells.reshape(-1, group) == cells[::group, None]).all(), "a group has one prompt"
        answers = self.bench.write(cells[::group], group)
        return {
            "prompt_ids": [self.bench.heads[cell] for cell in cells],
            "completion_ids": answers,
            "logprobs": None,
        }

    def _earned(
        self, prompts: list[str], completions: Any, completion_ids: list[list[int]], **_: Any
    ) -> list[float | None]:
        """Standardised reward of each text, found by the row's own prompt."""
        cells = np.array([self.cells[prompt] for prompt in prompts], np.int64)
        self.scored = self.bench.score(cells, completion_ids)
        scores: list[float | None] = self.scored.score.tolist()
        return scores

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Keep how likely the texts were to the writer that wrote them and to the untuned one."""
        found: dict[str, Any] = super()._generate_and_score_completions(inputs)
        parts = [
            torch.cat([found[f"{part}_ids"], found[f"{part}_mask"]]) for part in ("prompt", "completion")
        ]
        ids, mask = torch.cat(parts, 1).chunk(2)
        keep = found["completion_ids"].shape[1]
        with torch.no_grad():
            for name, model in (("old", self.model), ("ref", self.ref_model)):
                if f"{name}_per_token_logps" not in found:  # TRL spares it where nothing divides by it
                    found[f"{name}_per_token_logps"], _, _ = self._get_per_token_logps_and_entropies(
                        model, ids, mask, keep, self.args.per_device_train_batch_size
                    )
        self.last = self.scored, (_summed(found, "old"), _summed(found, "ref"))
        return found

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **_: Any,
    ) -> tuple[Tensor, Tensor | None, None]:
        """Log probability of each answer token at the writer's temperature, shape (b, t), and the entropy there."""
        rows = batch_size or len(input_ids)
        found = [
            self._read(model, ids, mask, logits_to_keep, compute_entropy)
            for ids, mask in zip(torch.split(input_ids, rows), torch.split(attention_mask, rows), strict=True)
        ]
        entropy = torch.cat([part for _, part in found if part is not None]) if compute_entropy else None
        return torch.cat([part for part, _ in found]), entropy, None

    def _read(
        self, model: Any, ids: Tensor, mask: Tensor, keep: int, entropy: bool
    ) -> tuple[Tensor, Tensor | None]:
        mask = mask.long()
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            use_cache=False,
            logits_to_keep=keep + 1,
        ).logits[:, :-1]
        log_pmf = (logits.float() / self.temperature).log_softmax(-1)
        picked = log_pmf.gather(-1, ids[:, -keep:, None]).squeeze(-1)
        if not entropy:
            return picked, None
        seen = log_pmf.detach()
        return picked, -(seen.exp() * seen).sum(-1)

    def _told(self) -> bool:
        """Record an update, steer the price of KL, ask whether to go on."""
        assert self.last is not None
        clipped = self._metrics["train"].pop("clip_ratio/region_mean", [0.0])
        self._metrics["train"].clear()
        more = (("kl_coef", self.beta), ("clip_fraction", float(np.mean(clipped))))
        scored, (own, untuned) = self.last
        self.journal.tell(Told(scored=scored, own=own, untuned=untuned, more=more), self.bench.snapshot)
        update = self.journal.updates[-1]
        self.price = self.price.after(update.kl, self.settings.multiplier_rate, self.settings.multiplier_cap)
        self.beta = self.price.at(update.update + 1)
        return not self.journal.over


def _summed(found: dict[str, Any], name: str) -> Floats:
    """Log probability of each text, shape (b,)."""
    values: Floats = (
        (found[f"{name}_per_token_logps"] * found["completion_mask"]).double().sum(1).cpu().numpy()
    )
    return values


@contextmanager
def _quiet_rollouts() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are using 'rollout_func'")
        # TRL asks transformers 5.23 for an attribute by its old name.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        yield


def run_grpo(
    writer: CausalLM,
    task: Task,
    settings: GRPOSettings,
    seed: int,
    out_dir: Path,
    on_update: Callable[[TuneUpdate], bool],
    clock: Callable[[], float],
) -> Tuned:
    """Run TRL's loop; `copybandit.agents.tune.tune` says what each argument means."""
    with isolated_randomness(seed), quiet_transformers(), _quiet_rollouts(), cheap_collection():
        bench = Bench(writer, task, settings, seed)
        journal = Journal(settings, out_dir, on_update, clock)
        trainer = _QuietGRPOTrainer(bench, settings, _arguments(settings, writer, seed, out_dir), journal)
        trainer.train()
        bench.tuned.model.eval()
        return journal.found(bench.snapshot())


def _arguments(settings: GRPOSettings, writer: CausalLM, seed: int, out_dir: Path) -> GRPOConfig:
    with quiet_arguments():
        return GRPOConfig(
            output_dir=str(out_dir),
            max_steps=settings.updates * settings.minibatches * settings.epochs,
            per_device_train_batch_size=settings.batch_size // settings.minibatches,
            gradient_accumulation_steps=1,
            steps_per_generation=settings.minibatches,
            num_iterations=settings.epochs,
            num_generations=settings.group,
            max_completion_length=writer.max_new_tokens,
            temperature=writer.temperature,
            beta=0.0,
            use_bias_correction_kl=True,
            epsilon=settings.cliprange,
            loss_type="dapo",
            scale_rewards="none",
            learning_rate=settings.learning_rate,
            max_grad_norm=settings.max_grad_norm,
            remove_unused_columns=False,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            use_cpu=writer.device.type == "cpu",
            bf16=False,
            gradient_checkpointing=False,
            seed=seed % 2**32,
        )
