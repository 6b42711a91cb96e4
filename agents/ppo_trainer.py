"""TRL's PPOTrainer with what it lacks: gradient clipping, early stop, adaptive KL, two learning rates, quiet.

Habits of TRL 1.12 behind these choices: `max_grad_norm` is never used; `num_mini_batches` is inert unless
gradient accumulation is 1; `should_training_stop` is ignored; without `stop_token` every answer runs to full
length; a loader with fewer rows than a batch loops for ever; a batch of equal rewards is whitened into noise.
"""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback

from copybandit.agents.critic import Critic, warm_up
from copybandit.agents.lean_loop import lean_loop
from copybandit.agents.policy_module import PolicyModule, PromptWidth, Untuned
from copybandit.agents.ppo import PPOSettings, PPOUpdate, TuneResult
from copybandit.agents.ppo_parts import (
    Parts,
    ReferenceSample,
    make_optimizer,
    next_kl_coef,
    reference_sample,
    scheduled_kl_coef,
    with_adapter,
)
from copybandit.agents.readers import check_precision
from copybandit.agents.reward_seam import ProgrammaticReward, PromptIndex, RewardFn, RewardScale
from copybandit.agents.trl_guard import cheap_collection, importing_trl, isolated_randomness, quiet_arguments
from copybandit.generators.lm import CausalLM
from copybandit.generators.sampling import left_pad
from copybandit.sim.types import DataError

with importing_trl():
    from trl.experimental.ppo import PPOConfig, PPOTrainer


class _Stop(Exception):
    """Leaves TRL's loop, which does not look at its own stop flag."""


