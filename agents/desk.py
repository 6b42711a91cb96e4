"""A desk serves a policy one request at a time and keeps the log: decide now, learn when the answer comes.

    desk = Desk(policy, actions, slots=8, context=16, rng=np.random.default_rng(0))
    choice = desk.decide(context, candidates, state)     # choice.column is shown, choice.propensity is logged
    desk.learn(choice.decision, reward=1.0)              # in any order, at any time, once
    desk.log                                             # the columns, each decision with its whole distribution

Each request is a `Batch` of one, checked as every batch is, drawn as `decide` draws; nothing here decides. One desk belongs
to one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.decide import draw
from copybandit.agents.desk_row import Served
from copybandit.sim.types import DataError, Floats, Ints

AHEAD = 1024
"""Uniform numbers that are drawn at once; they are those that would be drawn one by one."""


class Choice(NamedTuple):
    """What a desk answers: number of the decision, column and variant to show, and with which probability it was drawn."""

    decision: int
    column: int
    variant: int
    propensity: float


@dataclass(frozen=True, kw_only=True)
class DeskLog:
    """Columns of n decisions, in the order they were made; row number = number of the decision.

    Attributes:
        time: shape (n,), days since the start.
        context: shape (n, p).
        candidates: shape (n, k), -1 for absent.
        state: shape (n, k, s), 0 where absent.
        action_probs: shape (n, k), what was drawn from.
        action: shape (n,), the column that was drawn.
        reward: shape (n,), NaN while unknown.
        weight: shape (n,), with which it was learned; 0 while unknown.
    """

    time: Floats
    context: Floats
    candidates: NDArray[np.int32]
    state: Floats
    action_probs: Floats
    action: Ints
    reward: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.action)

    @property
    def propensity(self) -> Floats:
        """Probability of the shown variant, shape (n,)."""
        return self.action_probs[np.arange(len(self)), self.action]


class Desk:
    """One policy, its variants and its log.

    Args:
        policy: chooses and learns; it is changed.
        actions: shape (m, q), features of all variants; copied.
        slots: most candidates k of a request.
        context: features p of a request.
        channels: state channels s of a candidate; the first is the warm start.
        rng: draws the actions.

    Raises:
        DataError: a size is below its least.
    """

    def __init__(
        self,
        policy: Learner,
        actions: Floats,
        *,
        slots: int,
        context: int,
        channels: int = 1,
        rng: np.random.Generator,
    ) -> None:
        if slots < 1 or channels < 1 or context < 0:
            raise DataError(
                f"desk: slots and channels must be at least 1, context 0, got {slots}, {channels}, {context}; "
                "correct the sizes"
            )
        self._policy = policy
        self._actions: Floats = np.array(actions, dtype=np.float64, order="C")
        self._actions.flags.writeable = False
        self._rng = rng
        self._slots, self._width, self._channels = slots, context, channels
        self._numbers: Floats = np.zeros((1, 3 + context + slots * (channels + 1)))
        self._indices: NDArray[np.int32] = np.full((1, slots + 1), ABSENT, dtype=np.int32)
        self._rows = 0
        self._served: Served | None = None
        self._uniform, self._drawn = rng.random(AHEAD).tolist(), 0

    @property
    def policy(self) -> Learner:
        """Who chooses; another one has a desk of its own."""
        return self._policy

    def __len__(self) -> int:
        return self._rows

    @property
    def log(self) -> DeskLog:
        """The columns as they are now, copied."""
        n, k = self._rows, self._slots
        numbers, indices = self._numbers[:n].copy(), self._indices[:n].copy()
        after = 1 + self._width + k * self._channels
        weight = numbers[:, -1]
        return DeskLog(
            time=numbers[:, 0],
            context=numbers[:, 1 : 1 + self._width],
            candidates=indices[:, :k],
            state=numbers[:, 1 + self._width : after].reshape(n, k, self._channels),
            action_probs=numbers[:, after : after + k],
            action=indices[:, k].astype(np.int64),
            reward=np.where(weight > 0, numbers[:, -2], np.nan),
            weight=weight,
        )

    def decide(
        self, context: ArrayLike, candidates: ArrayLike, state: ArrayLike, time: float = 0.0
    ) -> Choice:
        """Draws one candidate and logs the decision.

        Args:
            context: shape (p,).
            candidates: shape (k,) or shorter, variant indices, -1 for absent.
            state: shape (k, s), or (k,) of the warm start alone; of as many rows as candidates.
            time: days since the start.

        Raises:
            DataError: the request breaks a rule of `Batch`, or is of another shape; nothing is logged.
        """
        row = self._rows
        if row == len(self._numbers):
            self._grow()
        if self._drawn == AHEAD:
            self._uniform, self._drawn = self._rng.random(AHEAD).tolist(), 0
        uniform, column = self._uniform[self._drawn], -1
        if self._served is not None:
            request = (row, context, candidates, state, time, uniform)
            column = self._served.serve(request, self._numbers, self._indices, self._actions)
        if column < 0:
            column = self._decide(row, context, candidates, state, time, uniform)
        self._drawn += 1
        self._rows = row + 1
        propensity = self._numbers.item(row, column - self._slots - 2)
        return Choice(row, column, self._indices.item(row, column), propensity)

    def learn(self, decision: int, reward: float, weight: float = 1.0) -> None:
        """Teaches the policy what came of a decision and logs it.

        Args:
            decision: number that `decide` gave.
            reward: finite.
            weight: how much it counts, above 0.

        Raises:
            DataError: the decision is unknown or was answered before, or a number is unusable; nothing changes.
        """
        if not 0 <= decision < self._rows:
            raise DataError(
                f"desk: decision must be in [0, {self._rows}), got {decision}; pass what decide gave"
            )
        if self._numbers.item(decision, -1):
            raise DataError(
                f"desk: decision {decision} was answered with {self._numbers[decision, -2]}, got {reward} as well; "
                "tell each once"
            )
        if not weight > 0:
            raise DataError(f"desk: weight must be above 0, got {weight}; leave out what does not count")
        if self._served is not None:
            told = (decision, reward, weight, self._channels)
            if self._served.answer(told, self._numbers, self._indices, self._actions):
                return
        column = np.array([self._indices[decision, -1]], dtype=np.int64)
        self._policy.update(
            self._view(decision), column, np.array([float(reward)]), np.array([float(weight)])
        )
        self._numbers[decision, -2:] = reward, weight

    def _decide(
        self,
        row: int,
        context: ArrayLike,
        candidates: ArrayLike,
        state: ArrayLike,
        time: float,
        uniform: float,
    ) -> int:
        """The long way, which says what is wrong; it comes first, and checks what cannot change later."""
        self._write(row, context, candidates, state, time)
        batch = self._view(row)
        batch.check()
        probs = self._policy.action_probs(batch, self._rng)
        column = int(draw(probs, np.array([uniform]))[0])
        self._numbers[row, -2 - self._slots : -2] = probs[0]
        self._indices[row, -1] = column
        self._served = self._policy if isinstance(self._policy, Served) else None
        return column

    def _write(
        self, row: int, context: ArrayLike, candidates: ArrayLike, state: ArrayLike, time: float
    ) -> None:
        """Puts a request into its row."""
        given, values = np.asarray(candidates), np.asarray(state)
        given = given if given.dtype == np.int32 else _as_indices(given)
        values = values[:, None] if values.ndim == 1 else values
        slots, n, width = self._slots, len(given), self._width
        of_each = self._numbers[row, 1 + width : -2 - slots].reshape(slots, self._channels)
        try:
            if np.shape(context) != (width,) or values.shape != (n, self._channels) or given.ndim != 1:
                raise ValueError
            self._numbers[row, 0] = time
            self._numbers[row, 1 : 1 + width] = context
            self._indices[row, :n], self._indices[row, n:] = given, ABSENT
            of_each[:n], of_each[n:] = values, 0.0
        except (ValueError, TypeError):
            raise DataError(
                f"desk: context must be ({width},), candidates (k,) with k <= {slots} and state "
                f"(k, {self._channels}), got {np.shape(context)}, {given.shape} and {values.shape}; "
                "give what the desk was made for"
            ) from None

    def _view(self, row: int) -> Batch:
        """The request in a row, not checked."""
        numbers, slots = self._numbers[row : row + 1], self._slots
        return Batch.unchecked(
            context=numbers[:, 1 : 1 + self._width],
            actions=self._actions,
            candidates=self._indices[row : row + 1, :slots],
            state=numbers[:, 1 + self._width : -2 - slots].reshape(1, slots, self._channels),
            time=numbers[:, 0],
        )

    def _grow(self) -> None:
        """Twice as many rows."""
        self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self._indices = np.concatenate([self._indices, np.full_like(self._indices, ABSENT)])


def _as_indices(given: NDArray[np.generic]) -> NDArray[np.int32]:
    """Variant indices of another integer type."""
    whole = given.ndim == 1 and given.dtype.kind in "iu"
    if not whole or (given.size and not -(2**31) <= int(given.min()) <= int(given.max()) < 2**31):
        raise DataError(
            f"desk: candidates must be a list of variant indices, got {given.dtype} of shape {given.shape}; "
            "give integers, -1 for absent"
        )
    return given.astype(np.int32)
