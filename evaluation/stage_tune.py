"""Tune the writer by PPO on the fitted world, once per seed; the select split picks the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from copybandit.agents.ppo import PPOSettings, PPOUpdate, tune_ppo
from copybandit.evaluation.cells import CellReward, Cells
from copybandit.evaluation.settings import TuneSettings
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import Floats
from copybandit.sim.world import World

CHECKPOINTS = 4
"""Steps among which the select split chooses."""
SELECT_CELLS = 256


@dataclass(frozen=True, kw_only=True)
class SelectRow:
    """Select-split reward of one step of one seed; update 0 is the writer before tuning."""

    seed: int
    update: int
    reward: float


def tune_seed(
    writer: CausalLM,
    world: World,
    fit: Cells,
    select: Cells,
    settings: TuneSettings,
    seed: int,
    out: Path,
    on_update: Callable[[PPOUpdate], bool],
) -> list[SelectRow]:
    """Tune one seed and save the step that the select split likes best.

    Args:
        writer: the SFT writer; it stays as it is.
        world: the fitted world.
        fit: cells that PPO sees.
        select: cells that choose the step.
        settings: of the run.
        seed: of this run of PPO.
        out: receives the chosen writer under `writer`.
        on_update: told every update; False stops.
    """
    updates = -(-settings.episodes // settings.batch_size)
    options = PPOSettings(
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
    prompts = [field_prompt(brief) for brief in fit.briefs]
    reward = CellReward(world, fit)
    unique = _first_of_each(prompts)
    result = tune_ppo(
        writer,
        [prompts[row] for row in unique],
        lambda index, texts: reward(unique[index], texts),
        options,
        seed,
        out / "ppo",
        on_update,
    )
    steps: list[tuple[int, CausalLM]] = [(updates, result.writer)]
    steps += [(step, CausalLM.load(str(path))) for step, path in result.checkpoints if step != updates]
    judged = [(select_reward(candidate, world, select, seed), step, candidate) for step, candidate in steps]
    start = select_reward(writer, world, select, seed)
    best = max(judged, key=lambda row: (row[0], row[1]))
    best[2].save(out / "writer")
    rows = [SelectRow(seed=seed, update=step, reward=value) for value, step, _ in judged]
    return sorted([*rows, SelectRow(seed=seed, update=0, reward=start)], key=lambda row: row.update)


def _first_of_each(prompts: list[str]) -> np.ndarray:
    """Rows of the first occurrence of each prompt; two cells of one prompt would be told apart by nothing."""
    return np.sort(np.unique(prompts, return_index=True)[1])


def select_reward(writer: CausalLM, world: World, select: Cells, seed: int) -> float:
    """Mean reward of one text per cell on a fixed draw of select cells."""
    rng = np.random.default_rng([seed, 77])
    rows = np.sort(rng.permutation(len(select))[:SELECT_CELLS])
    proposals = writer.propose([select.briefs[row] for row in rows], 1, rng)
    total: Floats = CellReward(world, select)(rows, [variants[0].text for variants in proposals]).total
    return float(total.mean())
