"""The conformance checks of the environments: Gymnasium's rules, seeds, and a row of the vector = the single one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import check_env

from copybandit.envs.copy_selection import CopySelectionEnv
from copybandit.envs.copy_selection_vector import CopySelectionVectorEnv
from copybandit.envs.copy_writing import CopyWritingEnv
from copybandit.envs.copy_writing_vector import CopyWritingVectorEnv
from copybandit.sim.desk import Desk
from copybandit.sim.season import Season
from copybandit.sim.types import DataError


def check_copy_selection(season: Season, *, n: int = 4, steps: int = 40, seed: int = 0) -> None:
    """Check environments over a season, which is not changed.

    Gymnasium's own checker shows any column, so it runs only where no copy is absent.

    Args:
        season: shop, effects and calendar.
        n: rows that live as single environments and as a vector.
        steps: of each.
        seed: of row 0 and of the columns shown.

    Raises:
        DataError: the single environment differs from its row.
        AssertionError: Gymnasium finds a broken rule; its warnings are errors here.
    """
    if not season.gaps:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(CopySelectionEnv(season), skip_render_check=True)
    many, rng = CopySelectionVectorEnv(n, season), np.random.default_rng(seed)
    singles = [CopySelectionEnv(season) for _ in range(n)]
    seen, _ = many.reset(seed=seed)
    alone = [env.reset(seed=seed + row)[0] for row, env in enumerate(singles)]
    over = np.zeros(n, dtype=np.bool_)
    for step in range(steps):
        _compare(step, seen, alone)
        column = np.where(seen["action_mask"], rng.random(seen["action_mask"].shape), -1.0).argmax(axis=1)
        ended = over
        seen, _, left, truncated, _ = many.step(column)
        over = left | truncated
        alone = [
            env.reset()[0] if ended[row] else env.step(column[row])[0] for row, env in enumerate(singles)
        ]


def check_copy_writing(desk: Desk, *, n: int = 4, steps: int = 20, seed: int = 0) -> None:
    """Check writing environments over a desk.

    Args:
        desk: briefs and score.
        n: rows that live as single environments and as a vector; texts are random or the reference copy.
        steps: of each.
        seed: of row 0 and of the texts.

    Raises:
        DataError: reference copy does not earn 0, or the single environment differs from its row.
        AssertionError: Gymnasium finds a broken rule; its warnings are errors here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(CopyWritingEnv(desk), skip_render_check=True)
    many, rng, singles = CopyWritingVectorEnv(n, desk), np.random.default_rng(seed), []
    seen, infos = many.reset(seed=seed)
    singles = [CopyWritingEnv(desk) for _ in range(n)]
    alone = [env.reset(seed=seed + row)[0] for row, env in enumerate(singles)]
    many.single_action_space.seed(seed)
    for step in range(steps):
        _compare(step, seen, alone)
        same = rng.random(n) < 0.5
        texts = [
            infos["reference"][row] if same[row] else many.single_action_space.sample() for row in range(n)
        ]
        seen, reward, _, _, infos = many.step(texts)
        own = np.array([env.step(text)[1] for env, text in zip(singles, texts, strict=True)])
        if not np.allclose(own, reward, atol=1e-9) or not np.allclose(own[same], 0, atol=1e-9):
            raise DataError(
                f"step {step}: rewards must equal the vector's {reward.tolist()}, and 0 for reference copy, got "
                f"{own.tolist()}; score each text by itself"
            )
        alone = [env.reset()[0] for env in singles]


def _compare(step: int, seen: dict[str, Any], alone: Sequence[dict[str, Any]]) -> None:
    """Refuse a single environment that differs from its row."""
    for name, values in seen.items():
        for row, own in enumerate(alone):
            if not np.array_equal(values[row], own[name]):
                raise DataError(
                    f"environment {row}, step {step}: {name} must equal the vector's {values[row].tolist()}, "
                    f"got {own[name].tolist()}; key every draw by environment and number"
                )
