"""What the tests of the copy-selection environments share: seasons, comparisons, and lives lived side by side."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from copybandit.envs.copy_selection import CopySelectionEnv
from copybandit.sim.crowd import Answer, Crowd
from copybandit.sim.drawn_shop import draw_storefront
from copybandit.sim.effects import Effects
from copybandit.sim.season import Plan, Season
from copybandit.sim.storefront import Storefront


@cache
def front(gaps: bool = False) -> Storefront:
    """A small drawn shop, some copies absent."""
    drawn = draw_storefront(3, n_shoppers=300, n_products=12, k=5, d=4)
    if not gaps:
        return drawn
    present = np.random.default_rng(0).random(drawn.present.shape) < 0.6
    present[:, 3] = True
    return replace(drawn, present=present)


@cache
def lively(gaps: bool = False, table_limit: int = 2**28) -> Season:
    """Every effect on, and much of it, so that a few hundred steps see all there is."""
    effects = Effects(
        no_click=0.5, attention="cascade", walk=0.2, shift=1.0, shift_day=6.0, leave=0.05, buy_base=1.0
    )
    plan = Plan(visits=12, days=14.0, days_between_visits=0.75)
    return Season(front(gaps), effects, plan, table_limit)


def assert_equal(left: Any, right: Any, where: str = "") -> None:
    """The same structure, types of arrays, and numbers bit for bit."""
    if isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for name in left:
            assert_equal(left[name], right[name], f"{where}/{name}")
        return
    left, right = np.asarray(left), np.asarray(right)
    assert left.shape == right.shape and left.dtype == right.dtype, (where, left.dtype, right.dtype)
    if left.dtype == object:
        for row, (mine, other) in enumerate(zip(left, right, strict=True)):
            assert (mine is None) == (other is None), where
            if mine is not None:
                assert_equal(mine, other, f"{where}[{row}]")
    else:
        assert np.array_equal(left, right, equal_nan=False), where


def allowed(mask: Any, rng: np.random.Generator) -> Any:
    """A random column with a mask of 1 in each row."""
    return np.where(mask, rng.random(mask.shape), -1.0).argmax(axis=-1)


def episode(env: CopySelectionEnv, seed: int | None, rng: np.random.Generator, **options: Any) -> list[Any]:
    """One episode at random: the reset, then the steps."""
    rows: list[Any] = [env.reset(seed=seed, options=options)]
    seen, over = rows[0][0], False
    while not over:
        rows.append(env.step(allowed(seen["action_mask"], rng)))
        seen, over = rows[-1][0], rows[-1][2] or rows[-1][3]
    return rows


def stay(season: Season, n: int, steps: int, column: int | None = None) -> tuple[Crowd, list[Answer]]:
    """A crowd whose episodes go on for some steps whatever happens, shown one column or any."""
    crowd, rng, answers = Crowd(season, n), np.random.default_rng(1), []
    everybody = np.arange(n)
    crowd.seed(everybody, everybody.astype(np.uint64) + np.uint64(7))
    crowd.begin(everybody)
    crowd.arrive()
    k = season.cluster.shape[1]
    for _ in range(steps):
        shown = rng.integers(k, size=n) if column is None else np.full(n, column)
        answers.append(crowd.show(shown))
        crowd.arrive()
    return crowd, answers
