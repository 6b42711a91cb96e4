"""The linear model around the warm start that LinUCB, LinTS, SquareCB and softmax share.

    E[click] = prior * (x . theta + rho_v),   x = [1, actions[v], context x action columns, state columns]

Before any feedback theta = e_0 and rho = 0, so the prediction is the warm start itself. Var(click) is close
to prior, so least squares weighs a row by 1 / prior and the factors cancel: with phi = prior * x,
phi phi' / prior = prior x x' and phi * reward / prior = x * reward; nothing is divided by a small number.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.policy_arrow import Arrow, Scores
from copybandit.agents.policy_features import SharedFeatures
from copybandit.sim.types import DataError, Floats, Ints


class LinearModel:
    """Posterior of theta and rho given weighted feedback; the arguments are `LinearOptions`.

    Raises:
        DataError: a setting is out of range, or there are more than 32 shared features.
    """

    def __init__(
        self,
        *,
        n_actions: int,
        n_features: int,
        interactions: tuple[tuple[int, int], ...] = (),
        state_channels: tuple[int, ...] = (),
        ridge: float = 100.0,
        residual_ridge: float = 44.0,
    ) -> None:
        check_ridges(ridge, residual_ridge)
        self._features = SharedFeatures(
            n_actions=n_actions,
            n_features=n_features,
            interactions=interactions,
            state_channels=state_channels,
        )
        d = self._features.width
        self._arrow = Arrow(n_actions=n_actions, width=d, ridge=ridge, residual_ridge=residual_ridge)
        self._moment: Floats = ridge * np.eye(d)[0]
        self._residual_moment: Floats = np.zeros(n_actions)
        self._theta, self._rho = self._arrow.solve(self._moment, self._residual_moment)

    @property
    def theta(self) -> Floats:
        """Shared coefficients, shape (d,); e_0 before any feedback."""
        return np.array(self._theta)

    @property
    def residual(self) -> Floats:
        """Scalar correction of each variant, shape (m,)."""
        return np.array(self._rho)

    def predict(self, batch: Batch) -> Floats:
        """Expected click, shape (n, k)."""
        return self._mean(batch, self._features(batch))

    def scores(self, batch: Batch) -> Scores:
        """Posterior of the expected click of each candidate."""
        x = self._features(batch)
        return self._arrow.scores(x, batch.candidates, self._mean(batch, x), batch.prior)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Adds the shown rows to the normal equations and solves them once."""
        check_feedback(batch, column, reward, weight)
        x, shown = self._features(batch, column), batch.shown(column)
        self._arrow.add(x, shown, weight * batch.prior[np.arange(len(batch)), column])
        self._moment += (weight * reward) @ x
        self._residual_moment += np.bincount(shown, weight * reward, len(self._rho))
        self._arrow.refresh()
        self._theta, self._rho = self._arrow.solve(self._moment, self._residual_moment)

    def _mean(self, batch: Batch, x: Floats) -> Floats:
        return np.asarray(batch.prior * (x @ self._theta + self._rho[batch.candidates]))


def check_ridges(ridge: float, residual_ridge: float) -> None:
    """Refuses priors that are no precision.

    Raises:
        DataError: one is not positive and finite.
    """
    if not (0 < ridge < np.inf and 0 < residual_ridge < np.inf):
        raise DataError(
            f"linear model: ridge and residual_ridge must be above 0, got {ridge} and {residual_ridge}; "
            "correct the settings"
        )
