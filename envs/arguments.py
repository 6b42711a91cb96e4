"""Arguments of the shop environments: which season they mean, and whether they can be used."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.drawn_shop import draw_storefront
from copybandit.sim.effects import Effects
from copybandit.sim.season import TICKS, Plan, Season
from copybandit.sim.storefront import Storefront
from copybandit.sim.types import DataError, Ints

Shop = Storefront | Season | int
RENDER_MODES = ("rgb_array", "ansi")
REWARDS = ("click", "conversion", "value")
_OPTIONS = ("shopper", "day")


def new_keys(rng: np.random.Generator, n: int) -> NDArray[np.uint64]:
    """Keys of the draws of n environments, shape (n,); all that is ever drawn from an environment's generator."""
    return rng.integers(2**63, size=n).astype(np.uint64)


@lru_cache(maxsize=8)
def drawn_season(seed: int, effects: Effects, plan: Plan) -> Season:
    """The season of the small shop drawn from a seed; environments share it."""
    return Season(draw_storefront(seed), effects, plan)


def season_of(shop: Shop, effects: Effects | None, plan: Plan | None) -> Season:
    """The season that the arguments of an environment ask for.

    Raises:
        DataError: the shop is something else, or a season comes with effects or a plan.
    """
    if isinstance(shop, Season):
        if effects is not None or plan is not None:
            raise DataError(
                "CopySelection: a Season has its effects and plan, got others beside it; give them to Season(...)"
            )
        return shop
    if isinstance(shop, Storefront):
        return Season(shop, effects or Effects(), plan or Plan())
    if isinstance(shop, int) and shop >= 0:
        return drawn_season(shop, effects or Effects(), plan or Plan())
    raise DataError(
        f"CopySelection: shop must be a Storefront, a Season or a seed of at least 0, got {shop!r:.60}; "
        "see copybandit.sim.from_shop.storefront_of for one over a Shop"
    )


def check_arguments(num_envs: int, reward: str, render_mode: str | None) -> None:
    """Refuse arguments that no environment can serve.

    Raises:
        DataError: one is out of range.
    """
    if num_envs < 1 or reward not in REWARDS or render_mode not in (None, *RENDER_MODES):
        raise DataError(
            f"CopySelection: num_envs must be at least 1, reward in {REWARDS} and render_mode None or in "
            f"{RENDER_MODES}, got {num_envs}, {reward!r} and {render_mode!r}; correct them"
        )


def checked_columns(column: Any, n: int, k: int) -> Ints:
    """Actions as columns, shape (n,).

    Raises:
        DataError: they are not n whole numbers in [0, k).
    """
    found = np.asarray(column)
    if found.shape != (n,) or found.dtype.kind not in "iu":
        raise DataError(
            f"CopySelection: actions must be whole numbers of shape ({n},), got {found.dtype} of "
            f"shape {found.shape}; use action_space.sample()"
        )
    found = found.astype(np.int64, copy=False)
    if (found.view(np.uint64) >= k).any():
        raise DataError(
            f"CopySelection: actions must be in [0, {k}), got {found.min()} to {found.max()}; correct them"
        )
    return found


def starts(options: Mapping[str, Any], season: Season, m: int) -> tuple[Ints | None, Ints | None]:
    """Shoppers and ticks that reset options ask for, shape (m,), or None where left to chance.

    Raises:
        DataError: an option is unknown or out of range.
    """
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise DataError(
            f"CopySelection: unknown reset option {unknown[0]!r}; choose from {', '.join(_OPTIONS)}"
        )
    top = {"shopper": len(season.examine) - 1, "day": season.plan.days}
    unit = {"shopper": 1, "day": TICKS}
    found: dict[str, Ints] = {}
    for name, value in options.items():
        array = np.asarray(value, dtype=np.float64)
        if array.shape not in ((), (m,)) or not ((array >= 0) & (array <= top[name])).all():
            raise DataError(
                f"CopySelection: {name} must be one number or {m} in [0, {top[name]:g}], got "
                f"{array.ravel()[:3].tolist()} of shape {array.shape}; correct it"
            )
        found[name] = np.broadcast_to(array * unit[name], (m,)).astype(np.int64)
    return found.get("shopper"), found.get("day")
