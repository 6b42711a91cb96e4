"""The shop as a Gymnasium environment: one step is one visit of one shopper, one episode a run of visits.

The environment decides nothing of its own: every number comes from `copybandit.sim.shop.Shop`, whose draws are keyed by
(seed, shopper, visit), so stepping here gives the very clicks that a batch of shoppers gives there. Copy is chosen by
the column of its candidate; to score a text, use `World.encode` and `World.terms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from copybandit.sim.shop import Shop
from copybandit.sim.types import Bools, DataError, Floats
from copybandit.sim.visits import Visits

Observation = dict[str, NDArray[Any]]
FEATURE_LIMIT = 100.0
"""Features are clipped to this size, so that the spaces are finite."""
_OPTIONS = ("shopper", "shop_seed", "day")


class ShopEnv(gymnasium.Env[Observation, np.int64]):
    """A shopper comes back a number of times; the agent chooses which of k variants to show each time.

    An observation holds only what a shop may know (float32, but for the mask):

    - ``shopper``: shape (d,), the shop's estimate of the shopper's taste.
    - ``product``: shape (d,), the product's features in the same space.
    - ``context``: shape (1,), fitted interest of this shopper in this product.
    - ``candidates``: shape (k, q), features of the variants; 0 where absent.
    - ``state``: shape (k, 3), warm-start click probability, exposure stock, fitted match; 0 where absent.
    - ``position``: shape (1,), place on the page, 1 is the first.
    - ``time``: shape (1,), days since the start of the season.
    - ``action_mask``: shape (k,) int8, 1 where a candidate is present; it fits ``action_space.sample(mask)``.

    The reward is ``click + value_weight * value``; value is the price paid, 0 without a purchase. An episode is
    truncated after its last visit and never terminates. Facts stand in ``info``: ``shopper``, ``product``,
    ``candidates``, ``visit``, ``shop_seed``, ``day``; after a step also ``shown``, ``click``, ``conversion``, ``value``.

    Args:
        shop: worlds and assortment; it is copied, never changed.
        visits_per_episode: visits of the shopper before truncation.
        days_between_visits: days from one visit to the next.
        value_weight: reward per unit of money spent.
        oracle: also put the true click probabilities, shape (k,), into ``info["expected_click"]``.

    Raises:
        DataError: a number is out of range.
    """

    def __init__(
        self,
        shop: Shop,
        *,
        visits_per_episode: int = 8,
        days_between_visits: float = 0.25,
        value_weight: float = 0.0,
        oracle: bool = False,
    ) -> None:
        if visits_per_episode < 1 or not 0 <= days_between_visits < np.inf or not np.isfinite(value_weight):
            raise DataError(
                "ShopEnv: visits_per_episode must be at least 1, days_between_visits at least 0 and value_weight "
                f"finite, got {visits_per_episode}, {days_between_visits} and {value_weight}; correct them"
            )
        self._shop = shop.fresh(shop.seed)
        self._visits_per_episode, self._gap = visits_per_episode, days_between_visits
        self._value_weight, self._oracle = value_weight, oracle
        self._visit = visits_per_episode
        self._now: Visits | None = None
        self.action_space = spaces.Discrete(shop.goods.variants.shape[1])
        self.observation_space = self._space()

    def _space(self) -> spaces.Dict:
        k, q = self._shop.goods.variants.shape[1], self._shop.actions.shape[1]
        d = self._shop.fitted.taste.products.shape[1]
        last = self._shop.days + self._visits_per_episode * self._gap
        box = {"shopper": (d,), "product": (d,), "context": (1,), "candidates": (k, q), "state": (k, 3)}
        named: dict[str, spaces.Space[Any]] = {
            name: spaces.Box(-FEATURE_LIMIT, FEATURE_LIMIT, shape, np.float32) for name, shape in box.items()
        }
        named["position"] = spaces.Box(0.0, float(self._shop.positions), (1,), np.float32)
        # One day more than can be reached keeps the rounding to float32 inside.
        named["time"] = spaces.Box(0.0, last + 1.0, (1,), np.float32)
        named["action_mask"] = spaces.MultiBinary(k)
        return spaces.Dict(named)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin the episode of a rested shopper.

        Args:
            seed: reseeds the environment; the same seed gives the same episodes.
            options: ``shopper`` (index), ``shop_seed`` (key of the shop's draws) and ``day`` (of the first visit)
                replace what is otherwise drawn.

        Raises:
            DataError: an option is unknown or out of range.
        """
        super().reset(seed=seed)
        taste = self._shop.fitted.taste
        drawn: dict[str, Any] = {
            "shopper": int(self.np_random.integers(len(taste.shoppers))),
            "shop_seed": int(self.np_random.integers(2**32)),
            "day": float(self.np_random.uniform(0, self._shop.days)),
        }
        start = {**drawn, **self._checked(options or {})}
        self._shopper, self._day = int(start["shopper"]), float(start["day"])
        self._shop = self._shop.fresh(int(start["shop_seed"]))
        self._visit = 0
        return self._observe(), self._facts()

    def _checked(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        unknown = sorted(set(options) - set(_OPTIONS))
        if unknown:
            raise DataError(
                f"ShopEnv: unknown reset option {unknown[0]!r}; choose from {', '.join(_OPTIONS)}"
            )
        limits = {
            "shopper": len(self._shop.fitted.taste.shoppers) - 1,
            "shop_seed": 2**32 - 1,
            "day": self._shop.days,
        }
        for name, value in options.items():
            if not 0 <= value <= limits[name]:
                raise DataError(f"ShopEnv: {name} must be in [0, {limits[name]}], got {value}; correct it")
        return options

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Show the candidate in column `action`; the observation returned is the next visit's.

        Raises:
            ResetNeeded: the episode has not begun or is over.
            DataError: the column is out of range or its candidate is absent; see `action_masks`.
        """
        if self._now is None or self._visit >= self._visits_per_episode:
            raise ResetNeeded("ShopEnv: the episode is over or has not begun; call reset() first")
        column = np.array([action], dtype=np.int64)
        shown = int(self._now.candidates[0, column[0]]) if self.action_space.contains(action) else -1
        response = self._shop.respond(self._now, column)
        click, value = float(response.click[0]), float(response.value[0])
        self._visit += 1
        observation = self._observe()
        happened = {
            "shown": shown,
            "click": click,
            "conversion": float(response.conversion[0]),
            "value": value,
        }
        truncated = self._visit >= self._visits_per_episode
        return observation, click + self._value_weight * value, False, truncated, self._facts() | happened

    def action_masks(self) -> Bools:
        """Which candidates of the visit at hand may be shown, shape (k,)."""
        if self._now is None:
            raise ResetNeeded("ShopEnv: no visit yet; call reset() first")
        return np.asarray(self._now.candidates[0] >= 0)

    def _observe(self) -> Observation:
        day = np.array([self._day + self._visit * self._gap])
        now = self._shop.visits_of(np.array([self._shopper]), self._visit, day)
        self._now = now
        candidates, taste = now.candidates[0], self._shop.fitted.taste
        present = candidates >= 0
        return {
            "shopper": _clipped(taste.shoppers[now.shopper[0]]),
            "product": _clipped(taste.products[now.product[0]]),
            "context": _clipped(now.context[0]),
            "candidates": _clipped(np.where(present[:, None], self._shop.actions[candidates], 0.0)),
            "state": _clipped(now.state[0]),
            "position": now.position.astype(np.float32),
            "time": now.time.astype(np.float32),
            "action_mask": present.astype(np.int8),
        }

    def _facts(self) -> dict[str, Any]:
        assert self._now is not None
        facts = {
            "shopper": self._shopper,
            "product": int(self._now.product[0]),
            "candidates": self._now.candidates[0].copy(),
            "visit": self._visit,
            "shop_seed": self._shop.seed,
            "day": float(self._now.time[0]),
        }
        return facts | ({"expected_click": self._shop.expected_click(self._now)[0]} if self._oracle else {})


def _clipped(values: Floats) -> NDArray[np.float32]:
    return np.clip(values, -FEATURE_LIMIT, FEATURE_LIMIT).astype(np.float32)
