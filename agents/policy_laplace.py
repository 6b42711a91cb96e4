"""Logistic regression around the warm start, its posterior by Laplace, batch after batch.

    logit E[reward] = logit(prior) + x . theta + rho_v,   x as in `policy_features`

theta and rho start at 0, the warm start. A batch moves the mean to the mode of the posterior before it times the
batch's likelihood, by Newton's method, and adds the curvature there to the precision. Chapelle & Li, NeurIPS 2011,
algorithm 3, with the whole precision in place of its diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import numpy as np
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
    """What a batch tells: x (n, d), and the variant, log-odds of the warm start, reward and weight of each row, (n,)."""

    x: Floats
    variant: Ints
    start: Floats
    reward: Floats
    weight: Floats

    def odds(self, theta: Floats, rho: Floats) -> Floats:
        """Log-odds of each row."""
        return np.asarray(self.start + self.x @ theta + rho[self.variant])

    def loss(self, theta: Floats, rho: Floats) -> float:
        """Negative log-likelihood."""
        odds = self.odds(theta, rho)
        return float(self.weight @ (np.logaddexp(0, odds) - self.reward * odds))

    def add_curvature(self, arrow: Arrow, theta: Floats, rho: Floats) -> None:
        """Adds the second derivative to a precision."""
        p = expit(self.odds(theta, rho))
        arrow.add(self.x, self.variant, self.weight * p * (1 - p))


class LogisticModel:
    """Gaussian posterior of theta and rho in log-odds; the arguments are `policy_features.LinearOptions`.

    Raises:
        DataError: a setting is out of range, or there are more than 256 shared features.
    """

    def __init__(self, **options: Unpack[LinearOptions]) -> None:
        self._features, self._arrow = begin(**options)
        self.theta: Floats = np.zeros(self._features.width)
        self.rho: Floats = np.zeros(self._features.n_actions)

    def scores(self, batch: Batch) -> Scores:
        """Posterior of each candidate's log-odds of a click."""
        x, c = self._features(batch), batch.candidates
        start = logit(np.where(batch.present, batch.prior, 0.5))
        mean = start + x @ self.theta + self.rho[c]
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
            rho=self.rho[c],
            record=Record(seen=seen, clicks=None, unit="information"),
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Moves to the mode and adds the curvature there; feedback is checked, reward in [0, 1]."""
        rows = _Rows(
            x=self._features(batch, column),
            variant=batch.shown(column),
            start=logit(batch.prior[np.arange(len(batch)), column]),
            reward=reward,
            weight=weight,
        )
        theta, rho = self._mode(rows)
        rows.add_curvature(self._arrow, theta, rho)
        self.theta, self.rho = theta, rho

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Mixes precision and moments with those before data; see `forgetful`."""
        check_forget(keep, variants, len(self.rho))
        if keep == 1:
            return
        shared, own = self._arrow.times(self.theta, self.rho)
        if variants is not None:
            level = own / self._arrow.diagonal
            before = self._arrow.diagonal[variants]
            self._arrow.forget_own(keep, variants)
            level[variants] *= keep * before / self._arrow.diagonal[variants]
            self.rho = level - self._arrow.centre @ self.theta
            return
        self._arrow.forget(keep)
        self.theta, self.rho = self._arrow.solve(keep * shared, keep * own)

    def _mode(self, rows: _Rows) -> tuple[Floats, Floats]:
        """Newton's method from the mean before the batch; a step that does not lead down is halved."""
        theta, rho = self.theta, self.rho
        for _ in range(STEPS):
            shared, own = self._slope(rows, theta, rho)
            curved = self._arrow.copy()
            rows.add_curvature(curved, theta, rho)
            step, own_step = curved.solve(shared, own)
            if not shared @ step + own @ own_step > CONVERGED:
                break
            now, share = self._loss(rows, theta, rho), 1.0
            while share > SHORTEST and not (
                self._loss(rows, theta - share * step, rho - share * own_step) < now
            ):
                share /= 2
            if share <= SHORTEST:
                break
            theta, rho = theta - share * step, rho - share * own_step
        return theta, rho

    def _loss(self, rows: _Rows, theta: Floats, rho: Floats) -> float:
        """Negative log-posterior."""
        moved, own_moved = theta - self.theta, rho - self.rho
        shared, own = self._arrow.times(moved, own_moved)
        return float(moved @ shared + own_moved @ own) / 2 + rows.loss(theta, rho)

    def _slope(self, rows: _Rows, theta: Floats, rho: Floats) -> tuple[Floats, Floats]:
        """Its gradient by theta and by rho."""
        shared, own = self._arrow.times(theta - self.theta, rho - self.rho)
        miss = rows.weight * (expit(rows.odds(theta, rho)) - rows.reward)
        return shared + miss @ rows.x, own + np.bincount(rows.variant, miss, len(rho))

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return settings_of(self._features, self._arrow)

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {**self._arrow.get_state(), "theta": self.theta, "rho": self.rho}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)
        self._arrow.since = int(state["since"])