class _HonourStop(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:
        if control.should_training_stop and state.global_step < state.max_steps:
            raise _Stop


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """Where a run writes, whom it tells, and its clock."""

    out_dir: Path
    on_update: Callable[[PPOUpdate], bool]
    clock: Callable[[], float]


class QuietPPOTrainer(PPOTrainer):
    """PPOTrainer that keeps records instead of printing, and can be stopped."""

    args: PPOConfig

    def __init__(self, parts: Parts, report: Reporting, prompt_ids: list[list[int]], args: PPOConfig) -> None:
        pad_id = parts.tuned.pad_id
        cpu = torch.device("cpu")
        steps = parts.settings.updates
        decay = torch.optim.lr_scheduler.LambdaLR(parts.optimizer, lambda step: max(0.0, 1 - step / steps))
        # TRL's annotations ask for PreTrainedModel; any module of the right shape works.
        modules: dict[str, Any] = {
            "model": parts.policy,
            "ref_model": parts.reference,
            "reward_model": parts.reward,
            "value_model": parts.critic,
            "train_dataset": prompt_ids,
            "data_collator": lambda rows: {"input_ids": left_pad(rows, pad_id, cpu)[0]},
        }
        super().__init__(
            args=args,
            processing_class=parts.tuned.tokenizer,
            optimizers=(parts.optimizer, decay),
            callbacks=[_HonourStop()],
            **modules,
        )
        self.remove_callback(PrinterCallback)
        self.accelerator.print = _say_nothing
        self.parts = parts
        self.report = report
        self.updates: list[PPOUpdate] = []
        self.checkpoints: list[tuple[int, Path]] = []
        self.since = report.clock()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Record one update, steer `kl_coef`, save, ask whether to go on. TRL calls this once per update."""
        update = self._record(logs)
        self.updates.append(update)
        self.args.kl_coef = next_kl_coef(update.update, update.kl_coef, update.kl, self.parts.settings)
        every = self.parts.settings.checkpoint_every
        if every and update.update % every == 0:
            folder = self.report.out_dir / f"update-{update.update:04d}"
            shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
            self.checkpoints.append((update.update, self.snapshot().save(folder)))
        if not self.report.on_update(update):
            self.control.should_training_stop = True
        if self.parts.settings.tensorboard:
            super().log(logs)
        self.since = self.report.clock()

    def _record(self, logs: dict[str, float]) -> PPOUpdate:
        seen = self.parts.reward.last
        kl = logs["objective/kl"]
        if not math.isfinite(kl) or not math.isfinite(logs["loss/policy_avg"]):
            raise DataError(
                f"ppo: policy diverged at update {len(self.updates) + 1} (KL {kl}); lower learning_rate or "
                "raise kl_coef"
            )
        return PPOUpdate(
            update=len(self.updates) + 1,
            episodes=int(logs["episode"]),
            reward=seen.reward,
            components=seen.components,
            kl=kl,
            entropy=logs["objective/entropy"],
            length=seen.length,
            ended=seen.ended,
            kl_coef=self.args.kl_coef,
            ratio=logs["val/ratio"],
            clip_fraction=logs["policy/clipfrac_avg"],
            seconds=self.report.clock() - self.since,
        )

    def snapshot(self) -> CausalLM:
        """Return the policy as it is now, adapters merged, with weights of its own."""
        tuned, adapter = self.parts.tuned, self.parts.adapter
        if adapter is None:
            return tuned.clone(tuned.generator_id, lineage=tuned.lineage)
        writer = copy.copy(tuned)
        writer.model = copy.deepcopy(adapter).merge_and_unload().requires_grad_(True)
        return writer


def _say_nothing(*_: object) -> None:
    """Stand in for accelerate's print: progress goes to `on_update`."""


def _args(settings: PPOSettings, writer: CausalLM, seed: int, out_dir: Path) -> PPOConfig:
    with quiet_arguments():
        return PPOConfig(
            output_dir=str(out_dir),
            total_episodes=settings.episodes,
            per_device_train_batch_size=settings.batch_size,
            gradient_accumulation_steps=1,
            num_mini_batches=settings.minibatches,
            num_ppo_epochs=settings.ppo_epochs,
            local_rollout_forward_batch_size=settings.batch_size,
            response_length=writer.max_new_tokens,
            temperature=writer.temperature,
            stop_token="eos",
            missing_eos_penalty=None,  # the reward seam takes it, in units of the standardised reward
            kl_coef=scheduled_kl_coef(1, settings),
            lam=settings.gae_lambda,
            num_sample_generations=0,
            learning_rate=settings.learning_rate,
            bf16=False,
            use_cpu=writer.device.type == "cpu",
            seed=seed,
            save_strategy="no",
            eval_strategy="no",
            disable_tqdm=True,
            report_to=["tensorboard"] if settings.tensorboard else [],
            **settings.trl,
        )


def _assemble(
    writer: CausalLM,
    index: PromptIndex,
    reward: RewardFn,
    scale: RewardScale,
    settings: PPOSettings,
    seed: int,
) -> Parts:
    """Copy the writer, to tune, and again as the reference where no adapter can be switched off; build all around them."""
    tuned = writer.clone("ppo")
    tuned.model.requires_grad_(True)
    adapter = with_adapter(tuned.model, settings.lora_rank)
    options: dict[str, Any] = {
        "pad_id": writer.pad_id,
        "eos_id": writer.eos_id,
        "seed": seed,
        "width": PromptWidth(),
        "temperature": writer.temperature,
        "precision": settings.precision,
    }
    policy = PolicyModule(tuned.model, adapter=adapter, keep=settings.minibatches == 1, **options)
    frozen = tuned.model if adapter is not None else writer.clone("reference").model.requires_grad_(False)
    reference = Untuned(policy) if adapter is not None else PolicyModule(frozen, **options)
    critic = Critic(frozen.get_input_embeddings().weight, settings.critic_hidden).to(writer.device)
    scored = ProgrammaticReward(reward, index, writer.decode, writer.eos_id, scale)
    return Parts(
        settings=settings,
        tuned=tuned,
        adapter=adapter,
        policy=policy,
        reference=reference,
        critic=critic,
        reward=scored,
        optimizer=make_optimizer(policy, critic, scored, settings),
    )


def _warm_up(
    parts: Parts, prompt_ids: list[list[int]], sample: ReferenceSample, rng: np.random.Generator
) -> None:
    """Let the critic learn from the untuned writer's answers before the first update."""
    warm_up(
        parts.critic,
        [prompt_ids[cell] for cell in sample.prompt],
        parts.tuned.response_ids(sample.texts),
        sample.scores,
        epochs=parts.settings.critic_epochs if sample.texts else 0,
        learning_rate=parts.settings.critic_learning_rate,
        pad_id=parts.tuned.pad_id,
        rng=rng,
    )


def run_ppo(
    writer: CausalLM,
    prompts: Sequence[str],
    reward: RewardFn,
    settings: PPOSettings,
    seed: int,
    out_dir: Path,
    on_update: Callable[[PPOUpdate], bool],
    clock: Callable[[], float],
) -> TuneResult:
    """Run TRL's loop; `copybandit.agents.ppo.tune_ppo` says what each argument means."""
    check_precision(settings.precision, writer)
    prompt_ids = writer.prompt_ids(prompts)
    index = PromptIndex(prompt_ids)
    rng = np.random.default_rng(seed)
    sample = reference_sample(writer, prompts, reward, settings, rng)
    with isolated_randomness(seed), cheap_collection():
        parts = _assemble(writer, index, reward, sample.scale, settings, int(rng.integers(2**62)))
        _warm_up(parts, prompt_ids, sample, rng)
        report = Reporting(out_dir=out_dir, on_update=on_update, clock=clock)
        trainer = QuietPPOTrainer(parts, report, prompt_ids, _args(settings, writer, seed, out_dir))
        stopped = False
        try:
            with lean_loop():
                trainer.train()  # type: ignore[no-untyped-call]  # TRL leaves it without annotations
        except _Stop:
            stopped = True
        return TuneResult(
            writer=trainer.snapshot(),
            updates=tuple(trainer.updates),
            reward_scale=sample.scale,
            checkpoints=tuple(trainer.checkpoints),
            stopped=stopped,
        )
