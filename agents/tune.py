"""One interface to every way of tuning a writer: the same task, budget and seeds in, the same records out.

    ppo         reward - price * KL, by clipped policy gradient with a critic         copybandit.agents.ppo
    grpo        the same objective; the mean of a prompt's texts stands for the critic  copybandit.agents.tune_grpo
    dpo         pairs of the writer's own texts, ranked by the reward                   copybandit.agents.tune_dpo
    best-of-n   maximum likelihood on the best of the writer's own texts (RAFT)         copybandit.agents.tune_best_of_n
    gan         a discriminator's verdict and the reward                                copybandit.agents.tune_gan

Which one runs follows from the settings' type. This file imports neither torch nor TRL until called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from copybandit.agents.ppo import PPOSettings, PPOUpdate, tune_ppo
from copybandit.agents.tunable import check_tunable
from copybandit.agents.tune_settings import (
    BestOfNSettings,
    DPOSettings,
    GANTuneSettings,
    GRPOSettings,
    TunerSettings,
)

if TYPE_CHECKING:
    from copybandit.agents.reward_seam import RewardFn
    from copybandit.generators.lm import CausalLM

Algorithm = Literal["ppo", "grpo", "dpo", "best-of-n", "gan"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
STOPPED = "stopped by the caller"
REASONS = {"episodes": "", "on_update": STOPPED, "max_kl": "KL to the untuned writer passed max_kl"}
Settings = PPOSettings | GRPOSettings | DPOSettings | BestOfNSettings | GANTuneSettings


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a writer is tuned to do.

    Attributes:
        prompts: field prompts, all different.
        reward: the seam, see `copybandit.agents.reward_seam`.
        real: approved copy that people wrote, as index of a prompt and text; only the GAN reads it.
    """

    prompts: Sequence[str]
    reward: RewardFn
    real: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, kw_only=True)
class TuneUpdate:
    """One update, measured on the batch it learned from, before its steps.

    Attributes:
        update: 1 is the first.
        episodes: texts written so far, those before the first update not counted.
        reward: mean raw reward.
        components: mean of each named part of the reward.
        costs: mean of each named constraint cost.
        kl: KL to the untuned writer, nats per text, estimated as the mean log ratio.
        entropy: nats per text, estimated as the mean negative log probability.
        length: tokens per text, the end included.
        ended: share of texts that ended by themselves.
        seconds: wall time.
        more: what only this algorithm has, by name.
    """

    update: int
    episodes: int
    reward: float
    components: tuple[tuple[str, float], ...]
    costs: tuple[tuple[str, float], ...]
    kl: float
    entropy: float
    length: float
    ended: float
    seconds: float
    more: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A tuned writer and how it came about.

    Attributes:
        writer: as it was after the last update.
        updates: one record per update.
        checkpoints: (update, folder) of each saved writer.
        calls: texts written to be scored, those before the first update too; the reward is asked about all but empty ones.
        stopped: why tuning ended early; empty where it did not.
    """

    writer: CausalLM
    updates: tuple[TuneUpdate, ...]
    checkpoints: tuple[tuple[int, Path], ...]
    calls: int
    stopped: str


def tune(
    writer: CausalLM,
    task: Task,
    settings: Settings,
    seed: int,
    out_dir: Path | str,
    on_update: Callable[[TuneUpdate], bool] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    resume: bool = False,
) -> Tuned:
    """Tune a copy of `writer`; `writer` itself stays as it is.

    Args:
        writer: starting point and reference; its temperature is the one tuned and to be served at.
        task: prompts, reward and, for the GAN, real copy.
        settings: of the algorithm to use.
        seed: same seed, same settings, same thread count: same weights.
        out_dir: receives a folder `update-NNNN` for each saved writer.
        on_update: told each update, whose writer is saved by then if it is to be; returning False ends tuning.
        clock: seconds, for `TuneUpdate.seconds`.
        resume: go on from the state that an interrupted run left in `out_dir`, where the algorithm keeps one (ppo); the
            others begin again and come to the same weights.

    Raises:
        DataError: a writer with an adapter, too few prompts, temperature 0, an unfit tokenizer or TRL, a reward that is not
            finite, a policy that diverged, or, for the GAN, real copy of fewer than two products.
    """
    on_update = on_update or _go_on
    if isinstance(settings, PPOSettings):
        return _ppo(writer, task, settings, seed, Path(out_dir), on_update, clock, resume)
    check_tunable(settings.algorithm, writer, len(task.prompts), settings.prompts_per_update)
    return _runner(settings)(writer, task, settings, seed, Path(out_dir), on_update, clock)


def _runner(settings: TunerSettings) -> Callable[..., Tuned]:
    """The loop of an algorithm; torch and TRL take seconds to import, so only its own module is loaded."""
    if isinstance(settings, GRPOSettings):
        from copybandit.agents.tune_grpo import run_grpo

        return run_grpo
    if isinstance(settings, DPOSettings):
        from copybandit.agents.tune_dpo import run_dpo

        return run_dpo
    if isinstance(settings, BestOfNSettings):
        from copybandit.agents.tune_best_of_n import run_best_of_n

        return run_best_of_n
    from copybandit.agents.tune_gan import run_gan_tuner

    return run_gan_tuner


def _ppo(
    writer: CausalLM,
    task: Task,
    settings: PPOSettings,
    seed: int,
    out_dir: Path,
    on_update: Callable[[TuneUpdate], bool],
    clock: Callable[[], float],
    resume: bool,
) -> Tuned:
    result = tune_ppo(
        writer,
        task.prompts,
        task.reward,
        settings,
        seed,
        out_dir,
        lambda update: on_update(of_ppo(update)),
        clock,
        resume,
    )
    return Tuned(
        writer=result.writer,
        updates=tuple(map(of_ppo, result.updates)),
        checkpoints=result.checkpoints,
        calls=settings.reference_samples + result.updates[-1].episodes,
        stopped=REASONS[result.ended_by],
    )


def of_ppo(update: PPOUpdate) -> TuneUpdate:
    """PPO's record as one of all algorithms: what only PPO has goes to `more`."""
    own = {field.name: getattr(update, field.name) for field in fields(update)}
    shared = {field.name: own.pop(field.name) for field in fields(TuneUpdate) if field.name in own}
    more: list[tuple[str, float]] = []
    for name, value in own.items():
        if isinstance(value, tuple):
            more += [(f"{name}/{part}", number) for part, number in value]
        elif isinstance(value, int | float):
            more.append((name, value))
    return TuneUpdate(**{"costs": (), **shared, "more": tuple(more)})


def _go_on(update: TuneUpdate) -> bool:
    return True
