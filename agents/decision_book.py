"""Open decisions and the rewards that arrive for them late, twice, out of order or never.

A decision is open for ``horizon`` days. Its events may come in any order and any number of times; an id counts once. When
the horizon has passed the decision closes: its reward is what the `RewardFormula` makes of its events, or the default
where there are none, and its row goes to the learner. A decision that was never shown is censored: it teaches nothing, not
even the default (deferred activation). Rows leave in order of (time of the decision, id), whatever came in when.

    for rows in book.release(now, size=256):
        policy.update(rows.batch, rows.column, rows.reward, rows.weight)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import ABSENT, Batch
from copybandit.agents.book_rows import EventRows, Released, events_of, joined
from copybandit.agents.decision_rows import DecisionRows
from copybandit.agents.ragged import array_of
from copybandit.agents.reward_events import COUNTED, LATE, REPEATED, RewardEvents, Told, codes_of
from copybandit.agents.reward_formula import RewardFormula
from copybandit.agents.stateful import Arrays, part, within
from copybandit.sim.types import Bools, DataError, Ints


class DecisionBook:
    """Decisions from when they are made until their reward is known.

    A closed decision is known for one more horizon, so that what comes too late is told from what is wrong.

    Args:
        formula: makes rewards of events.
        horizon_days: days that a decision is open, above 0: the reward wait time.

    Attributes:
        censored: decisions that closed without having been shown.

    Raises:
        DataError: the horizon is out of range.
    """

    def __init__(self, formula: RewardFormula, *, horizon_days: float) -> None:
        if not 0 < horizon_days < np.inf:
            raise DataError(f"decision book: horizon_days must be above 0, got {horizon_days}; correct it")
        self.formula, self.horizon_days = formula, horizon_days
        self.censored = 0
        self._within = np.minimum([term.within_days for term in formula.terms], horizon_days)
        self._rows = DecisionRows()
        self._seen: set[tuple[str, str]] = set()
        self._events: list[EventRows] = []
        self._ready: list[Released] = []

    def __len__(self) -> int:
        """Open decisions."""
        return self._rows.open_count

    def open(self, decision: Sequence[str], batch: Batch, column: Ints, *, shown: bool = True) -> Bools:
        """Decisions as they are made.

        Args:
            decision: n ids.
            batch: the n requests.
            column: shape (n,), what `decide` drew.
            shown: whether they are on show at once; otherwise `activate` will tell.

        Returns:
            Which were new, shape (n,); a decision that was known already changes nothing.

        Raises:
            DataError: the arrays do not fit each other or the book, or a column has no candidate; nothing is opened.
        """
        if not len(decision) == len(batch) == len(column):
            raise DataError(
                f"decision book: decision, batch and column must be equally long, got {len(decision)}, "
                f"{len(batch)} and {len(column)}; give one of each per request"
            )
        if column.dtype.kind not in "iu":
            raise DataError(
                f"decision book: column must be whole numbers, got {column.dtype}; pass what decide() returned"
            )
        k = batch.candidates.shape[1]
        if len(batch) and not (
            column.min() >= 0 and column.max() < k and (batch.shown(column) != ABSENT).all()
        ):
            raise DataError(
                f"decision book: column must point at a present candidate, got {column.min()} to {column.max()}; "
                "pass the column decide() returned"
            )
        return self._rows.add(decision, batch, column, shown)

    def activate(self, decision: Sequence[str], shown: Bools) -> Told:
        """Tells whether decisions that were opened as not yet shown have been; the first word on each counts.

        Raises:
            DataError: a decision is unknown, or the two are not equally long; nothing is changed.
        """
        if len(decision) != len(shown):
            raise DataError(
                f"activation: decision and shown must be equally long, got {len(decision)} and {len(shown)}; give one each"
            )
        row = self._known(decision, "activation")
        status = np.full(len(row), LATE, dtype=np.int8)
        for place in np.flatnonzero(self._rows.is_open(row)).tolist():
            new = self._rows.mark(int(row[place]), bool(shown[place]))
            status[place] = COUNTED if new else REPEATED
        return Told(status=status)

    def tell(self, events: RewardEvents) -> Told:
        """Notes events; see `Told` for what became of each.

        Raises:
            DataError: a decision is unknown, or a kind, value or time out of range; nothing is changed.
        """
        code, row = codes_of(events, self.formula), self._known(events.decision, "reward events")
        age = events.time - self._rows.time(row)
        if len(age) and age.min() < 0:
            worst = int(age.argmin())
            raise DataError(
                f"reward events row {worst}: time must not be before its decision's, got "
                f"{events.time[worst]} of {events.decision[worst]}; correct the clock"
            )
        status = np.full(len(row), LATE, dtype=np.int8)
        on_time = self._rows.is_open(row) & (age <= self._within[code])
        status[on_time] = self._news(events, on_time)
        told = EventRows(row=row, kind=code, value=events.value, time=events.time, event=tuple(events.event))
        counted = status == COUNTED
        if counted.any():
            self._events.append(told if counted.all() else told.take(counted))
        return Told(status=status)

    def release(self, now: float, size: int | None = None) -> list[Released]:
        """Closes what is due and hands its rows over.

        Args:
            now: days since the start.
            size: rows of each part; what does not fill one waits for the next call. None is one part of all there is.

        Raises:
            DataError: the time is not finite, or the size below 1.
        """
        if not np.isfinite(now) or (size is not None and size < 1):
            raise DataError(
                f"decision book: now must be finite and size at least 1, got {now} and {size}; correct them"
            )
        due = self._rows.due(now - self.horizon_days)
        if len(due):
            self._close(due)
        waiting = sum(len(one.decision) for one in self._ready)
        if not waiting or (size is not None and waiting < size):
            return []
        whole, size = joined(self._ready), size or waiting
        full = waiting - waiting % size
        parts = [whole.part(slice(start, start + size)) for start in range(0, full, size)]
        self._ready = [whole.part(slice(full, waiting))] if full < waiting else []
        return parts

    def get_state(self) -> Arrays:
        """All that it holds: rows, the events that count, what waits to be released; ready rows of unlike width as one."""
        events = events_of(self._events)
        ready = joined(self._ready).get_state() if self._ready else {}
        return {
            **within("rows", self._rows.get_state()),
            **within("events", events.get_state()),
            **within("ready", ready),
            "censored": np.array(self.censored),
        }

    def set_state(self, state: Arrays) -> None:
        """Takes over what a book with the same formula and horizon told, whole or not at all.

        Raises:
            DataError: it is not the state of a book, or its parts do not fit each other.
        """
        known = {
            name for name in state if name.startswith(("rows.", "events.", "ready.")) or name == "censored"
        }
        if unknown := sorted(state.keys() - known):
            raise DataError(f"state: array {unknown[0]} must not be there; load a state of a decision book")
        rows, ready = DecisionRows.of(part("rows", state)), part("ready", state)
        events = EventRows.of(part("events", state))
        events.check(rows, self.formula)
        waiting = [Released.of(ready)] if ready else []
        censored = array_of(state, "censored")
        if censored.dtype != np.int64 or censored.shape != () or censored < 0:
            raise DataError(
                f"state: array censored must be one whole number from 0 on, got {censored.dtype}{censored.shape}; "
                "load a whole state"
            )
        self._rows, self._ready, self.censored = rows, waiting, int(censored)
        self._events = [events] if len(events.row) else []
        self._seen = set(zip(rows.ids(events.row), events.event, strict=True))

    def _news(self, events: RewardEvents, on_time: Bools) -> NDArray[np.int8]:
        """`COUNTED` or `REPEATED` for each event that is on time; all are known from now on."""
        pairs = list(zip(events.decision, events.event, strict=True))
        if not on_time.all():
            pairs = list(compress(pairs, on_time.tolist()))
        before = len(self._seen)
        known = [pair in self._seen for pair in pairs]
        self._seen.update(pairs)
        status = np.where(known, REPEATED, COUNTED).astype(np.int8)
        if len(self._seen) - before < len(pairs) - sum(known):  # a pair stands twice among those that are new
            first = dict(zip(reversed(pairs), range(len(pairs) - 1, -1, -1), strict=True))
            status[[first[pair] != place for place, pair in enumerate(pairs)]] = REPEATED
        return status

    def _known(self, decision: Sequence[str], what: str) -> Ints:
        row = self._rows.find(decision)
        if len(row) and row.min() < 0:
            place = int(row.argmin())
            raise DataError(
                f"{what} row {place}: decision must be one of the book's, got {decision[place]!r}; open it first, or "
                "drop what belongs to one that closed long ago"
            )
        return row

    def _close(self, due: Ints) -> None:
        """Closes rows, in order of release; those shown become ready with their reward."""
        place = self._rows.places(due)
        told = self._taken(place)
        reward = self.formula.rewards(len(due), place[told.row], told.kind, told.value, told.time, told.event)
        self._seen.difference_update(zip(self._rows.ids(told.row), told.event, strict=True))
        shown = self._rows.was_shown(due)
        self.censored += int((~shown).sum())
        if shown.any():
            batch, column = self._rows.gather(due[shown])
            self._ready.append(
                Released(
                    decision=self._rows.ids(due[shown]),
                    batch=batch,
                    column=column,
                    reward=reward[shown],
                    weight=np.ones(len(batch)),
                )
            )
        moved = self._rows.close(due, self.horizon_days)
        self._events = [replace(one, row=moved[one.row]) for one in self._events]

    def _taken(self, place: Ints) -> EventRows:
        """Takes the events of closing rows out of the book; ``place`` is -1 for the others."""
        whole = events_of(self._events)
        closing = place[whole.row] >= 0
        left = whole.take(~closing)
        self._events = [left] if len(left.row) else []
        return whole.take(closing)
