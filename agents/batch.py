"""What a policy sees of a batch of requests, and the two protocols every policy follows.

A policy is a distribution: it returns probabilities, it never samples. Sampling is `agents.decide`.
Channel 0 of ``state`` is ``prior``, the click probability the fitted world expects of that candidate for that
request (the warm start); channel 1, where present, is the exposure stock that drives fatigue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.fast import kernel
from copybandit.sim.types import Bools, DataError, Floats, Ints

ABSENT = -1
FEATURE_LIMIT = 1e6
"""Largest size of a feature; sums of its squares over any log then stay finite in float64."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch of n requests with up to k candidates each; a single request is a batch of one.

    Attributes:
        context: shape (n, p), features of the request.
        actions: shape (m, q), features of all variants; one static array shared by all batches. Made read-only
            (``actions.flags.writeable = False``), it is checked once, not with every batch.
        candidates: shape (n, k) int32, variant indices, -1 for absent; no variant twice in a row.
        state: shape (n, k, s), s >= 1, per candidate; channel 0 is ``prior`` in (0, 1).
        time: shape (n,), days since the start.
    """

    context: Floats
    actions: Floats
    candidates: NDArray[np.int32]
    state: Floats
    time: Floats

    def __post_init__(self) -> None:
        self.check()

    @classmethod
    def unchecked(
        cls,
        *,
        context: Floats,
        actions: Floats,
        candidates: NDArray[np.int32],
        state: Floats,
        time: Floats,
    ) -> Batch:
        """A batch that its maker checks, or has checked before."""
        batch = object.__new__(cls)
        vars(batch).update(context=context, actions=actions, candidates=candidates, state=state, time=time)
        return batch

    def check(self) -> None:
        """Refuses what no policy can use.

        Raises:
            DataError: a shape, a candidate or a number is out of the rules above.
        """
        self._check_shapes()
        if self._is_usable():
            return
        self._check_candidates()
        self._check_numbers()

    def _check_shapes(self) -> None:
        if self.candidates.ndim != 2 or self.candidates.shape[1] == 0:
            raise DataError(
                f"batch: candidates must be (n, k) with k >= 1, got {self.candidates.shape}; reshape it"
            )
        if self.candidates.dtype.kind != "i":
            raise DataError(
                f"batch: candidates must be int32, got {self.candidates.dtype}; use variant indices"
            )
        n, k = self.candidates.shape
        state = self.state.shape
        if len(state) != 3 or state[:2] != (n, k) or state[2] == 0:
            raise DataError(
                f"batch: state must be ({n}, {k}, s) with s >= 1, got {state}; align it with candidates"
            )
        if self.context.ndim != 2 or self.context.shape[0] != n or self.time.shape != (n,):
            raise DataError(
                f"batch: context must be ({n}, p) and time ({n},), got {self.context.shape} and "
                f"{self.time.shape}; "
                "give one row per request"
            )
        if self.actions.ndim != 2:
            raise DataError(
                f"batch: actions must be (m, q), got {self.actions.shape}; give one row per variant"
            )

    def _is_usable(self) -> bool:
        """Whether the compiled check finds nothing; where it cannot look, or finds something, the checks below say what."""
        fast = kernel()
        if fast is None or not _are_sound(self.actions):
            return False
        try:
            found = fast.usable(self.context, self.candidates, self.state, self.time, len(self.actions))
        except TypeError:  # arrays of another kind
            return False
        return bool(found)

    def _check_candidates(self) -> None:
        m = len(self.actions)
        if self.candidates.size == 0:
            return
        low, high = int(self.candidates.min()), int(self.candidates.max())
        if low < ABSENT or high >= m:
            raise DataError(
                f"batch: candidates must be in [-1, {m}), got {low} to {high}; use variant indices"
            )
        ranked = np.sort(self.candidates, axis=1)
        if (ranked[:, -1] == ABSENT).any():
            row = int(np.argmax(ranked[:, -1] == ABSENT))
            raise DataError(f"batch row {row}: candidates must name a variant, got all -1; drop the request")
        twice = ((ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] != ABSENT)).any(axis=1)
        if twice.any():
            row = int(np.argmax(twice))
            raise DataError(
                f"batch row {row}: candidates must be distinct, got {self.candidates[row].tolist()}; drop the repeats"
            )

    def _check_numbers(self) -> None:
        named = {"context": self.context, "actions": self.actions, "state": self.state, "time": self.time}
        for name, values in named.items():
            if (
                not (name == "actions" and _are_sound(values))
                and not (size := _size(values)) <= FEATURE_LIMIT
            ):
                raise DataError(
                    f"batch: {name} must be finite and at most {FEATURE_LIMIT:g} in size, got "
                    f"{size}; standardise or repair it"
                )
        bad = self.present & ~((self.prior > 0) & (self.prior < 1))
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                f"batch row {row}, column {column}: prior must be in (0, 1), got {self.prior[row, column]}; "
                "clip the warm-start probability"
            )

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def present(self) -> Bools:
        """Which candidates exist, shape (n, k)."""
        return np.asarray(self.candidates != ABSENT)

    @property
    def prior(self) -> Floats:
        """Warm-start click probability of each candidate, shape (n, k)."""
        return self.state[:, :, 0]

    def shown(self, column: Ints) -> Ints:
        """Variant index that stands in the given column of each row, shape (n,)."""
        return self.candidates[np.arange(len(self)), column].astype(np.int64)


def _size(values: Floats) -> float:
    """Largest absolute value, NaN if there is one, 0 of none; needs no memory of the size of the array."""
    if not values.size:
        return 0.0
    return float(np.maximum(values.max(), -values.min()))


_sound: WeakValueDictionary[int, Floats] = WeakValueDictionary()
"""Read-only features of actions that were found finite, by id: a static array is looked at once."""


def _are_sound(actions: Floats) -> bool:
    """Whether the features are of a sane size; remembered for an array that is read-only and owns its numbers."""
    fixed = not actions.flags.writeable and actions.base is None
    if fixed and _sound.get(id(actions)) is actions:
        return True
    found = _size(actions) <= FEATURE_LIMIT
    if fixed and found:
        _sound[id(actions)] = actions
    return found


class Policy(Protocol):
    """A distribution over the candidates of each request."""

    @property
    def name(self) -> str:
        """Name for logs and reports."""
        ...

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Probabilities, shape (n, k): rows sum to 1, 0 where absent.

        The column order carries no meaning and absent candidates do not count.
        """
        ...


