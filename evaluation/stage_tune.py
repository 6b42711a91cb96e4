"""Tune the writer by PPO on the fitted world; the select split picks the run and its step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from copybandit.agents.ppo import PPOSettings, PPOUpdate, tune_ppo
from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.settings import TuneSettings
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import Floats

if TYPE_CHECKING:
    from copybandit.agents.reward_seam import RewardFn

CHECKPOINTS = 4
"""Steps of a run among which the select split chooses."""
SELECT_CELLS = 256
RESTART_STRIDE = 10_000
"""Between the seeds of the runs of PPO that stand behind one tuning seed."""


@dataclass(frozen=True, kw_only=True)
class SelectRow:
    """Select-split reward of one step of one run of PPO; update 0 is the writer before tuning."""

    seed: int
    restart: int
    update: int
    reward: float


def tune_seed(
    writer: CausalLM,
    fit: CellReward,
    select: CellReward,
    settings: TuneSettings,
    seed: int,
    out: Path,
    on_update: Callable[[int, PPOUpdate], bool],
) -> list[SelectRow]:
    """Tune one seed, by as many runs of PPO as there are restarts, and save the step that the select split likes best.

    Args:
        writer: the SFT writer; it stays as it is.
        fit: the fitted world's reward in the cells that PPO sees.
        select: the same in the cells that choose the run and the step.
        settings: of the run.
        seed: of this tuning; the runs' own seeds follow from it.
        out: receives the chosen writer under `writer`.
        on_update: told the restart and every update of it; False stops.
    """
    prompts, reward = _distinct_prompts(fit)
    start = SelectRow(seed=seed, restart=0, update=0, reward=select_reward(writer, select, seed))
    rows, best = [start], None
    for restart in range(settings.restarts):
        steps = _run(writer, prompts, reward, settings, seed, restart, out, partial(on_update, restart))
        for step, candidate in steps:
            row = SelectRow(
                seed=seed, restart=restart, update=step, reward=select_reward(candidate, select, seed)
            )
            rows.append(row)
            if best is None or row.reward >= best[0]:
                best = row.reward, candidate
    assert best is not None
    best[1].save(out / "writer")
    return rows


def _run(
    writer: CausalLM,
    prompts: list[str],
    reward: RewardFn,
    settings: TuneSettings,
    seed: int,
    restart: int,
    out: Path,
    on_update: Callable[[PPOUpdate], bool],
) -> list[tuple[int, CausalLM]]:
    """One run of PPO: its steps to choose from, in order, the last one included."""
    updates = -(-settings.episodes // settings.batch_size)
    result = tune_ppo(
        writer,
        prompts,
        reward,
        _options(settings, updates),
        seed + RESTART_STRIDE * restart,
        out / f"ppo-{restart}",
        on_update,
    )
    saved = [(step, CausalLM.load(str(path))) for step, path in result.checkpoints if step != updates]
    return [*saved, (updates, result.writer)]


def _options(settings: TuneSettings, updates: int) -> PPOSettings:
    return PPOSettings(
        episodes=settings.episodes,
        batch_size=settings.batch_size,
        minibatches=settings.minibatches,
        ppo_epochs=settings.ppo_epochs,
        learning_rate=settings.learning_rate,
        critic_learning_rate=settings.critic_learning_rate,
        reference_samples=settings.reference_samples,
        target_kl=settings.kl_target,
        kl_coef=settings.kl_coef,
        kl_anneal=settings.kl_anneal,
        checkpoint_every=max(1, updates // CHECKPOINTS),
        tensorboard=True,
    )


def _distinct_prompts(reward: CellReward) -> tuple[list[str], RewardFn]:
    """The first cell of each prompt, and the reward of those: cells of one prompt would be told apart by nothing."""
    prompts = [field_prompt(brief) for brief in reward.cells.briefs]
    first = np.sort(np.unique(prompts, return_index=True)[1])
    return [prompts[row] for row in first], lambda index, texts: reward(first[index], texts)


def select_reward(writer: CausalLM, reward: CellReward, seed: int) -> float:
    """Mean reward of one text per cell on a fixed draw of the reward's cells."""
    rng, briefs = np.random.default_rng([seed, 77]), reward.cells.briefs
    rows = np.sort(rng.permutation(len(briefs))[:SELECT_CELLS])
    proposals = writer.propose([briefs[row] for row in rows], 1, rng)
    total: Floats = reward(rows, [variants[0].text for variants in proposals]).total
    return float(total.mean())
