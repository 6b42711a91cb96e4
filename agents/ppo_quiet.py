"""TRL's PPOTrainer with what it lacks: early stop, adaptive prices, states to resume from, records instead of prints.

Habits of TRL 1.12 behind these choices: `should_training_stop` is ignored; nothing can be resumed, and the critic is never
saved; a loader with fewer rows than a batch loops for ever. What had to be changed inside TRL's loop is in
`copybandit.agents.ppo_loop`.
"""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback

from copybandit.agents.ppo import EndedBy, PPOUpdate, TuneResult
from copybandit.agents.ppo_interrupt import Interrupted, Wish, patient_interrupt
from copybandit.agents.ppo_loop import Loop, mended_train
from copybandit.agents.ppo_order import PromptLoader, RowOrders
from copybandit.agents.ppo_parts import Parts, snapshot
from copybandit.agents.ppo_processes import decided, gathered, processes, rows_of
from copybandit.agents.ppo_state import Progress, StateFolder, state_tensors
from copybandit.agents.reward_seam import RewardBatch
from copybandit.agents.trl_guard import importing_trl
from copybandit.generators.lm import CausalLM
from copybandit.generators.sampling import left_pad
from copybandit.sim.types import DataError

with importing_trl():
    from trl.experimental.ppo import PPOConfig, PPOTrainer

GO_ON, INTERRUPT = 0, 1
ENDINGS: tuple[EndedBy, ...] = ("on_update", "max_kl")
"""What ends tuning early: the decision of these is their place plus 2."""


class _Stop(Exception):
    """Leaves TRL's loop, which does not look at its own stop flag."""


class _CountOn(TrainerCallback):
    """TRL's loop counts from 0; a resumed run goes on counting, for TensorBoard."""

    def __init__(self, done: int, batch_size: int) -> None:
        self._done, self._batch_size = done, batch_size

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:
        state.global_step, state.episode = self._done, self._done * self._batch_size
        state.max_steps += self._done


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """Where a run writes, whom it tells, and its clock."""

    out_dir: Path
    on_update: Callable[[PPOUpdate], bool]
    clock: Callable[[], float]


