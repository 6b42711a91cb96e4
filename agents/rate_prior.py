"""What tests of the past say of the next one: a hierarchical prior of click rates, fitted by empirical Bayes.

    clicks_i ~ Poisson(shown_i r_i),   r_i = L p_i v_i,   log L ~ N(0, spread^2),   v_i ~ Gamma(strength, strength),
    p_i = exp(log_base + slope score_i)

L is what all arms of a test share (its article, its image, its readers), so only ratios between arms matter for the
choice, and L is learned while the test runs. Given L an arm's rate is Gamma, its clicks negative binomial; L is integrated
out by Gauss-Hermite quadrature around its mode, which is unique, for the log density is concave in log L. Clicks must be
rare (Poisson). The four numbers maximise the marginal likelihood of other tests (Robbins 1956; Morris, JASA 78:47, 1983).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from copybandit.sim.types import Bools, DataError, Floats

NODES = 7
NEWTON = 10
START = (0.5, 10.0, 1.0)
"""Spread, strength and slope that the search begins at."""
LIMIT = 9.0
"""Largest size of the log of spread and strength in the search: what data cannot tell stays finite."""


@dataclass(frozen=True, kw_only=True)
class RatePrior:
    """The prior.

    Attributes:
        log_base: log of the click rate of a typical test at score 0.
        spread: standard deviation of a test's log rate, above 0.
        strength: how many clicks the prior of an arm's ratio is worth, above 0; 1 / sqrt(strength) is the coefficient of
            variation of what the score does not tell.
        slope: log rate per unit of score.
    """

    log_base: float
    spread: float
    strength: float
    slope: float = 1.0

    def __post_init__(self) -> None:
        numbers = (self.log_base, self.spread, self.strength, self.slope)
        if not (np.isfinite(numbers).all() and self.spread > 0 and self.strength > 0):
            raise DataError(
                f"rate prior: all must be finite, spread and strength above 0, got {numbers}; fit it on more tests"
            )

    def rates(self, score: Floats) -> Floats:
        """Typical click rate of arms with these scores, at most 1/2, any shape."""
        return np.asarray(np.minimum(np.exp(self.log_base + self.slope * score), 0.5))


@dataclass(frozen=True, kw_only=True)
class Belief:
    """What is believed of n tests with up to k arms.

    Attributes:
        mean: shape (n, k), posterior mean of each rate.
        variance: shape (n, k), of each rate given what the test's arms share, averaged over that.
        level: shape (n,), posterior mean of L.
        log_evidence: shape (n,), log marginal likelihood without the terms that depend on the counts alone.
    """

    mean: Floats
    variance: Floats
    level: Floats
    log_evidence: Floats


def believe(prior: Floats, strength: float, spread: float, clicks: Floats, shown: Floats) -> Belief:
    """Posterior of the rates; an arm that is absent was shown 0 times and changes nothing.

    Args:
        prior: shape (n, k), typical rate p of each arm, above 0.
        strength: of `RatePrior`.
        spread: of `RatePrior`.
        clicks: shape (n, k), at least 0.
        shown: shape (n, k), at least 0.
    """
    pull = shown * prior / strength
    mode, sd = _mode(pull, clicks, strength, spread)
    x, weight = np.polynomial.hermite_e.hermegauss(NODES)
    z = mode[:, None] + sd[:, None] * x
    level = np.exp(spread * z)[:, None, :]
    total = strength + clicks
    loss = (total[:, :, None] * np.log1p(pull[:, :, None] * level)).sum(axis=1)
    log_weight = spread * clicks.sum(axis=1)[:, None] * z - loss - z**2 / 2 + x**2 / 2
    top = log_weight.max(axis=1, keepdims=True)
    mass = weight / weight.sum() * np.exp(log_weight - top)
    volume = mass.sum(axis=1, keepdims=True)
    precision = strength / (prior[:, :, None] * level) + shown[:, :, None]
    rate = total[:, :, None] / precision
    share = (mass / volume)[:, None, :]
    return Belief(
        mean=(rate * share).sum(axis=2),
        variance=(rate / precision * share).sum(axis=2),
        level=(level * share).sum(axis=2)[:, 0],
        log_evidence=top[:, 0] + np.log(volume[:, 0] * sd),
    )


def _mode(pull: Floats, clicks: Floats, strength: float, spread: float) -> tuple[Floats, Floats]:
    """Mode of (log L) / spread and the standard deviation its curvature gives, both of shape (n,), by Newton's method."""
    z = np.zeros(len(pull))
    curvature = np.ones(len(pull))
    total = strength + clicks
    for _ in range(NEWTON):
        odds = pull * np.exp(spread * z)[:, None]
        share = odds / (1 + odds)
        slope = spread * (clicks - total * share).sum(axis=1) - z
        curvature = 1 + spread**2 * (total * share * (1 - share)).sum(axis=1)
        z = z + np.clip(slope / curvature, -1 / spread, 1 / spread)
    return z, 1 / np.sqrt(curvature)


def fit_rate_prior(score: Floats, clicks: Floats, shown: Floats, present: Bools) -> RatePrior:
    """Fit to g tests with up to k arms, all arrays of shape (g, k).

    Args:
        score: of each arm by a model that has not seen it; equal everywhere within tests, the slope is 0.
        clicks: counts, looked at where an arm is present.
        shown: the same.
        present: which arms there are.

    Raises:
        DataError: no test has two arms, or nobody clicked.
    """
    clicks, shown, score = (np.where(present, values, 0.0) for values in (clicks, shown, score))
    if not ((present.sum(axis=1) > 1).any() and clicks.sum() > 0):
        raise DataError(
            f"rate prior: needs a test of two arms and a click, got {len(present)} tests and {clicks.sum():g} "
            "clicks; give more tests"
        )
    base = np.log(clicks.sum() / shown.sum())
    arms = present.sum(axis=1, keepdims=True)
    told = np.ptp(np.where(present, score - score.sum(axis=1, keepdims=True) / arms, 0.0)) > 0

    def prior_of(numbers: Floats) -> RatePrior:
        spread, strength = np.exp(np.clip(numbers[1:3], -LIMIT, LIMIT)).tolist()
        slope = float(numbers[3]) if told else 0.0
        return RatePrior(log_base=float(numbers[0]), spread=spread, strength=strength, slope=slope)

    def loss(numbers: Floats) -> float:
        return -log_evidence(prior_of(numbers), score, clicks, shown, present)

    start = np.array([base, *np.log(START[:2]), START[2]][: 4 if told else 3])
    options = {"xatol": 1e-3, "fatol": 1e-2, "maxiter": 600}
    found = minimize(loss, start, method="Nelder-Mead", options=options)
    return prior_of(found.x)


def log_evidence(prior: RatePrior, score: Floats, clicks: Floats, shown: Floats, present: Bools) -> float:
    """Log marginal likelihood of tests, arrays as in `fit_rate_prior`, without what depends on the counts alone."""
    rate, s = prior.rates(score), prior.strength
    own = clicks * np.log(rate / s) + gammaln(s + clicks) - gammaln(s)
    belief = believe(rate, s, prior.spread, clicks, shown)
    return float(belief.log_evidence.sum() + own[present].sum())
