"""Calibration: turns scores into probabilities, and says how far to believe them.

Platt (1999): P(label = 1) = sigmoid(intercept + slopes . scores), by maximum likelihood on people the score was not fitted
on. A second score, such as log popularity, may stand beside the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from copybandit.sim.demand import calibration_error
from copybandit.sim.types import DataError, Floats, Ints

BINS = 10


@dataclass(frozen=True, kw_only=True)
class Platt:
    """A fitted calibration of k scores.

    Attributes:
        slopes: shape (k,).
        intercept: in log-odds.
    """

    slopes: Floats
    intercept: float

    def logit(self, scores: Floats) -> Floats:
        """Log-odds of scores of shape (n,) or (n, k); shape (n,)."""
        return np.asarray(scores.reshape(len(scores), -1) @ self.slopes + self.intercept)

    def probability(self, scores: Floats) -> Floats:
        """Probabilities of scores of shape (n,) or (n, k); shape (n,)."""
        return np.asarray(expit(self.logit(scores)))


def fit_platt(scores: Floats, label: Ints) -> Platt:
    """Fit on scores of shape (n,) or (n, k) and labels 0 or 1 of shape (n,).

    Raises:
        DataError: when the labels are all the same, or a score is not finite.
    """
    columns = scores.reshape(len(label), -1)
    if not np.isfinite(columns).all():
        row = int(np.argmin(np.isfinite(columns).all(axis=1)))
        raise DataError(
            f"calibration row {row}: scores must be finite, got {columns[row]}; mend the model that scores"
        )
    if not 0 < label.mean() < 1:
        raise DataError(
            f"calibration: labels must hold both 0 and 1, got {len(label)} that are all "
            f"{label[0] if len(label) else 'absent'}; give a longer log or more shoppers"
        )
    scale = np.maximum(columns.std(axis=0), 1e-12)
    fit = LogisticRegression(C=1e6, max_iter=1000).fit(columns / scale, label)
    return Platt(slopes=np.asarray(fit.coef_[0] / scale), intercept=float(fit.intercept_[0]))


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Predicted against observed share in bins of equal count, B of them.

    Attributes:
        predicted, observed: shape (B,), mean of each bin.
        low, high: shape (B,), 95 % Wilson interval of `observed`.
        count: shape (B,), pairs in the bin.
    """

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    count: Ints


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """How probabilities agree with labels that nothing was fitted on.

    Attributes:
        log_loss: mean of -log of the probability of what happened, in nats.
        log_loss_constant: of the share of positives alone.
        auc: area under the ROC curve.
        slope: of a logistic regression of the label on the log-odds; 1 is calibrated, below 1 overconfident.
        ece: expected calibration error in 10 bins of equal width (Guo et al., 2017).
        n: pairs.
        reliability: the curve behind them.
    """

    log_loss: float
    log_loss_constant: float
    auc: float
    slope: float
    ece: float
    n: int
    reliability: Reliability


def judge_calibration(logit: Floats, label: Ints) -> CalibrationReport:
    """Judge log-odds by labels 0 or 1, both of shape (n,).

    Raises:
        DataError: as `fit_platt`.
    """
    slope = float(fit_platt(logit, label).slopes[0])
    share = float(label.mean())
    return CalibrationReport(
        log_loss=float(np.logaddexp(0, np.where(label == 1, -logit, logit)).mean()),
        log_loss_constant=float(-share * np.log(share) - (1 - share) * np.log1p(-share)),
        auc=float(roc_auc_score(label, logit)),
        slope=slope,
        ece=calibration_error(expit(logit), label.astype(np.float64)),
        n=len(label),
        reliability=reliability_curve(np.asarray(expit(logit)), label),
    )


def reliability_curve(probability: Floats, label: Ints, bins: int = BINS) -> Reliability:
    """Mean prediction and mean label of `bins` groups of equal count, by rising prediction."""
    order = np.argsort(probability, kind="stable")
    code = np.arange(len(order)) * bins // max(len(order), 1)
    count = np.bincount(code, minlength=bins)
    kept = count > 0
    predicted = np.bincount(code, probability[order], bins)[kept] / count[kept]
    observed = np.bincount(code, label[order], bins)[kept] / count[kept]
    low, high = wilson(observed, count[kept].astype(np.float64))
    return Reliability(predicted=predicted, observed=observed, low=low, high=high, count=count[kept])


def wilson(share: Floats, n: Floats, z: float = 1.96) -> tuple[Floats, Floats]:
    """Interval of shares of n trials each (Wilson, 1927); n may be an effective number, 0 gives 0 to 1."""
    safe = np.maximum(n, 1e-12)
    centre = (share + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z * np.sqrt(share * (1 - share) / safe + z**2 / (4 * safe**2)) / (1 + z**2 / safe)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