class QuietPPOTrainer(PPOTrainer):
    """PPOTrainer that keeps records instead of printing, and can be stopped and resumed."""

    args: PPOConfig

    def __init__(
        self,
        parts: Parts,
        report: Reporting,
        prompt_ids: list[list[int]],
        args: PPOConfig,
        states: StateFolder,
        begun: Progress,
    ) -> None:
        """Go on from `begun`; a run that has not begun has no updates in it."""
        settings, done = parts.settings, len(begun.updates)
        decay = torch.optim.lr_scheduler.LambdaLR(
            parts.optimizer, lambda step: max(0.0, 1 - (done + step) / settings.updates)
        )
        super().__init__(
            args=args,
            processing_class=parts.tuned.tokenizer,
            optimizers=(parts.optimizer, decay),
            callbacks=[_CountOn(done, settings.batch_size)],
            **_modules(parts, prompt_ids),
        )
        self.remove_callback(PrinterCallback)
        self.accelerator.print = lambda *_: None  # progress goes to `on_update`
        self.dataloader: Any = PromptLoader(
            prompt_ids,
            batch_size=settings.batch_size,
            seed=args.seed,
            pad_id=parts.tuned.pad_id,
            first=done + 1,
            rows=rows_of(settings.batch_size, settings.minibatches),
        )
        args.num_total_batches = settings.updates - done
        rows = settings.batch_size // processes()[1]
        orders = RowOrders(rows, args.seed, done * settings.ppo_epochs)
        self.loop = Loop(args, parts.tuned.pad_id, orders, settings.stop_kl)
        parts.reward.update, parts.reward.gather = done + 1, _from_all
        self.parts, self.report, self.states = parts, report, states
        self.updates, self.checkpoints = list(begun.updates), list(begun.checkpoints)
        self.price = begun.price
        self.ended_by: EndedBy = "episodes"
        self.wish = Wish()
        self.since = report.clock()

    def tune(self) -> None:
        """Run TRL's loop, mended, until all episodes are written or something ends it."""
        if self.updates and self._spent(self.updates[-1]):
            self.ended_by = "max_kl"
            return
        try:
            with patient_interrupt() as self.wish, warnings.catch_warnings():
                # TRL logs the variance of the ratio over steps, of which there may be one.
                warnings.filterwarnings("ignore", message=r"var\(\): degrees of freedom")
                mended_train(self.loop.mends())(self)
            if self.wish.asked:  # behind the last update
                raise KeyboardInterrupt
        except _Stop:
            self.callback_handler.on_train_end(self.args, self.state, self.control)
        except KeyboardInterrupt:
            raise Interrupted(len(self.updates), self.states.newest) from None

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Record one update, steer prices, save, ask whether to go on. TRL calls this once per update."""
        update = self._record(logs)
        self.updates.append(update)
        self._steer(update)
        first = processes()[0] == 0
        every = self.parts.settings.checkpoint_every
        due = bool(every) and update.update % (every or 1) == 0
        if due:
            self.checkpoints.append(update.update)
        if due and first:
            self._save_writer(update.update)
            self._save_state()
        if self.parts.settings.tensorboard:
            super().log({**logs, **_for_tensorboard(update)})
        decision = decided(self._decision(update) if first else GO_ON)
        if decision == INTERRUPT and first and not due:
            self._save_state()
        if decision == INTERRUPT:
            raise KeyboardInterrupt
        if decision != GO_ON and update.update < self.parts.settings.updates:
            self.ended_by = ENDINGS[decision - 2]
            raise _Stop
        self.since = self.report.clock()

    def _decision(self, update: PPOUpdate) -> int:
        wanted = self.report.on_update(update)
        if self.wish.asked:
            return INTERRUPT
        ends = (not wanted, self._spent(update))
        return ends.index(True) + 2 if any(ends) else GO_ON

    def _spent(self, update: PPOUpdate) -> bool:
        most = self.parts.settings.max_kl
        return most is not None and update.kl > most

    def _steer(self, update: PPOUpdate) -> None:
        """Set the price of KL and the multipliers of the next update."""
        settings, reward = self.parts.settings, self.parts.reward
        rate, cap = settings.multiplier_rate, settings.multiplier_cap
        self.price = self.price.after(update.kl, rate, cap)
        self.args.kl_coef = self.price.at(update.update + 1)
        # Where no text was written, there is nothing to judge limits by.
        excess = reward.last.excess if reward.last.texts else [0.0] * len(reward.constraints)
        reward.constraints = tuple(
            constraint.ascended(over, rate, cap)
            for constraint, over in zip(reward.constraints, excess, strict=True)
        )
        reward.update = update.update + 1
        self.loop.begin()

    def _record(self, logs: dict[str, float]) -> PPOUpdate:
        seen, number = self.parts.reward.last, len(self.updates) + 1
        kl = logs["objective/kl"]
        if not math.isfinite(kl) or not math.isfinite(logs["loss/policy_avg"]):
            raise DataError(
                f"ppo: policy diverged at update {number} (KL {kl}); lower learning_rate or raise kl_coef"
            )
        passes = self.loop.measures()
        return PPOUpdate(
            update=number,
            episodes=number * self.parts.settings.batch_size,
            reward=seen.reward,
            components=seen.components,
            kl=kl,
            entropy=self.loop.entropy(),
            length=seen.length,
            ended=seen.ended,
            kl_coef=self.args.kl_coef,
            ratio=float(np.mean([one.ratio for one in passes])),
            clip_fraction=float(np.mean([one.clip_fraction for one in passes])),
            seconds=self.report.clock() - self.since,
            approx_kl=passes[-1].approx_kl,
            passes=len(passes),
            costs=seen.costs,
            multipliers=tuple((one.name, one.multiplier) for one in self.parts.reward.constraints),
        )

    def writer_folder(self, update: int) -> Path:
        """Where the writer of an update is saved."""
        return self.report.out_dir / f"update-{update:04d}"

    def _save_writer(self, update: int) -> None:
        folder = self.writer_folder(update)
        shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
        with self.states.writing(folder):
            self.snapshot().save(folder)

    def _save_state(self) -> None:
        parts = self.parts
        progress = Progress(
            updates=tuple(self.updates),
            checkpoints=tuple(self.checkpoints),
            price=self.price,
            scale=parts.scale,
            constraints=parts.reward.constraints,
        )
        self.states.save(
            progress, state_tensors(parts.policy, parts.critic, parts.optimizer, parts.policy.generator)
        )

    def snapshot(self) -> CausalLM:
        """Return the policy as it is now, adapters merged, with weights of its own."""
        return snapshot(self.parts.tuned, self.parts.adapter)

    def result(self) -> TuneResult:
        """What came of it."""
        return TuneResult(
            writer=self.snapshot(),
            updates=tuple(self.updates),
            reward_scale=self.parts.scale,
            checkpoints=tuple((update, self.writer_folder(update)) for update in self.checkpoints),
            ended_by=self.ended_by,
        )


def _modules(parts: Parts, prompt_ids: list[list[int]]) -> dict[str, Any]:
    """What TRL trains with; its annotations ask for PreTrainedModel, any module of the right shape works."""
    pad_id, cpu = parts.tuned.pad_id, torch.device("cpu")
    return {
        "model": parts.policy,
        "ref_model": parts.reference,
        "reward_model": parts.reward,
        "value_model": parts.critic,
        "train_dataset": prompt_ids,
        "data_collator": lambda rows: {"input_ids": left_pad(rows, pad_id, cpu)[0]},
    }


def _for_tensorboard(update: PPOUpdate) -> dict[str, float]:
    """What TRL does not log, or averages over padding."""
    named = {"reward": update.components, "cost": update.costs, "multiplier": update.multipliers}
    return {
        "objective/reward": update.reward,
        "objective/entropy": update.entropy,
        "objective/length": update.length,
        "policy/approxkl_avg": update.approx_kl,
        "policy/clipfrac_avg": update.clip_fraction,
        "val/ratio": update.ratio,
        "episodes_per_s": update.episodes_per_s,
        **{f"{kind}/{name}": value for kind, parts in named.items() for name, value in parts},
    }


def _from_all(batch: RewardBatch) -> list[RewardBatch]:
    """This batch's parts in all processes; JSON, for nothing is pickled here."""
    if processes()[1] == 1:
        return [batch]
    return [msgspec.convert(json.loads(text), RewardBatch) for text in gathered(json.dumps(asdict(batch)))]
