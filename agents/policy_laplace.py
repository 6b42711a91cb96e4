"""Logistic regression around the warm start, its posterior by Laplace, batch after batch.

    logit E[reward] = logit(prior) + x . theta + rho_v,   x as in `policy_features`

theta and rho start at 0, the warm start. A batch moves the mean to the mode of the posterior before it times the
batch's likelihood, by Newton's method, and adds the curvature there to the precision. Chapelle & Li, NeurIPS 2011,
algorithm 3, with the whole precision in place of its diagonal.

The mode is sought from the mean before the batch, by moves of theta and of the rho of the batch's own variants. The others'
follow, for their weighted mean odds, rho_v + c_v . theta with c_v the centre of `policy_arrow`, stay what they were. So
what is kept is own_v = rho_v + c_v . moved, moved being how far theta has come, and a batch touches its own variants alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from copybandit.agents.batch import Batch
from copybandit.agents.explain_linear import LinearParts, linear_parts
from copybandit.agents.explain_parts import FeatureNames, Record
from copybandit.agents.forgetful import check_forget
from copybandit.agents.policy_arrow import Arrow, Scores
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_prior import begin, settings_of
from copybandit.agents.stateful import Arrays, Settings, fill
from copybandit.sim.types import Floats, Ints

STEPS = 25
"""Most Newton steps of a batch; unit features need about five, at full length."""
SHORTEST = 1e-12
"""Share of a Newton step below which there is no way down that rounding would let through."""
CONVERGED = 1e-12
"""Newton's decrement, in log-likelihood, at which the mode is found."""


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What a batch tells: x (n, d), and the variant, log-odds as yet, reward and weight of each row, (n,)."""

    x: Floats
    variant: Ints
    start: Floats
    reward: Floats
    weight: Floats

    def odds(self, theta: Floats, rho: Floats) -> Floats:
        """Log-odds of each row after moves of theta (d,) and rho."""
        return np.asarray(self.start + self.x @ theta + rho[self.variant])

    def loss(self, theta: Floats, rho: Floats) -> float:
        """Negative log-likelihood."""
        odds = self.odds(theta, rho)
        return float(self.weight @ (np.logaddexp(0, odds) - self.reward * odds))

    def curvature(self, theta: Floats, rho: Floats) -> Floats:
        """Second derivative of each row's loss by its odds."""
        p = expit(self.odds(theta, rho))
        return np.asarray(self.weight * p * (1 - p))


@dataclass(frozen=True, kw_only=True)
class _Posterior:
    """Negative log-posterior of moves from the mean of a Gaussian with this precision, after rows of its variants."""

    arrow: Arrow
    rows: _Rows

    def loss(self, theta: Floats, rho: Floats) -> float:
        """Up to a constant."""
        shared, own = self.arrow.times(theta, rho)
        return float(theta @ shared + rho @ own) / 2 + self.rows.loss(theta, rho)

    def slope(self, theta: Floats, rho: Floats) -> tuple[Floats, Floats]:
        """Its gradient by theta and by rho."""
        shared, own = self.arrow.times(theta, rho)
        miss = self.rows.weight * (expit(self.rows.odds(theta, rho)) - self.rows.reward)
        return shared + miss @ self.rows.x, own + np.bincount(self.rows.variant, miss, len(rho))

    @np.errstate(over="ignore", invalid="ignore")  # a step too long for float64 leads nowhere, and is halved
    def mode(self) -> tuple[Floats, Floats]:
        """Newton's method from 0; a step that does not lead down is halved."""
        theta, rho = np.zeros(self.arrow.width), np.zeros(len(self.arrow.each))
        for _ in range(STEPS):
            shared, own = self.slope(theta, rho)
            curved = self.arrow.copy()
            curved.add(self.rows.x, self.rows.variant, self.rows.curvature(theta, rho))
            step, own_step = curved.solve(shared, own)
            if not shared @ step + own @ own_step > CONVERGED:
                break
            now, share = self.loss(theta, rho), 1.0
            while share > SHORTEST and not self.loss(theta - share * step, rho - share * own_step) < now:
                share /= 2
            if share <= SHORTEST:
                break
            theta, rho = theta - share * step, rho - share * own_step
        return theta, rho


