"""Events that belong to decisions, in columns, and what became of telling them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.reward_formula import RewardFormula
from copybandit.sim.types import DataError, Floats, Ints

COUNTED, REPEATED, LATE = range(3)
"""What became of an event: it counts (unless an earlier one of its kind comes in), it was known, or it came too late."""


@dataclass(frozen=True, kw_only=True)
class RewardEvents:
    """Events of decisions, one row each, in any order.

    Attributes:
        decision: n ids.
        event: n ids, distinct within a decision; the same one told again changes nothing.
        kind: n names, those of a `RewardFormula`.
        value: shape (n,).
        time: shape (n,), days since the start, as in `Batch.time`.
    """

    decision: Sequence[str]
    event: Sequence[str]
    kind: Sequence[str]
    value: Floats
    time: Floats

    def __post_init__(self) -> None:
        sizes = {len(self.decision), len(self.event), len(self.kind), len(self.value), len(self.time)}
        if len(sizes) > 1:
            raise DataError(f"reward events: columns must be equally long, got {sorted(sizes)}; align them")

    def __len__(self) -> int:
        return len(self.decision)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What became of events.

    Attributes:
        status: shape (n,), `COUNTED`, `REPEATED` or `LATE`; the last two changed nothing.
    """

    status: NDArray[np.int8]

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many were counted, repeated and late."""
        counted, repeated, late = np.bincount(self.status, minlength=3).tolist()
        return counted, repeated, late


def codes_of(events: RewardEvents, formula: RewardFormula) -> Ints:
    """The place of each event's kind in the formula, shape (n,).

    Raises:
        DataError: a kind is unknown, or a value or time is out of range; the message names row and field.
    """
    place = {kind: code for code, kind in enumerate(formula.kinds)}
    code: Ints = np.fromiter(map(place.get, events.kind, repeat(-1)), dtype=np.int64, count=len(events))
    _refuse(code >= 0, "kind", events.kind, f"one of {', '.join(formula.kinds)}", "drop it or add a term")
    most = formula.most[code]
    fine = (events.value >= 0) & (events.value <= most)
    row = int(np.argmin(fine)) if not fine.all() else 0
    limit = f"in [0, {most[row]:g}] for {events.kind[row]}" if len(events) else ""
    _refuse(fine, "value", events.value, limit, "correct it or raise most")
    _refuse(np.isfinite(events.time), "time", events.time, "finite days", "correct it")
    return code


def _refuse(
    fine: NDArray[np.bool_], field: str, values: Sequence[str] | Floats, rule: str, remedy: str
) -> None:
    if not fine.all():
        row = int(np.argmin(fine))
        raise DataError(f"reward events row {row}: {field} must be {rule}, got {values[row]!s}; {remedy}")
