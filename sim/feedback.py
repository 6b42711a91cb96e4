"""Logged bandit feedback: one columnar log that simulator, learner, reports and off-policy estimators share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.types import Bools, DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class LoggedFeedback:
    """Rows of logged bandit feedback; every row carries the whole distribution its action was drawn from.

    Attributes:
        timestamp: shape (n,), datetime64[us].
        shopper: shape (n,), index of the shopper.
        product: shape (n,), index of the product.
        position: shape (n,), 1 is the first place.
        candidates: shape (n, k), variant indices, -1 for absent.
        action_probs: shape (n, k), rows sum to 1, 0 where absent.
        action: shape (n,), which of the k columns was drawn.
        click: shape (n,), 0 or 1.
        conversion: shape (n,), 0 or 1.
        value: shape (n,), money.
        reward: shape (n,), what the decision earned: its click, unless something else was optimised.
        policy: name of the behavior policy.
        held: shape (n,), whether the shopper is held out and got the control; None where nobody is.
        context: shape (n, p), what the policy knew of the request; None where that was not logged.
        state: shape (n, k, s), what it knew of each candidate, channel 0 the warm start; 0 where absent, None likewise.
    """

    timestamp: NDArray[np.datetime64]
    shopper: Ints
    product: Ints
    position: Ints
    candidates: NDArray[np.int32]
    action_probs: Floats
    action: Ints
    click: Floats
    conversion: Floats
    value: Floats
    reward: Floats
    policy: str
    held: Bools | None = None
    context: Floats | None = None
    state: Floats | None = None

    def __post_init__(self) -> None:
        n = len(self.action)
        if self.candidates.shape != self.action_probs.shape or self.candidates.shape[0] != n:
            raise DataError(
                f"feedback: candidates {self.candidates.shape} and action_probs {self.action_probs.shape} must "
                f"both be ({n}, k); align the columns"
            )
        if n and not (self.propensity > 0).all():
            row = int(np.argmin(self.propensity))
            raise DataError(
                f"feedback row {row}: propensity must be in (0, 1], got {self.propensity[row]}; "
                "log the probability the action was drawn with"
            )
        if self.held is not None and self.held.shape != (n,):
            raise DataError(f"feedback: held must be ({n},), got {self.held.shape}; say it of every row")
        self._check_features(n)

    def _check_features(self, n: int) -> None:
        if self.context is not None and (self.context.ndim != 2 or len(self.context) != n):
            raise DataError(
                f"feedback: context must be ({n}, p), got {self.context.shape}; log it of every row"
            )
        if self.state is not None and (self.state.ndim != 3 or self.state.shape[:2] != self.candidates.shape):
            raise DataError(
                f"feedback: state must be {(*self.candidates.shape, 's')}, got {self.state.shape}; log it of every candidate"
            )

    def __len__(self) -> int:
        return len(self.action)

    @property
    def item_id(self) -> Ints:
        """Variant that was shown, shape (n,)."""
        return self.candidates[np.arange(len(self)), self.action].astype(np.int64)

    @property
    def propensity(self) -> Floats:
        """Probability of the shown variant under the behavior policy, shape (n,)."""
        return self.action_probs[np.arange(len(self)), self.action]