class LogisticModel:
    """Gaussian posterior of theta and rho in log-odds; the arguments are `policy_features.LinearOptions`.

    Raises:
        DataError: a setting is out of range, or there are more than 256 shared features.
    """

    def __init__(self, **options: Unpack[LinearOptions]) -> None:
        self._features, self._arrow = begin(**options)
        self.theta: Floats = np.zeros(self._features.width)
        self._own: Floats = np.zeros(self._features.n_actions)

    @property
    def rho(self) -> Floats:
        """Scalar of each variant, shape (m,)."""
        return np.asarray(self._own - self._arrow.centre @ self._moved)

    @property
    def _moved(self) -> Floats:
        """How far theta has come since what is kept of every variant was its rho, shape (d,), a view."""
        return self._arrow.theta

    def _rho(self, variants: NDArray[np.integer[Any]]) -> Floats:
        """The scalars of some variants, of their shape."""
        return np.asarray(self._own[variants] - self._arrow.centre[variants] @ self._moved)

    def scores(self, batch: Batch) -> Scores:
        """Posterior of each candidate's log-odds of a click."""
        x, c = self._features(batch), batch.candidates
        start = logit(np.where(batch.present, batch.prior, 0.5))
        mean = start + x @ self.theta + self._rho(c)
        return self._arrow.scores(x - self._arrow.centre[c], c, mean, np.ones(c.shape))

    def parts(self, batch: Batch, names: FeatureNames) -> LinearParts:
        """The log-odds in parts: of the warm start, x . theta, rho."""
        x, c = self._features(batch), batch.candidates
        seen = self._arrow.diagonal[c] - self._arrow.residual_ridge
        return linear_parts(
            batch,
            x,
            self._features.names(names),
            start=logit(np.where(batch.present, batch.prior, 0.5)),
            scale=np.ones(c.shape),
            theta=self.theta,
            rho=self._rho(c),
            record=Record(seen=seen, clicks=None, unit="information"),
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Moves to the mode and adds the curvature there; feedback is checked, reward in [0, 1]."""
        x, told = self._features(batch, column), np.flatnonzero(weight > 0)
        if not len(told):
            return
        variants, prior = batch.shown(column)[told], batch.prior[np.arange(len(batch)), column]
        touched, place = np.unique(variants, return_inverse=True)
        x, rho = x[told], self._rho(touched)
        rows = _Rows(
            x=x,
            variant=place,
            start=logit(prior[told]) + x @ self.theta + rho[place],
            reward=reward[told],
            weight=weight[told],
        )
        theta, own = _Posterior(arrow=self._arrow.part(touched), rows=rows).mode()
        self._arrow.add(x, variants, rows.curvature(theta, own))
        self.theta += theta
        self._moved[:] += theta
        self._own[touched] = rho + own + self._arrow.centre[touched] @ self._moved

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Mixes precision and moments with those before data; see `forgetful`."""
        check_forget(keep, variants, len(self._own))
        if keep == 1:
            return
        if variants is None:
            shared, own = self._arrow.times(self.theta, self.rho)
            self._arrow.forget(keep)
            self.theta[:], self._own[:] = self._arrow.solve(keep * shared, keep * own)
            self._moved[:] = 0.0
            return
        before, centre = self._arrow.diagonal[variants], self._arrow.centre
        level = self._rho(variants) + centre[variants] @ self.theta
        self._arrow.forget_own(keep, variants)
        level *= keep * before / self._arrow.diagonal[variants]
        self._own[variants] = level - centre[variants] @ (self.theta - self._moved)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return settings_of(self._features, self._arrow)

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {**self._arrow.get_state(), "theta": self.theta, "rho": self._own}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)
        self._arrow.since = int(state["since"])
