"""The linear model around the warm start that LinUCB, LinTS, SquareCB and softmax share.

    E[click] = prior * (x . theta + rho_v),   x = [1, actions[v], context x action columns, state columns]

Before any feedback theta = e_0 and rho = 0, so the prediction is the warm start itself. Var(click) is close
to prior, so least squares weighs a row by 1 / prior and the factors cancel: with phi = prior * x,
phi phi' / prior = prior x x' and phi * reward / prior = x * reward; nothing is divided by a small number.

Both sides of the normal equations are kept centred (`policy_arrow`): with c_v the mean of x and l_v the mean of
reward / prior that a variant was shown with, rho_v = l_v - c_v . theta, and the prediction is

    prior * ((x - c_v) . theta + l_v)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.fast import kernel
from copybandit.agents.policy_arrow import REFRESH, Arrow, Scores
from copybandit.agents.policy_features import SharedFeatures
from copybandit.sim.types import DataError, Floats, Ints

RIDGES = (1e-12, 1e12)
"""Least and largest precision before data; with features of at most 1e12 every square stays finite."""


class LinearModel:
    """Posterior of theta and rho given weighted feedback; the arguments are `LinearOptions`.

    Raises:
        DataError: a setting is out of range, or there are more than 256 shared features.
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
        self._right: Floats = ridge * np.eye(d)[0]
        self._level: Floats = np.zeros(n_actions)
        self._theta: Floats = np.eye(d)[0]

    @property
    def width(self) -> int:
        """Number of shared coefficients d."""
        return self._features.width

    @property
    def theta(self) -> Floats:
        """Shared coefficients, shape (d,); e_0 before any feedback."""
        return np.array(self._theta)

    @property
    def residual(self) -> Floats:
        """Scalar correction of each variant, shape (m,)."""
        return np.asarray(self._level - self._arrow.centre @ self._theta)

    def predict(self, batch: Batch) -> Floats:
        """Expected click, shape (n, k)."""
        return self._mean(batch, self._centred(batch))

    def scores(self, batch: Batch) -> Scores:
        """Posterior of the expected click of each candidate."""
        x = self._centred(batch)
        return self._arrow.scores(x, batch.candidates, self._mean(batch, x), batch.prior)

    def compiled(self, batch: Batch) -> tuple[object, ...]:
        """What `policy_kernel` scores a batch with: the parts of its features, then the posterior."""
        arrow = self._arrow
        return (
            *self._features.parts(batch),
            arrow.whiten,
            arrow.centre,
            arrow.diagonal,
            self._level,
            self._theta,
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Adds the shown rows; a few one by one, many at once."""
        if self._arrow.is_few(len(batch)) and self._learn(batch, column, reward, weight):
            return
        check_feedback(batch, column, reward, weight)
        x, told = self._features(batch, column), np.flatnonzero(weight > 0)
        if not len(told):
            return
        rows = _Rows(
            x=x[told],
            variant=batch.shown(column)[told],
            weight=(weight * batch.prior[np.arange(len(batch)), column])[told],
            gain=(weight * reward)[told],
        )
        if self._arrow.is_few(len(told)):
            self._step(rows)
        else:
            self._move(rows)

    def forget(self, keep: float) -> None:
        """Mixes what was learned with the warm start: keep * (precision, moments) + (1 - keep) * those before data.

        Args:
            keep: in (0, 1]; 1 forgets nothing.

        Raises:
            DataError: it is not.
        """
        if not 0 < keep <= 1:
            raise DataError(f"linear model: keep must be in (0, 1], got {keep}; correct the setting")
        if keep == 1:
            return
        gained = self._arrow.forget(keep, self._level)
        self._right = keep * self._right + gained
        self._right[0] += (1 - keep) * self._arrow.ridge
        self._solve()

    def _learn(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> bool:
        """Learns by the compiled kernel; False, and nothing is changed, where it cannot or the feedback is unusable."""
        fast, rows, arrow = kernel(), (len(batch),), self._arrow
        if fast is None or not (column.shape == reward.shape == weight.shape == rows):
            return False
        try:
            told = fast.learn(
                *self._features.parts(batch),
                column,
                reward,
                weight,
                arrow.schur,
                arrow.whiten,
                arrow.centre,
                arrow.diagonal,
                self._level,
                self._right,
                self._theta,
            )
        except TypeError:  # arrays of another kind
            return False
        if told > 0:
            arrow.since += told
            if arrow.since >= REFRESH:
                arrow.refresh()
                self._solve()
        return bool(told >= 0)

    def _step(self, rows: _Rows) -> None:
        """Rows one by one, theta by recursive least squares."""
        arrow = self._arrow
        for row, (variant, weight, gain) in enumerate(
            zip(rows.variant.tolist(), rows.weight.tolist(), rows.gain.tolist(), strict=True)
        ):
            before, level = float(arrow.diagonal[variant]), float(self._level[variant])
            after, refreshed = before + weight, arrow.since
            u, k, toward = arrow.step(rows.x[row], variant, weight)
            miss = gain * before / after - k * level
            self._right += miss * u
            self._level[variant] += (gain - weight * level) / after
            self._theta += (miss - k * float(u @ self._theta)) * toward
            if arrow.since < refreshed:
                self._solve()

    def _move(self, rows: _Rows) -> None:
        """Rows at once, theta anew; the products of two means are pooled as variances are (Chan et al. 1979)."""
        moved = self._arrow.move(rows.x, rows.variant, rows.weight)
        weight, gain = rows.weight[moved.order], rows.gain[moved.order]
        old = self._level[moved.variants]
        up = np.add.reduceat(gain - weight * old[moved.group], moved.first) / moved.after
        self._right += (gain - weight * (old + up)[moved.group]) @ moved.rest
        self._right += (moved.before * up) @ moved.shift
        self._level[moved.variants] += up
        self._solve()

    def _solve(self) -> None:
        self._theta = self._arrow.solve_shared(self._right)

    def _centred(self, batch: Batch) -> Floats:
        """Features less what each candidate was shown with on average, shape (n, k, d)."""
        x = self._features(batch)
        x -= self._arrow.centre[batch.candidates]
        return x

    def _mean(self, batch: Batch, x: Floats) -> Floats:
        return np.asarray(batch.prior * (x @ self._theta + self._level[batch.candidates]))


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Rows of positive weight: x (n, d), and the variant, weight * prior and weight * reward of each, (n,)."""

    x: Floats
    variant: Ints
    weight: Floats
    gain: Floats


def check_ridges(ridge: float, residual_ridge: float) -> None:
    """Refuses priors that are no precision.

    Raises:
        DataError: one is outside `RIDGES`.
    """
    low, high = RIDGES
    if not (low <= ridge <= high and low <= residual_ridge <= high):
        raise DataError(
            f"linear model: ridge and residual_ridge must be in [{low:g}, {high:g}], got {ridge} and {residual_ridge}; "
            "correct the settings"
        )
