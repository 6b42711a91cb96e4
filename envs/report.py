"""Facts for `info`: of visits at hand and of visits just answered, of one shopper and of many.

What stands in them is said at `copybandit.envs.copy_selection.CopySelectionEnv`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.crowd import Answer, Crowd
from copybandit.sim.pending import ages
from copybandit.sim.season import TICKS, Season
from copybandit.sim.types import Bools, Ints
from copybandit.sim.visitor import OneAnswer, Visitor

Facts = dict[str, NDArray[Any]]


class Report:
    """What is told of a season's visits; arrays are fresh.

    Args:
        season: prices, and how late purchases can come.
    """

    def __init__(self, season: Season) -> None:
        self._season = season

    def at_hand(self, crowd: Crowd) -> Facts:
        """Of the visits at hand, with a first axis over the environments."""
        return {
            "shopper": crowd.shopper.copy(),
            "product": crowd.product.copy(),
            "visit": crowd.visit.copy(),
            "day": crowd.tick / TICKS,
        }

    def at_hand_of_one(self, visitor: Visitor) -> dict[str, Any]:
        """The same of one environment."""
        return {
            "shopper": visitor.shopper,
            "product": visitor.product,
            "visit": visitor.visit,
            "day": visitor.tick / TICKS,
        }

    def answered(self, column: Ints, answer: Answer) -> Facts:
        """Of the visits just answered, with a first axis over the environments."""
        return {
            "shown": column.copy(),
            "click": answer.click.astype(np.float64),
            "conversion": np.bitwise_count(answer.arrived).astype(np.float64),
            "value": answer.value,
            "arrived": ages(answer.arrived, self._season.max_lag + 1),
        }

    def answered_by_one(self, column: int, answer: OneAnswer) -> dict[str, Any]:
        """The same of one environment."""
        arrived = np.zeros(self._season.max_lag + 1, dtype=np.int8)
        if answer.arrived:
            arrived[[age for age in range(len(arrived)) if answer.arrived >> age & 1]] = 1
        return {
            "shown": column,
            "click": float(answer.click),
            "conversion": float(answer.arrived.bit_count()),
            "value": answer.value,
            "arrived": arrived,
        }


def told(facts: Facts, mask: Bools) -> dict[str, Any]:
    """Facts as infos of a vector: set to 0 outside the mask, and the mask itself under ``_key``; none for nobody."""
    others = np.flatnonzero(~mask)
    if len(others) == len(mask):
        return {}
    if len(others):
        for values in facts.values():
            values[others] = 0
    mask = mask.copy()
    return {**facts, **{f"_{name}": mask for name in facts}}
