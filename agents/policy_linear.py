"""The linear model around the warm start that LinUCB, LinTS, SquareCB and softmax share.

    E[click] = prior * (x . theta + rho_v),   x = [1, actions[v], context x action columns, state columns, hashed crosses]

Before any feedback theta = e_0 and rho = 0, so the prediction is the warm start itself. Var(click) is close
to prior, so least squares weighs a row by 1 / prior and the factors cancel: with phi = prior * x,
phi phi' / prior = prior x x' and phi * reward / prior = x * reward; nothing is divided by a small number.

Both sides of the normal equations are kept centred (`policy_arrow`): with c_v the mean of x and l_v the mean of
reward / prior that a variant was shown with, rho_v = l_v - c_v . theta, and the prediction is

    prior * ((x - c_v) . theta + l_v)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_linear import LinearParts, linear_parts
from copybandit.agents.explain_parts import FeatureNames, Record
from copybandit.agents.fast import kernel
from copybandit.agents.forgetful import check_forget
from copybandit.agents.policy_arrow import REFRESH, Scores
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_prior import begin, settings_of
from copybandit.agents.stateful import Arrays, Settings
from copybandit.sim.types import Floats, Ints


class LinearModel:
    """Posterior of theta and rho given weighted feedback; the arguments are `LinearOptions`.

    Raises:
        DataError: a setting is out of range, or there are more than 256 shared features.
    """

    def __init__(self, **options: Unpack[LinearOptions]) -> None:
        self._features, self._arrow = begin(**options)
        self._arrow.right[0], self._arrow.theta[0] = self._arrow.ridge, 1.0

    @property
    def width(self) -> int:
        """Number of shared coefficients d."""
        return self._features.width

    @property
    def theta(self) -> Floats:
        """Shared coefficients, shape (d,); e_0 before any feedback."""
        return np.array(self._arrow.theta)

    @property
    def residual(self) -> Floats:
        """Scalar correction of each variant, shape (m,)."""
        return np.asarray(self._arrow.level - self._arrow.centre @ self._arrow.theta)

    def predict(self, batch: Batch) -> Floats:
        """Expected click, shape (n, k)."""
        return self._mean(batch, self._centred(batch))

    def scores(self, batch: Batch) -> Scores:
        """Posterior of the expected click of each candidate."""
        x = self._centred(batch)
        return self._arrow.scores(x, batch.candidates, self._mean(batch, x), batch.prior)

    @property
    def posterior(self) -> tuple[Ints, Floats, Floats]:
        """What `policy_kernel` scores with: the plan of the features, and what is shared and each variant's own."""
        return self._features.plan, self._arrow.shared, self._arrow.each

    def seen(self, batch: Batch) -> tuple[Floats, Floats, NDArray[np.int32], Floats]:
        """What `policy_kernel` scores of a batch, checked: context, actions, candidates and state."""
        self._features.check(batch)
        return batch.context, batch.actions, batch.candidates, batch.state

    def count(self, rows: int) -> None:
        """Notes rows that the compiled kernel learned."""
        arrow = self._arrow
        arrow.since += rows
        if arrow.since >= REFRESH:
            arrow.refresh()
            self._solve()

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

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Mixes what was learned with the warm start: keep * all + (1 - keep) * those before data; see `forgetful`."""
        check_forget(keep, variants, len(self._arrow.level))
        if keep == 1:
            return
        if variants is not None:
            self._arrow.forget_own(keep, variants)
            return
        self._arrow.forget(keep)
        self._arrow.right[0] += (1 - keep) * self._arrow.ridge
        self._solve()

    def _learn(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> bool:
        """Learns by the compiled kernel; False, and nothing is changed, where it cannot or the feedback is unusable."""
        fast, rows = kernel(), (len(batch),)
        if fast is None or not (column.shape == reward.shape == weight.shape == rows):
            return False
        try:
            told = fast.learn(*self.seen(batch), column, reward, weight, *self.posterior)
        except TypeError:  # arrays of another kind
            return False
        if told > 0:
            self.count(told)
        return bool(told >= 0)

    def _step(self, rows: _Rows) -> None:
        """Rows one by one, theta by recursive least squares."""
        arrow = self._arrow
        right, theta, level = arrow.right, arrow.theta, arrow.level
        for row, (variant, weight, gain) in enumerate(
            zip(rows.variant.tolist(), rows.weight.tolist(), rows.gain.tolist(), strict=True)
        ):
            before, refreshed = float(arrow.diagonal[variant]), arrow.since
            u, k, toward = arrow.step(rows.x[row], variant, weight)
            miss = gain * before / (before + weight) - k * float(level[variant])
            right += miss * u
            theta += (miss - k * float(u @ theta)) * toward
            level[variant] += (gain - weight * level[variant]) / (before + weight)
            if arrow.since < refreshed:
                self._solve()

    def _move(self, rows: _Rows) -> None:
        """Rows at once, theta anew; the products of two means are pooled as variances are (Chan et al. 1979)."""
        moved = self._arrow.move(rows.x, rows.variant, rows.weight)
        weight, gain, right = rows.weight[moved.order], rows.gain[moved.order], self._arrow.right
        old = self._arrow.level[moved.variants]
        up = np.add.reduceat(gain - weight * old[moved.group], moved.first) / moved.after
        right += (gain - weight * (old + up)[moved.group]) @ moved.rest
        right += (moved.before * up) @ moved.shift
        self._arrow.level[moved.variants] += up
        self._solve()

    def _solve(self) -> None:
        self._arrow.theta[:] = self._arrow.solve_shared(self._arrow.right)

    def _centred(self, batch: Batch) -> Floats:
        """Features less what each candidate was shown with on average, shape (n, k, d)."""
        x = self._features(batch)
        x -= self._arrow.centre[batch.candidates]
        return x

    def parts(self, batch: Batch, names: FeatureNames) -> LinearParts:
        """The expected click in parts: prior, prior * (what theta adds), prior * rho."""
        x, c = self._features(batch), batch.candidates
        return linear_parts(
            batch,
            x,
            self._features.names(names),
            start=batch.prior,
            scale=batch.prior,
            theta=self._arrow.theta - np.eye(self.width)[0],
            rho=self._arrow.level[c] - self._arrow.centre[c] @ self._arrow.theta,
            record=Record(
                seen=self._arrow.diagonal[c] - self._arrow.residual_ridge,
                clicks=self._arrow.diagonal[c] * self._arrow.level[c],
                unit="expected clicks",
            ),
        )

    def _mean(self, batch: Batch, x: Floats) -> Floats:
        return np.asarray(batch.prior * (x @ self._arrow.theta + self._arrow.level[batch.candidates]))

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return settings_of(self._features, self._arrow)

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return self._arrow.get_state()

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        self._arrow.set_state(state)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Rows of positive weight: x (n, d), and the variant, weight * prior and weight * reward of each, (n,)."""

    x: Floats
    variant: Ints
    weight: Floats
    gain: Floats
