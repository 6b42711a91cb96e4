"""What a `DecisionBook` holds beside its decisions: events that count, and rows that are ready for a learner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.batch_rows import join, take
from copybandit.agents.decision_rows import DecisionRows
from copybandit.agents.ragged import packed_names, typed, unpacked_names
from copybandit.agents.reward_formula import RewardFormula
from copybandit.agents.stateful import Arrays
from copybandit.sim.types import Bools, DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class EventRows:
    """Events that count, in the order they were told: row, kind, value and time of each, and its id."""

    row: Ints
    kind: Ints
    value: Floats
    time: Floats
    event: tuple[str, ...]

    def take(self, kept: Bools) -> EventRows:
        """Some of them."""
        return EventRows(
            row=self.row[kept],
            kind=self.kind[kept],
            value=self.value[kept],
            time=self.time[kept],
            event=tuple(compress(self.event, kept.tolist())),
        )

    def check(self, rows: DecisionRows, formula: RewardFormula) -> None:
        """Refuses events that are not of these decisions or not of this formula.

        Raises:
            DataError: one is not.
        """
        n, kinds = len(rows), len(formula.kinds)
        fine = (self.row >= 0) & (self.row < n) & (self.kind >= 0) & (self.kind < kinds)
        if fine.all():
            most = formula.most[self.kind]
            fine = np.isfinite(self.time) & (self.value >= 0) & (self.value <= most) & rows.is_open(self.row)
        pairs = set(zip(self.row.tolist(), self.event, strict=True))
        if not fine.all() or len(pairs) < len(fine):
            raise DataError(
                f"state: events must be of open decisions among {n} and of kinds {', '.join(formula.kinds)}, each once, "
                f"got others; load a state of a book with the same formula"
            )

    def get_state(self) -> Arrays:
        """As arrays."""
        return {
            "row": self.row,
            "kind": self.kind,
            "value": self.value,
            "time": self.time,
            **packed_names("event", self.event),
        }

    @classmethod
    def of(cls, state: Arrays) -> EventRows:
        """What `get_state` told.

        Raises:
            DataError: an array is missing or damaged.
        """
        event = tuple(unpacked_names("event", state))
        n = (len(event),)
        return cls(
            row=typed(state, "row", np.int64, n),
            kind=typed(state, "kind", np.int64, n),
            value=typed(state, "value", np.float64, n),
            time=typed(state, "time", np.float64, n),
            event=event,
        )


@dataclass(frozen=True, kw_only=True)
class Released:
    """Rows for a learner, in order of (time, id); the arguments of `Learner.update` and the ids, all of n rows."""

    decision: tuple[str, ...]
    batch: Batch
    column: Ints
    reward: Floats
    weight: Floats

    def part(self, rows: slice) -> Released:
        """Some of them."""
        return Released(
            decision=self.decision[rows],
            batch=take(self.batch, np.arange(len(self.decision))[rows]),
            column=self.column[rows],
            reward=self.reward[rows],
            weight=self.weight[rows],
        )

    def get_state(self) -> Arrays:
        """As arrays."""
        return {
            **packed_names("decision", self.decision),
            **vars(self.batch),
            "column": self.column,
            "reward": self.reward,
            "weight": self.weight,
        }

    @classmethod
    def of(cls, state: Arrays) -> Released:
        """What `get_state` told.

        Raises:
            DataError: an array is missing or damaged.
        """
        decision = tuple(unpacked_names("decision", state))
        n = (len(decision),)
        batch = Batch(
            context=typed(state, "context", np.float64),
            actions=typed(state, "actions", np.float64),
            candidates=typed(state, "candidates", np.int32),
            state=typed(state, "state", np.float64),
            time=typed(state, "time", np.float64, n),
        )
        column = typed(state, "column", np.int64, n)
        reward, weight = (typed(state, name, np.float64, n) for name in ("reward", "weight"))
        check_feedback(batch, column, reward, weight)
        return cls(decision=decision, batch=batch, column=column, reward=reward, weight=weight)


def events_of(parts: Sequence[EventRows]) -> EventRows:
    """All of them as one."""
    none = np.empty(0)
    return EventRows(
        row=np.concatenate([none.astype(np.int64), *(one.row for one in parts)]),
        kind=np.concatenate([none.astype(np.int64), *(one.kind for one in parts)]),
        value=np.concatenate([none, *(one.value for one in parts)]),
        time=np.concatenate([none, *(one.time for one in parts)]),
        event=tuple(name for one in parts for name in one.event),
    )


def joined(parts: Sequence[Released]) -> Released:
    """All of them as one."""
    return Released(
        decision=tuple(name for one in parts for name in one.decision),
        batch=join([one.batch for one in parts]),
        column=np.concatenate([one.column for one in parts]),
        reward=np.concatenate([one.reward for one in parts]),
        weight=np.concatenate([one.weight for one in parts]),
    )
