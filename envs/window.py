"""What a shop sees of a visit: the spaces, and observations of one shopper and of many.

An observation holds only what a shop may know; see `copybandit.envs.copy_selection.CopySelectionEnv`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from copybandit.envs.picture import Scene
from copybandit.sim.crowd import ALL, Crowd, Rows
from copybandit.sim.exposures import SLOTS
from copybandit.sim.season import TICKS, Season
from copybandit.sim.storefront import Floats32
from copybandit.sim.visitor import Visitor

Observation = dict[str, NDArray[Any]]
FEATURE_LIMIT = 100.0
"""Features are clipped to this size, so that the spaces are finite."""


class Window:
    """The belief of a season's shop, ready to look things up in.

    Args:
        season: its truth is not looked at.
    """

    def __init__(self, season: Season) -> None:
        front = season.front
        self._season, self._odds, self._stock = season, season.odds, season.stock
        self._taste = _clipped(front.belief.spread(season.effects.heterogeneity))
        self._product = _clipped(front.belief.products)
        self._features = _clipped(front.features * front.present[:, :, None])
        self.action_space: Any = spaces.Discrete(front.present.shape[1])
        self.observation_space = self._space()

    def _space(self) -> spaces.Dict:
        plan, d, (_, k, q) = self._season.plan, self._product.shape[1], self._features.shape
        # One day more than can be reached keeps the rounding to float32 inside.
        within = {
            "shopper": (-FEATURE_LIMIT, FEATURE_LIMIT, (d,)),
            "product": (-FEATURE_LIMIT, FEATURE_LIMIT, (d,)),
            "context": (-FEATURE_LIMIT, FEATURE_LIMIT, (1,)),
            "candidates": (-FEATURE_LIMIT, FEATURE_LIMIT, (k, q)),
            "prior": (0.0, 1.0, (k,)),
            "exposure": (0.0, float(SLOTS), (k,)),
            "cluster_exposure": (0.0, float(SLOTS), (k,)),
            "position": (0.0, float(plan.positions), (1,)),
            "time": (0.0, plan.last_day + 1.0, (1,)),
        }
        named: dict[str, spaces.Space[Any]] = {
            name: spaces.Box(low, high, shape, np.float32) for name, (low, high, shape) in within.items()
        }
        named["action_mask"] = spaces.MultiBinary(k)
        return spaces.Dict(named)

    def batch(self, crowd: Crowd, rows: Rows = ALL) -> Observation:
        """Observations of some environments, in fresh arrays with a first axis over them."""
        product, cell = crowd.product[rows], crowd.cell[rows]
        mask = self._season.present.take(product, axis=0)
        kin = self._stock.take(crowd.clusters_seen[rows])
        return {
            "shopper": self._taste.take(crowd.shopper[rows], axis=0),
            "product": self._product.take(product, axis=0),
            "context": _clipped(self._odds.interest(cell)[:, None]),
            "candidates": self._features.take(product, axis=0),
            "prior": self._odds.prior(cell),
            "exposure": self._stock.take(crowd.copies_seen[rows]),
            "cluster_exposure": kin * mask if self._season.gaps else kin,
            "position": (crowd.place[rows, None] + 1).astype(np.float32),
            "time": (crowd.tick[rows, None] / TICKS).astype(np.float32),
            "action_mask": mask,
        }

    def one(self, visitor: Visitor) -> Observation:
        """The observation of one environment, in fresh arrays."""
        product, cell = visitor.product, visitor.cell
        mask = self._season.present[product].copy()
        kin = self._stock.take(visitor.clusters_seen)
        return {
            "shopper": self._taste[visitor.shopper].copy(),
            "product": self._product[product].copy(),
            "context": _clipped(self._odds.interest(cell)),
            "candidates": self._features[product].copy(),
            "prior": self._odds.prior(cell)[0],
            "exposure": self._stock.take(visitor.copies_seen),
            "cluster_exposure": kin * mask if self._season.gaps else kin,
            "position": np.array([visitor.place + 1], dtype=np.float32),
            "time": np.array([visitor.tick / TICKS], dtype=np.float32),
            "action_mask": mask,
        }

    def scene(self, shopper: int, cell: int, visit: int, tick: int, place: int) -> Scene:
        """A visit at hand, for its picture."""
        front = self._season.front
        product, k = cell % len(front.price), front.present.shape[1]
        return Scene(
            product=front.names[product] if front.names else f"product {product}",
            texts=front.texts[product] if front.texts else tuple(f"copy {j}" for j in range(k)),
            present=tuple(front.present[product].tolist()),
            prior=tuple(self._odds.prior(np.array([cell]))[0].tolist()),
            shopper=shopper,
            visit=visit,
            day=tick / TICKS,
            position=place + 1,
        )


def _clipped(values: NDArray[np.floating]) -> Floats32:
    return np.asarray(np.minimum(np.maximum(values, -FEATURE_LIMIT), FEATURE_LIMIT), dtype=np.float32)
