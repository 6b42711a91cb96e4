"""The rows behind a `DecisionBook`: what was decided, when, and whether it is open, in columns that grow and shrink."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import ABSENT, Batch
from copybandit.agents.ragged import packed_names, typed, unpacked_names
from copybandit.agents.stateful import Arrays
from copybandit.sim.types import Bools, DataError, Floats, Ints

_ROW = np.dtype([("time", "f8"), ("column", "i8"), ("shown", "i1"), ("open", "?")])
_NOT_SHOWN, _SHOWN, _UNTOLD = 0, 1, -1
_LEAST = 1024
"""Rows there is room for at least."""


class DecisionRows:
    """Decisions by number; a number holds until the next `close`."""

    def __init__(self) -> None:
        self.open_count = 0
        self._table = np.zeros(_LEAST, dtype=_ROW)
        self._names: list[str] = []
        self._number: dict[str, int] = {}
        self._actions: Floats = np.empty((0, 0))
        self._context: Floats = np.empty((0, 0))
        self._candidates = np.empty((0, 0), dtype=np.int32)
        self._state: Floats = np.empty((0, 0, 0))

    def __len__(self) -> int:
        """Rows that are known, open or closed."""
        return len(self._names)

    def add(self, decision: Sequence[str], batch: Batch, column: Ints, shown: bool) -> Bools:
        """Opens decisions that are not known yet; says which, shape (n,).

        Raises:
            DataError: the batch has other context columns, state channels or action columns than those before it.
        """
        self._check(batch)
        new, first = np.zeros(len(decision), dtype=np.bool_), len(self._names)
        for place, name in enumerate(decision):
            if self._number.setdefault(name, len(self._names)) == len(self._names):
                self._names.append(name)
                new[place] = True
        self._reserve(batch)
        rows, k = slice(first, len(self._names)), batch.candidates.shape[1]
        table = self._table[rows]
        table["time"], table["column"] = batch.time[new], column[new]
        table["shown"], table["open"] = _SHOWN if shown else _UNTOLD, True
        self._context[rows] = batch.context[new]
        self._candidates[rows, :k], self._candidates[rows, k:] = batch.candidates[new], ABSENT
        self._state[rows, :k], self._state[rows, k:] = batch.state[new], 0.0
        self.open_count += int(new.sum())
        return new

    def find(self, decision: Sequence[str]) -> Ints:
        """Numbers of decisions, -1 where unknown, shape (n,)."""
        numbers = map(self._number.get, decision, repeat(-1))
        return np.fromiter(numbers, dtype=np.int64, count=len(decision))

    def ids(self, row: Ints) -> tuple[str, ...]:
        """Names of rows."""
        return tuple(map(self._names.__getitem__, row.tolist()))

    def time(self, row: Ints) -> Floats:
        """When rows were decided, days, shape (n,)."""
        return np.asarray(self._table["time"][row])

    def is_open(self, row: Ints) -> Bools:
        """Whether rows are open, shape (n,)."""
        return np.asarray(self._table["open"][row])

    def was_shown(self, row: Ints) -> Bools:
        """Whether rows are known to have been shown, shape (n,)."""
        return np.asarray(self._table["shown"][row] == _SHOWN)

    def mark(self, row: int, shown: bool) -> bool:
        """Notes whether a row was shown; says whether that is news."""
        new = bool(self._table["shown"][row] == _UNTOLD)
        if new:
            self._table["shown"][row] = _SHOWN if shown else _NOT_SHOWN
        return new

    def due(self, until: float) -> Ints:
        """Open rows decided at ``until`` or before, in order of (time, id)."""
        rows = np.flatnonzero(self._table["open"] & (self._table["time"] <= until))
        keyed = sorted(zip(self.time(rows).tolist(), self.ids(rows), rows.tolist(), strict=True))
        return np.array([row for _, _, row in keyed], dtype=np.int64)

    def places(self, row: Ints) -> Ints:
        """Place of every row among the given ones, -1 for the others, shape (rows,)."""
        place = np.full(len(self._names), -1, dtype=np.int64)
        place[row] = np.arange(len(row))
        return place

    def gather(self, row: Ints) -> tuple[Batch, Ints]:
        """The requests of rows in this order, and which column each one shows, shape (n,)."""
        batch = Batch(
            context=self._context[row],
            actions=self._actions,
            candidates=self._candidates[row],
            state=self._state[row],
            time=self.time(row),
        )
        return batch, np.asarray(self._table["column"][row])

    def close(self, row: Ints, known_for: float) -> Ints:
        """Closes rows; the new number of every row, -1 where it is gone.

        Those decided more than ``known_for`` days before the latest that closes go once they are half of all.
        """
        self._table["open"][row] = False
        self.open_count -= len(row)
        rows = self._table[: len(self._names)]
        kept = np.flatnonzero(rows["open"] | (rows["time"] > self.time(row).max() - known_for))
        moved = np.arange(len(rows))
        if 2 * len(kept) > len(rows):
            return moved
        moved = np.full(len(rows), -1, dtype=np.int64)
        moved[kept] = np.arange(len(kept))
        self._names = list(compress(self._names, (moved >= 0).tolist()))
        self._number = {name: number for number, name in enumerate(self._names)}
        room = max(_LEAST, len(kept))
        self._table = _resized(self._table[kept], room)
        self._context, self._candidates, self._state = (
            _resized(column[kept], room) for column in (self._context, self._candidates, self._state)
        )
        return moved

    def get_state(self) -> Arrays:
        """All rows, by name; spare room aside."""
        rows = slice(len(self._names))
        table = self._table[rows]
        return {
            **packed_names("name", self._names),
            **{field: np.ascontiguousarray(table[field]) for field in _ROW.names or ()},
            "context": self._context[rows],
            "actions": self._actions,
            "candidates": self._candidates[rows],
            "state": self._state[rows],
        }

    @classmethod
    def of(cls, state: Arrays) -> DecisionRows:
        """What `get_state` told.

        Raises:
            DataError: an array is missing or damaged, or a row is no decision.
        """
        found, names = cls(), unpacked_names("name", state)
        n, room = len(names), max(_LEAST, len(names))
        found._names, found._number = names, {name: number for number, name in enumerate(names)}
        found._table = np.zeros(room, dtype=_ROW)
        for field in _ROW.names or ():
            found._table[field][:n] = typed(state, field, _ROW[field], (n,))
        found.open_count = int(found._table["open"].sum())
        found._actions = typed(state, "actions", np.float64)
        columns = [
            typed(state, name, form)
            for name, form in (("context", np.float64), ("candidates", np.int32), ("state", np.float64))
        ]
        if any(
            len(column.shape) != axes or len(column) != n
            for column, axes in zip(columns, (2, 2, 3), strict=True)
        ):
            raise DataError(
                f"state: context, candidates and state must have a row for each of {n} decisions, got "
                f"{', '.join(str(column.shape) for column in columns)}; load a whole state"
            )
        if columns[1].shape[1]:  # no batch was ever added, otherwise
            found._context, found._candidates, found._state = (_resized(column, room) for column in columns)
            found._check_whole()
        return found

    def _check_whole(self) -> None:
        """Refuses rows that `DecisionBook.open` would not have made."""
        batch, column = self.gather(np.arange(len(self)))
        told = self._table["shown"][: len(self)]
        fine = len(self._number) == len(self) and ((told >= _UNTOLD) & (told <= _SHOWN)).all()
        k = batch.candidates.shape[1]
        if not fine or not ((column >= 0) & (column < k)).all() or (batch.shown(column) == ABSENT).any():
            raise DataError(
                "state: rows must have distinct names, point at a present candidate and be shown, not shown or neither, "
                "got others; load a whole state"
            )

    def _reserve(self, batch: Batch) -> None:
        """Makes room for all names and for the batch's candidates; remembers the longest table of actions."""
        if len(batch.actions) >= len(self._actions):
            self._actions = batch.actions
        room = len(self._table)
        while room < len(self._names):
            room *= 2
        k = max(batch.candidates.shape[1], self._candidates.shape[1])
        wide = [(0, 0), (0, k - self._candidates.shape[1])]
        if self._candidates.shape != (room, k):
            p, s = batch.context.shape[1], batch.state.shape[2]
            if not len(self._context):
                self._context, self._state = np.empty((0, p)), np.empty((0, 0, s))
            self._table, self._context = _resized(self._table, room), _resized(self._context, room)
            self._candidates = _resized(np.pad(self._candidates, wide, constant_values=ABSENT), room)
            self._state = _resized(np.pad(self._state, [*wide, (0, 0)]), room)

    def _check(self, batch: Batch) -> None:
        want = self._context.shape[1], self._state.shape[2], self._actions.shape[1]
        got = batch.context.shape[1], batch.state.shape[2], batch.actions.shape[1]
        if self._state.shape[0] and want != got:
            raise DataError(
                f"decision book: batches must have {want[0]} context columns, {want[1]} state channels and {want[2]} action "
                f"columns, got {got[0]}, {got[1]} and {got[2]}; align them"
            )


def _resized(column: NDArray[Any], room: int) -> NDArray[Any]:
    """The same with room for so many rows."""
    grown: NDArray[Any] = np.zeros((room, *column.shape[1:]), dtype=column.dtype)
    grown[: len(column)] = column
    return grown
