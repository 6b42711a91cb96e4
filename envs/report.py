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
from copybandit.sim.visits import Reward

Facts = dict[str, NDArray[Any]]


class Report:
    """What is told of a season's visits; arrays are fresh.

    Args:
        season: prices, and how late purchases can come.
        reward: what the expected reward is of.
        oracle: whether the truth is told too.
    """

    def __init__(self, season: Season, reward: Reward, oracle: bool) -> None:
        self._season, self._reward, self._oracle = season, reward, oracle

    def at_hand(self, crowd: Crowd) -> Facts:
        """Of the visits at hand, with a first axis over the environments."""
        facts: Facts = {
            "shopper": crowd.shopper.copy(),
            "product": crowd.product.copy(),
            "visit": crowd.visit.copy(),
            "day": crowd.tick / TICKS,
        }
        if not self._oracle:
            return facts
        return facts | self._truth(crowd, self._season.price.take(crowd.product)[:, None])

    def at_hand_of_one(self, visitor: Visitor) -> dict[str, Any]:
        """The same of one environment."""
        facts = {
            "shopper": visitor.shopper,
            "product": visitor.product,
            "visit": visitor.visit,
            "day": visitor.tick / TICKS,
        }
        if not self._oracle:
            return facts
        return facts | self._truth(visitor, self._season.price[visitor.product])

    def _truth(self, who: Crowd | Visitor, price: Any) -> Facts:
        click = who.expected_click()
        if self._reward == "click":
            return {"expected_click": click, "expected_reward": click.copy()}
        worth = price if self._reward == "value" else 1.0
        return {"expected_click": click, "expected_reward": who.expected_purchase() * worth}

    def answered(self, crowd: Crowd, column: Ints, answer: Answer) -> Facts:
        """Of the visits just answered, with a first axis over the environments."""
        facts: Facts = {
            "shown": column.copy(),
            "click": answer.click.astype(np.float64),
            "conversion": np.bitwise_count(answer.arrived).astype(np.float64),
            "value": answer.value,
            "arrived": ages(answer.arrived, self._season.max_lag + 1),
        }
        if not self._oracle:
            return facts
        return facts | {"bought": answer.bought, "waiting": crowd.waiting.astype(np.int64)}

    def answered_by_one(self, visitor: Visitor, column: int, answer: OneAnswer) -> dict[str, Any]:
        """The same of one environment."""
        arrived = np.zeros(self._season.max_lag + 1, dtype=np.int8)
        if answer.arrived:
            arrived[[age for age in range(len(arrived)) if answer.arrived >> age & 1]] = 1
        facts: dict[str, Any] = {
            "shown": column,
            "click": float(answer.click),
            "conversion": float(answer.arrived.bit_count()),
            "value": answer.value,
            "arrived": arrived,
        }
        if not self._oracle:
            return facts
        return facts | {"bought": answer.bought, "waiting": visitor.waiting}


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
