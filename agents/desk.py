"""A desk serves a policy one request at a time and keeps the log: decide now, learn when the answer comes.

    desk = Desk(policy, actions, slots=8, context=16, rng=np.random.default_rng(0))
    choice = desk.decide(context, candidates, state)     # choice.column is shown, choice.propensity is logged
    desk.learn(choice.decision, reward=1.0)              # in any order, at any time, once
    desk.log                                             # the columns, each decision with its whole distribution

Each request is a `Batch` of one, checked as every batch is, drawn by `decide`; nothing here decides. One desk belongs
to one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.decide import decide
from copybandit.sim.types import DataError, Floats, Ints


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
        self.policy = policy
        self._actions: Floats = np.array(actions, dtype=np.float64, order="C")
        self._actions.flags.writeable = False
        self._rng = rng
        self._log = DeskLog(
            time=np.zeros(1),
            context=np.zeros((1, context)),
            candidates=np.full((1, slots), ABSENT, dtype=np.int32),
            state=np.zeros((1, slots, channels)),
            action_probs=np.zeros((1, slots)),
            action=np.zeros(1, dtype=np.int64),
            reward=np.full(1, np.nan),
            weight=np.zeros(1),
        )
        self._rows = 0
        self._last: Batch | None = None
        """The request of the last row, which is often the next to be answered."""

    def __len__(self) -> int:
        return self._rows

    @property
    def log(self) -> DeskLog:
        """The columns as they are now, copied."""
        columns = vars(self._log)
        return DeskLog(**{name: values[: self._rows].copy() for name, values in columns.items()})

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
        if row == len(self._log.action):
            self._grow()
        self._write(row, context, candidates, state, time)
        batch = self._view(row)
        batch.check()
        probs = self.policy.action_probs(batch, self._rng)
        column = int(decide(probs, self._rng)[0])
        log = self._log
        log.action_probs[row] = probs[0]
        log.action[row] = column
        self._rows, self._last = row + 1, batch
        return Choice(row, column, int(log.candidates[row, column]), float(probs[0, column]))

    def learn(self, decision: int, reward: float, weight: float = 1.0) -> None:
        """Teaches the policy what came of a decision and logs it.

        Args:
            decision: number that `decide` gave.
            reward: finite.
            weight: how much it counts, above 0.

        Raises:
            DataError: the decision is unknown or was answered before, or a number is unusable; nothing changes.
        """
        log = self._log
        if not 0 <= decision < self._rows:
            raise DataError(f"desk: decision must be in [0, {self._rows}), got {decision}; pass what decide gave")
        if log.weight[decision]:
            raise DataError(
                f"desk: decision {decision} was answered with {log.reward[decision]}, got {reward} as well; "
                "tell each once"
            )
        if not weight > 0:
            raise DataError(f"desk: weight must be above 0, got {weight}; leave out what does not count")
        log.reward[decision], log.weight[decision] = reward, weight
        one = slice(decision, decision + 1)
        batch = self._last if decision == self._rows - 1 and self._last is not None else self._view(decision)
        try:
            self.policy.update(batch, log.action[one], log.reward[one], log.weight[one])
        except DataError:
            log.reward[decision], log.weight[decision] = np.nan, 0.0
            raise

    def _write(
        self, row: int, context: ArrayLike, candidates: ArrayLike, state: ArrayLike, time: float
    ) -> None:
        """Puts a request into its row."""
        log, given = self._log, np.asarray(candidates)
        if given.dtype != np.int32:
            given = _as_indices(given)
        values = np.asarray(state)
        if values.ndim == 1:
            values = values[:, None]
        slots, n = log.candidates.shape[1], len(given)
        try:
            if n < slots:
                log.candidates[row, n:], log.state[row, n:] = ABSENT, 0.0
            log.candidates[row, :n] = given
            log.state[row, :n] = values
            log.context[row] = context
            log.time[row] = time
        except (ValueError, TypeError):
            raise DataError(
                f"desk: context must be ({log.context.shape[1]},), candidates (k,) with k <= {slots} and state "
                f"(k, {log.state.shape[2]}), got {np.shape(context)}, {given.shape} and {values.shape}; "
                "give what the desk was made for"
            ) from None

    def _view(self, row: int) -> Batch:
        """The request in a row, not checked."""
        log, one = self._log, slice(row, row + 1)
        return Batch.unchecked(
            context=log.context[one],
            actions=self._actions,
            candidates=log.candidates[one],
            state=log.state[one],
            time=log.time[one],
        )

    def _grow(self) -> None:
        """Twice as many rows."""
        columns = vars(self._log)
        self._log = DeskLog(
            **{name: np.concatenate([values, np.zeros_like(values)]) for name, values in columns.items()}
        )
        self._log.reward[self._rows :] = np.nan
        self._last = None
        self._log.candidates[self._rows :] = ABSENT


def _as_indices(given: NDArray[np.generic]) -> NDArray[np.int32]:
    """Variant indices of another integer type."""
    if given.ndim != 1 or given.dtype.kind not in "iu" or (given.size and np.abs(given).max() >= 2**31):
        raise DataError(
            f"desk: candidates must be a list of variant indices, got {given.dtype} of shape {given.shape}; "
            "give integers, -1 for absent"
        )
    return given.astype(np.int32)