class Learner(Policy, Protocol):
    """A policy that learns from feedback. One that has nothing to learn ignores it."""

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Learns from the candidates that were shown.

        Args:
            batch: the requests as they were when decided.
            column: shape (n,), which candidate column was shown.
            reward: shape (n,), finite.
            weight: shape (n,), finite and >= 0, how much the row counts; usually 1.

        Raises:
            DataError: the arrays do not fit the batch or hold unusable numbers.
        """
        ...


def check_feedback(batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
    """Checks what a learner is told, so that no learner can be poisoned by one bad row.

    Raises:
        DataError: wrong shapes, a column without candidate, or a number that is not finite and of sane size.
    """
    n = len(batch)
    if not (column.shape == reward.shape == weight.shape == (n,)):
        raise DataError(
            f"feedback: column, reward and weight must be ({n},), got {column.shape}, {reward.shape}, "
            f"{weight.shape}; give one per request"
        )
    if column.dtype.kind not in "iu":
        raise DataError(
            f"feedback: column must be whole numbers, got {column.dtype}; pass what decide() returned"
        )
    if n == 0:
        return
    if column.min() < 0 or column.max() >= batch.candidates.shape[1] or (batch.shown(column) == ABSENT).any():
        raise DataError(
            f"feedback: column must point at a present candidate, got {int(column.min())} to "
            f"{int(column.max())}; "
            "pass the column decide() returned"
        )
    for name, values, low in (("reward", reward, -FEATURE_LIMIT), ("weight", weight, 0.0)):
        if not ((values >= low) & (values <= FEATURE_LIMIT)).all():
            raise DataError(
                f"feedback: {name} must be finite and in [{low:g}, {FEATURE_LIMIT:g}], got {values.min()} to "
                f"{values.max()}; repair the rows"
            )
