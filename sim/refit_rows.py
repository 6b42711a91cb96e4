"""The regression behind a refit: weighted clicks on shared columns and on columns of the texts that rows show.

    P(click) = examine * sigmoid(offset + x'theta_shared + z_text'theta_text),   theta ~ N(mean, precision^-1)

Rows of one text share their columns, so each step sums rows by text first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from copybandit.sim.refit_log import Known
from copybandit.sim.rounds import Fitted
from copybandit.sim.types import Bools, Floats, Ints

_STEPS, _SMALL = 40, 1e-7


@dataclass(frozen=True, kw_only=True)
class NormalPrior:
    """Mean, shape (s + t,), of the coefficients of shared columns and of text columns, and precision, the same squared."""

    mean: Floats
    precision: Floats


@dataclass(frozen=True, kw_only=True)
class WeightedRows:
    """A weighted regression: columns of rows, shape (n, s), and of the texts they show, shape (texts, t)."""

    known: Known
    shared: Floats
    texts: Floats
    weight: Floats
    shopper: Ints

    def take(self, kept: Bools) -> WeightedRows:
        """Some rows."""
        columns = {name: getattr(self.known, name)[kept] for name in vars(self.known)}
        return replace(
            self,
            known=Known(**columns),
            shared=self.shared[kept],
            weight=self.weight[kept],
            shopper=self.shopper[kept],
        )

    def by_text(self, values: Floats) -> Floats:
        """Sums over the rows of each text, (n,) or (n, s) to (t,) or (t, s)."""
        flat = values.reshape(len(values), -1).T
        sums = [np.bincount(self.known.text, row, minlength=len(self.texts)) for row in flat]
        stacked = np.stack(sums, axis=1).reshape(len(self.texts), *values.shape[1:])
        return np.asarray(stacked, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Mode:
    """Where Fisher scoring ended, the covariance there, and the largest change of a coefficient in its last step."""

    theta: Floats
    covariance: Floats
    moved: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How a world's click probabilities fit rows that it was not fitted to.

    Attributes:
        log_loss: weighted mean, in nats a row.
        slope: of clicks on log-odds; 1 is calibrated.
        clicked, expected: weighted mean of clicks and of probabilities.
    """

    log_loss: float
    slope: Fitted
    clicked: float
    expected: float


def climb(rows: WeightedRows, prior: NormalPrior) -> Mode:
    """Fisher scoring from the prior's mean to the mode, and the sandwich there.

    Weighted rows are no independent draws of their likelihood, so the covariance is H^-1 (M + P) H^-1 of curvature H, prior
    precision P and summed squares M of the shoppers' scores (White, Econometrica 50:1, 1982).
    """
    theta, s = prior.mean.copy(), rows.shared.shape[1]
    for _ in range(_STEPS):
        pull, curvature = _slopes(rows, theta)
        mass = rows.by_text(curvature)
        cross = rows.texts.T @ rows.by_text(curvature[:, None] * rows.shared)
        information = prior.precision.copy()
        information[:s, :s] += (rows.shared * curvature[:, None]).T @ rows.shared
        information[s:, :s] += cross
        information[:s, s:] += cross.T
        information[s:, s:] += (rows.texts * mass[:, None]).T @ rows.texts
        score = np.r_[rows.shared.T @ pull, rows.texts.T @ rows.by_text(pull)]
        step = np.linalg.solve(information, score - prior.precision @ (theta - prior.mean))
        theta = theta + step
        if np.abs(step).max() < _SMALL:
            break
    inverse = np.linalg.inv(information)
    meat = _squares(rows, _slopes(rows, theta)[0]) + prior.precision
    return Mode(theta=theta, covariance=inverse @ meat @ inverse, moved=float(np.abs(step).max()))


def _probability(rows: WeightedRows, theta: Floats) -> tuple[Floats, Floats]:
    """P(click) and P(click | examined) of each row, shape (n,)."""
    s = rows.shared.shape[1]
    odds = rows.known.offset + rows.shared @ theta[:s] + (rows.texts @ theta[s:])[rows.known.text]
    own = 1 / (1 + np.exp(-odds))
    return np.clip(rows.known.examine * own, 1e-12, 1 - 1e-12), own


def _slopes(rows: WeightedRows, theta: Floats) -> tuple[Floats, Floats]:
    """Derivative of each row's weighted log-likelihood by its log-odds, and the expected curvature, shape (n,)."""
    click, own = _probability(rows, theta)
    steep = rows.known.examine * own * (1 - own)
    spread = click * (1 - click)
    return rows.weight * (rows.known.click - click) * steep / spread, rows.weight * steep**2 / spread


def _squares(rows: WeightedRows, pull: Floats) -> Floats:
    """Sum over shoppers of their score's square, shape (s + t, s + t)."""
    people, who = np.unique(rows.shopper, return_inverse=True)
    shape = (len(people), len(rows.texts))
    shown = sparse.csr_matrix((pull, (who, rows.known.text)), shape=shape)
    shared = [np.bincount(who, pull * column, minlength=len(people)) for column in rows.shared.T]
    score = np.hstack([np.stack(shared, axis=1), shown @ rows.texts])
    return np.asarray(score.T @ score)


def calibration(rows: WeightedRows, theta: Floats) -> Calibration:
    """How coefficients, shape (s + t,), fit rows."""
    click, own = _probability(rows, theta)
    y, total = rows.known.click, rows.weight.sum()
    odds = np.log(own / (1 - own))
    line = replace(
        rows,
        known=replace(rows.known, offset=np.zeros(len(y))),
        shared=np.column_stack([np.ones(len(y)), odds]),
        texts=np.zeros((len(rows.texts), 0)),
    )
    found = climb(line, NormalPrior(mean=np.array([0.0, 1.0]), precision=1e-6 * np.eye(2)))
    return Calibration(
        log_loss=float(-(rows.weight * (y * np.log(click) + (1 - y) * np.log1p(-click))).sum() / total),
        slope=fitted(found.theta[1], found.covariance[1, 1]),
        clicked=float((rows.weight * y).sum() / total),
        expected=float((rows.weight * click).sum() / total),
    )


def fitted(value: float, variance: float) -> Fitted:
    """A coefficient with its 95% interval."""
    wide = 1.96 * float(np.sqrt(variance))
    return Fitted(value=float(value), low=float(value) - wide, high=float(value) + wide)
