"""Whether a click converts, and after how long, when the answer is late (Chapelle, KDD 2014).

P(converts | x) = p = sigmoid(w . x), delay given conversion ~ Exp(rate r = exp(v . x)), in days. A click whose conversion
has not been seen after e days (at most the window, for later ones are never recorded) says 1 - p + p exp(-r e), so a young
click is not taken for a failure:

    log L = sum_converted [log p + log r - r delay] + sum_others log(1 - p + p exp(-r e))

The likelihood is maximised by L-BFGS with its analytic gradient; standard errors come from the observed information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from copybandit.sim.types import Bools, DataError, Floats

WINDOW = 30.0
"""Days after a click in which a conversion is recorded, as in the paper."""
RIDGE = 1e-3
"""Precision of a normal prior on every coefficient: keeps finite what the rows leave open, moves nothing else."""


@dataclass(frozen=True, kw_only=True)
class Clicks:
    """Clicks and what is known of them now, n rows of d features.

    Attributes:
        x: shape (n, d), finite; the first column is usually 1.
        converted: shape (n,), whether a conversion was seen.
        days: shape (n,), from click to conversion where converted, else from click to now, 0 to `window`.
        window: days in which conversions are recorded.

    Raises:
        DataError: for shapes that do not agree, or a value out of range, naming the row.
    """

    x: Floats
    converted: Bools
    days: Floats
    window: float = WINDOW

    def __post_init__(self) -> None:
        n = len(self.x)
        if self.x.ndim != 2 or self.converted.shape != (n,) or self.days.shape != (n,) or not n:
            raise DataError(
                f"clicks: x, converted and days must have shapes (n, d), (n,), (n,) with n above 0, got "
                f"{self.x.shape}, {self.converted.shape}, {self.days.shape}; align the columns"
            )
        right = np.isfinite(self.x).all(axis=1) & (self.days >= 0) & (self.days <= self.window + 1e-9)
        if not right.all():
            row = int(np.argmin(right))
            raise DataError(
                f"clicks row {row}: x must be finite and days 0 to {self.window}, got x {self.x[row]}, days "
                f"{self.days[row]}; correct or drop the row, and cut days at the window"
            )


@dataclass(frozen=True, kw_only=True)
class ConversionModel:
    """A fitted model of d features.

    Attributes:
        conversion, delay: shape (d,), w and v of the module's formula.
        conversion_error, delay_error: shape (d,), their standard errors.
        window: days in which conversions are recorded.
        log_likelihood: of the rows it was fitted on.
    """

    conversion: Floats
    delay: Floats
    conversion_error: Floats
    delay_error: Floats
    window: float
    log_likelihood: float

    def probability(self, x: Floats) -> Floats:
        """Probability of ever converting, shape (n,), given features (n, d)."""
        return np.asarray(expit(x @ self.conversion))

    def probability_within(self, x: Floats, days: Floats | float) -> Floats:
        """Probability of converting within some days of the click, shape (n,)."""
        return np.asarray(-self.probability(x) * np.expm1(-np.exp(x @ self.delay) * days))

    def mean_delay(self, x: Floats) -> Floats:
        """Mean days from click to conversion, of those that convert, shape (n,)."""
        return np.asarray(np.exp(-(x @ self.delay)))


def log_likelihood(theta: Floats, clicks: Clicks) -> tuple[float, Floats]:
    """Log-likelihood and its gradient at theta = (w, v), shape (2 d,)."""
    d = clicks.x.shape[1]
    a, b = clicks.x @ theta[:d], np.clip(clicks.x @ theta[d:], -30.0, 30.0)
    p, hazard = expit(a), np.exp(b) * clicks.days
    gone = -np.expm1(-hazard)  # 1 - exp(-r e)
    silent = np.maximum(1 - p * gone, 1e-300)
    value = np.where(clicks.converted, -np.logaddexp(0, -a) + b - hazard, np.log(silent))
    by_a = np.where(clicks.converted, 1 - p, -p * (1 - p) * gone / silent)
    by_b = np.where(clicks.converted, 1 - hazard, -p * hazard * np.exp(-hazard) / silent)
    return float(value.sum()), np.concatenate([clicks.x.T @ by_a, clicks.x.T @ by_b])


def fit_conversion(clicks: Clicks) -> ConversionModel:
    """Fit both halves of the model at once.

    Raises:
        DataError: with fewer than two conversions or none that fails to convert, or without convergence.
    """
    n, seen = len(clicks.converted), int(clicks.converted.sum())
    if not 2 <= seen < n:
        raise DataError(
            f"conversion: needs at least 2 converted clicks and 1 that is not, got {seen} of {n}; give a longer log"
        )
    d = clicks.x.shape[1]
    scale = np.sqrt((clicks.x**2).mean(axis=0))
    scaled = Clicks(
        x=clicks.x / np.where(scale > 0, scale, 1.0),
        converted=clicks.converted,
        days=clicks.days,
        window=clicks.window,
    )

    def loss(theta: Floats) -> tuple[float, Floats]:
        value, gradient = _penalised(theta, scaled)
        return -value / n, -gradient / n

    options = {"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-8}
    found = minimize(loss, np.zeros(2 * d), jac=True, method="L-BFGS-B", options=options)
    if not found.success and np.abs(found.jac).max() > 1e-4:
        raise DataError(
            f"conversion: the fit must converge, got {found.message!r} after {found.nit} steps; "
            "give more rows or fewer features"
        )
    return _model(np.asarray(found.x), scaled, np.where(scale > 0, scale, 1.0))


def _penalised(theta: Floats, clicks: Clicks) -> tuple[float, Floats]:
    value, gradient = log_likelihood(theta, clicks)
    return value - RIDGE / 2 * float(theta @ theta), gradient - RIDGE * theta


def _model(theta: Floats, clicks: Clicks, scale: Floats, step: float = 1e-4) -> ConversionModel:
    """The model at these parameters of the scaled features, in the units of the given ones."""
    columns = [
        (_penalised(theta - e, clicks)[1] - _penalised(theta + e, clicks)[1]) / (2 * step)
        for e in step * np.eye(len(theta))
    ]
    information = np.array(columns)
    variance = np.linalg.pinv((information + information.T) / 2).diagonal()
    error = np.sqrt(np.where(variance > 0, variance, np.nan)) / np.tile(scale, 2)
    d = len(scale)
    return ConversionModel(
        conversion=theta[:d] / scale,
        delay=theta[d:] / scale,
        conversion_error=error[:d],
        delay_error=error[d:],
        window=clicks.window,
        log_likelihood=log_likelihood(theta, clicks)[0],
    )
