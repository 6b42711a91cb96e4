"""Tune a writer by PPO: its settings, its records and the one function that runs it.

Per update: draw a batch of prompts, write one answer each, score them, estimate advantages (GAE), and take
clipped steps on  reward - kl_coef * KL(policy || untuned writer).  TRL's PPOTrainer does the arithmetic
(`copybandit.agents.ppo_trainer` mends what it lacks); this file imports neither torch nor TRL until called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from copybandit.agents.constraints import check_limits
from copybandit.agents.kl_price import KLPrice
from copybandit.agents.tunable import check_numbers, check_tunable
from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from copybandit.agents.reward_scale import RewardScale
    from copybandit.agents.reward_seam import RewardFn
    from copybandit.generators.lm import CausalLM

EndedBy = Literal["episodes", "on_update", "max_kl"]
TRL_OPTIONS = ("cliprange", "cliprange_value", "gamma", "kl_estimator", "vf_coef", "whiten_rewards")
"""Options that reach TRL's PPOConfig untouched."""


@dataclass(frozen=True, kw_only=True)
class PPOSettings:
    """How long and how hard to tune.

    Attributes:
        episodes: answers written in all; rounded up to whole batches.
        batch_size: answers per update.
        minibatches: optimizer steps per pass over a batch.
        ppo_epochs: passes over each batch.
        learning_rate: of the policy, annealed linearly to 0 (about 10 times higher with LoRA).
        critic_learning_rate: of the critic, annealed likewise.
        kl_coef: price of one nat of KL to the untuned writer, in sd of the reward, once annealed.
        kl_anneal: how many times dearer KL is at first; 1 leaves the price as it is.
        kl_anneal_share: share of the updates in which the price falls to `kl_coef`.
        target_kl: nats per answer; when given, a limit on the mean KL, whose multiplier is added to the price (see
            `copybandit.agents.kl_price`).
        max_kl: nats per answer; when given, tuning ends at the first update that finds KL to the untuned writer above it.
        stop_kl: nats per token; when given, an update makes no further pass over its batch once a pass has found the policy
            further than this from the one that wrote the batch (as in CleanRL; .01 to .02 is usual).
        limits: most that the mean of each named cost of the reward may be, in the cost's unit; see
            `copybandit.agents.constraints`. Multipliers begin at 0, so a limit that is kept costs nothing.
        multiplier_rate: most that dual ascent adds to a multiplier in one update, in sd of the reward per sd of the cost.
        multiplier_cap: most that a multiplier may become.
        gae_lambda: of generalised advantage estimation. Copy is paid once, at its end, for a turn it mostly takes with
            its first words; at 1 they get their full share of it, at TRL's .95 about half.
        max_grad_norm: gradients of policy and critic are clipped to this norm, each on its own.
        reward_clip: in sd.
        missing_eos_penalty: in sd, for an answer that did not end by itself.
        reference_samples: answers of the untuned writer that fix the reward's mean and sd, and that the critic learns from.
        critic_hidden: width of the critic.
        critic_epochs: passes of the critic over the reference samples before the first update.
        lora_rank: tune low-rank adapters instead of all weights; the reference is then the same model without them.
        precision: what is multiplied is rounded to it; weights, sums and the optimizer stay in float32. bfloat16 wants a
            processor that multiplies it, and is then two to three times as fast.
        checkpoint_every: updates between saved writers (all are kept) and saved states of the run (the newest two are
            kept); None saves none, but for the state of a run that is interrupted.
        tensorboard: also write TensorBoard events to the output folder.
        trl: options handed to TRL untouched, see `TRL_OPTIONS`.
    """

    episodes: int = 4096
    batch_size: int = 64
    minibatches: int = 2
    ppo_epochs: int = 2
    learning_rate: float = 1e-4
    critic_learning_rate: float = 1e-2
    kl_coef: float = 0.05
    kl_anneal: float = 1.0
    kl_anneal_share: float = 0.6
    target_kl: float | None = None
    max_kl: float | None = None
    stop_kl: float | None = None
    limits: tuple[tuple[str, float], ...] = ()
    multiplier_rate: float = 0.1
    multiplier_cap: float = 10.0
    gae_lambda: float = 1.0
    max_grad_norm: float = 1.0
    reward_clip: float = 5.0
    missing_eos_penalty: float = 1.0
    reference_samples: int = 256
    critic_hidden: int = 64
    critic_epochs: int = 6
    lora_rank: int | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: int | None = None
    tensorboard: bool = False
    trl: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = ("episodes", "batch_size", "minibatches", "ppo_epochs", "reference_samples", "critic_hidden")
        for name in counts:
            if getattr(self, name) < 1:
                raise DataError(f"ppo: {name} must be >= 1, got {getattr(self, name)}; raise it")
        rates = (self.learning_rate, self.critic_learning_rate)
        check_numbers("ppo", rates, self.reward_clip, self.checkpoint_every, self.lora_rank)
        if not self.kl_coef >= 0:
            raise DataError(f"ppo: kl_coef must be >= 0, got {self.kl_coef}; 0 lets KL cost nothing")
        if self.kl_anneal < 1 or not 0 <= self.kl_anneal_share <= 1:
            raise DataError(
                f"ppo: kl_anneal must be >= 1 and kl_anneal_share in [0, 1], got {self.kl_anneal} and "
                f"{self.kl_anneal_share}; 1 keeps the price as it is"
            )
        for name in ("target_kl", "max_kl", "stop_kl"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise DataError(f"ppo: {name} must be above 0, got {value}; leave it out to set none")
        check_limits("ppo", self.limits, self.multiplier_rate, self.multiplier_cap)
        if self.critic_epochs < 0:
            raise DataError(f"ppo: critic_epochs must be >= 0, got {self.critic_epochs}; 0 skips the warm-up")
        if self.precision not in ("float32", "bfloat16"):
            raise DataError(f"ppo: precision must be float32 or bfloat16, got {self.precision!r}; choose one")
        if self.batch_size % self.minibatches:
            raise DataError(
                f"ppo: batch_size must be a multiple of minibatches, got {self.batch_size} and "
                f"{self.minibatches}; change one of them"
            )
        if unknown := set(self.trl) - set(TRL_OPTIONS):
            raise DataError(
                f"ppo: unknown trl options {sorted(unknown)}; allowed are {', '.join(TRL_OPTIONS)}"
            )

    @property
    def updates(self) -> int:
        """Batches written in all."""
        return -(-self.episodes // self.batch_size)

    def price(self) -> KLPrice:
        """Of KL, before the first update."""
        annealed = self.kl_anneal_share * self.updates
        return KLPrice.of(self.kl_coef, self.kl_anneal, annealed, self.target_kl)


@dataclass(frozen=True, kw_only=True)
class PPOUpdate:
    """One update, measured on the batch it learned from, before its steps.

    Attributes:
        update: 1 is the first.
        episodes: answers written so far.
        reward: mean raw reward.
        components: mean of each named part of the reward.
        kl: KL to the untuned writer, nats per answer, estimated as the mean log ratio.
        entropy: nats per answer, estimated as the mean negative log probability.
        length: tokens per answer, the end included.
        ended: share of answers that ended by themselves.
        kl_coef: price of KL in this update.
        ratio: mean probability ratio over the answer tokens of the update's steps; 1 at learning rate 0.
        clip_fraction: share of answer tokens whose ratio was outside the clip range, over the update's steps.
        seconds: wall time of the update.
        approx_kl: how far the policy has moved from the one that wrote the batch, nats per answer token, over the last pass:
            mean of ratio - 1 - log ratio (Schulman's k3), each minibatch before its step.
        passes: passes made over the batch; fewer than `ppo_epochs` where `stop_kl` ended them.
        costs: mean of each named cost.
        multipliers: of each limit, in this update.
    """

    update: int
    episodes: int
    reward: float
    components: tuple[tuple[str, float], ...]
    kl: float
    entropy: float
    length: float
    ended: float
    kl_coef: float
    ratio: float
    clip_fraction: float
    seconds: float
    approx_kl: float = 0.0
    passes: int = 0
    costs: tuple[tuple[str, float], ...] = ()
    multipliers: tuple[tuple[str, float], ...] = ()

    @property
    def episodes_per_s(self) -> float:
        """Answers of this update per second of it."""
        return self.episodes / self.update / max(self.seconds, 1e-9)


@dataclass(frozen=True, kw_only=True)
class TuneResult:
    """A tuned writer and how it came about.

    Attributes:
        writer: the policy after the last update.
        updates: one record per update.
        reward_scale: mean and sd the reward was standardised with.
        checkpoints: (update, folder) of each saved writer.
        ended_by: `episodes` when all were written, `on_update` when that ended tuning early, `max_kl` when KL passed it.
    """

    writer: CausalLM
    updates: tuple[PPOUpdate, ...]
    reward_scale: RewardScale
    checkpoints: tuple[tuple[int, Path], ...]
    ended_by: EndedBy = "episodes"

    @property
    def stopped(self) -> bool:
        """Whether tuning ended before all episodes were written."""
        return self.ended_by != "episodes"


def tune_ppo(
    writer: CausalLM,
    prompts: Sequence[str],
    reward: RewardFn,
    settings: PPOSettings,
    seed: int,
    out_dir: Path | str,
    on_update: Callable[[PPOUpdate], bool] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    resume: bool = False,
) -> TuneResult:
    """Tune a copy of `writer` to earn `reward`; `writer` itself stays as it is.

    Args:
        writer: starting point and reference; its temperature is the one tuned and to be served at.
        prompts: field prompts, all different, at least one batch of them.
        reward: the seam; called once per update with prompt indices and texts.
        settings: how long and how hard.
        seed: same seed, same settings, same thread count: same weights.
        out_dir: receives saved writers and states, and TensorBoard events, if asked for. States of an earlier run in it are
            removed once this one has saved its own.
        on_update: told each update; returning False ends tuning.
        clock: seconds, for `PPOUpdate.seconds`.
        resume: go on from the newest state in `out_dir`, to the same end, bit by bit, as a run never interrupted; start anew
            where there is none. `on_update` is first told the updates that were made before, and its answers to these are
            not asked for.

    The first Ctrl-C lets the update in work end, saves the state and raises `copybandit.agents.ppo_interrupt.Interrupted`,
    a KeyboardInterrupt that says where; the second stops at once, and what was saved before is there.

    Started by `accelerate launch` or `torch.distributed.run`, every process must call this with the same arguments. Batches
    are split over processes, and advantages, losses and constraints are those of the whole batch: with one minibatch per
    pass, an update on CPU is that of a single process up to rounding; with more, each process draws minibatches from its own
    rows, so they are others. Rewards are computed where a row is written, which only process 0 reports and saves.

    Raises:
        DataError: a writer with an adapter, fewer prompts than a batch, temperature 0, an unfit tokenizer or
            TRL, a reward that raises or is not finite, a policy that diverged, bfloat16 where it is not multiplied, or a
            state to resume from of another run.
        OSError: a writer or state could not be saved; the states before are kept.
    """
    check_tunable("ppo", writer, len(prompts), settings.batch_size)
    # Torch and TRL take seconds to import; a command that only reads settings must not wait for them.
    from copybandit.agents.ppo_quiet import Reporting
    from copybandit.agents.ppo_trainer import run_ppo

    report = Reporting(out_dir=Path(out_dir), on_update=on_update or _go_on, clock=clock)
    return run_ppo(writer, prompts, reward, settings, seed, report, resume=resume)


def _go_on(update: PPOUpdate) -> bool:
    return True
