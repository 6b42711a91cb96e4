"""The reward of a decision as a formula over typed events: so much for a click, so much for an order, less for a return.

    sum:    reward = sum over events of weight(kind) * value
    first:  reward = weight(kind) * value of the earliest event

Without any event the reward is ``default``. Of a kind that does not repeat only the earliest event counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from copybandit.sim.types import Bools, DataError, Floats, Ints

Aggregation = Literal["sum", "first"]


@dataclass(frozen=True, kw_only=True)
class RewardTerm:
    """What one kind of event is worth.

    Attributes:
        kind: its name.
        weight: reward per unit of value.
        most: largest value of one event, above 0; values lie in [0, most], 1 where only that it happened matters.
        repeats: whether several events of the kind count.
        within_days: days after the decision in which it counts; as long as the decision is open, if infinite.
    """

    kind: str
    weight: float
    most: float = 1.0
    repeats: bool = False
    within_days: float = float("inf")

    def __post_init__(self) -> None:
        if not (self.kind and np.isfinite(self.weight) and 0 < self.most < np.inf and self.within_days > 0):
            raise DataError(
                f"reward term {self.kind!r}: needs a kind, a finite weight, and most and within_days above 0, got "
                f"{self.weight}, {self.most} and {self.within_days}; correct it"
            )


@dataclass(frozen=True, kw_only=True)
class RewardFormula:
    """What the events of a decision are worth together.

    Attributes:
        terms: one per kind.
        aggregation: "sum" or "first".
        default: reward of a decision without events.
    """

    terms: tuple[RewardTerm, ...]
    aggregation: Aggregation = "sum"
    default: float = 0.0

    def __post_init__(self) -> None:
        names = [term.kind for term in self.terms]
        if not names or len(set(names)) < len(names) or not np.isfinite(self.default):
            raise DataError(
                f"reward formula: needs terms of distinct kinds and a finite default, got {names} and "
                f"{self.default}; correct it"
            )
        if self.aggregation not in ("sum", "first"):
            raise DataError(
                f"reward formula: aggregation must be sum or first, got {self.aggregation!r}; choose one"
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds in the order of their codes."""
        return tuple(term.kind for term in self.terms)

    @property
    def weight(self) -> Floats:
        """Weight of each code."""
        return np.array([term.weight for term in self.terms])

    @property
    def most(self) -> Floats:
        """Largest value of each code."""
        return np.array([term.most for term in self.terms])

    def rewards(
        self, n: int, owner: Ints, kind: Ints, value: Floats, time: Floats, event: Sequence[str]
    ) -> Floats:
        """Rewards of n decisions, shape (n,); the order of the events does not matter, to the last bit.

        Args:
            n: decisions.
            owner: shape (e,), decision of each event, in [0, n).
            kind: shape (e,), codes.
            value: shape (e,).
            time: shape (e,), days.
            event: e ids, which order events of the same time.
        """
        order = np.lexsort((np.array(event, dtype=np.str_), time, owner))
        owner, kind, value = owner[order], kind[order], value[order]
        if self.aggregation == "first":
            counts = _first(owner)
        else:
            repeats = np.array([term.repeats for term in self.terms])[kind]
            counts = repeats | _first(owner * len(self.terms) + kind)
        told = np.bincount(owner, minlength=n) > 0
        worth = np.where(counts, self.weight[kind] * value, 0.0)
        return np.where(told, np.bincount(owner, worth, n), self.default)


def _first(group: Ints) -> Bools:
    """Which rows are the first of their group, shape (e,)."""
    first = np.zeros(len(group), dtype=np.bool_)
    first[np.unique(group, return_index=True)[1]] = True
    return first


CLICKS = RewardFormula(terms=(RewardTerm(kind="click", weight=1.0),))
"""A click is worth 1."""
SHOP = RewardFormula(
    terms=(
        RewardTerm(kind="click", weight=1.0),
        RewardTerm(kind="conversion", weight=5.0),
        RewardTerm(kind="return", weight=-3.0),
    )
)
"""A click is worth 1, an order 5 more, and a return takes 3 back."""
