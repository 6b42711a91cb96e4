"""Which place Thompson sampling gives an arm whose rates have independent Beta posteriors, by quadrature.

    P(arm i at place j) = integral f_i(x) P(exactly j - 1 of the others exceed x) dx

The integral is a trapezoid sum over logit x, where the integrand is smooth and falls off at both ends, so that the error
falls exponentially with the step. No random numbers.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincc, betaln, digamma, expit, polygamma

from copybandit.sim.types import DataError, Floats

STEPS_PER_SD = 6.0
"""Of the narrowest posterior."""
WIDEST_STEP = 0.5
"""The integrand is analytic within pi of the real line, so that the error is e^(-2 pi^2 / step)."""
REACH = 40.0
"""Nats below the mode at which densities are cut off."""


def place_probs(alpha: Floats, beta: Floats, places: int) -> Floats:
    """Probability of each arm at each place, best draw first.

    Args:
        alpha: shape (k,), above 0.
        beta: shape (k,), above 0.
        places: 1 to k.

    Returns:
        Shape (k, places); columns sum to 1.

    Raises:
        DataError: parameters or places out of range.
    """
    k = len(alpha)
    if alpha.shape != (k,) or beta.shape != (k,) or not ((alpha > 0) & (beta > 0)).all():
        raise DataError(
            f"place_probs: alpha and beta must be (k,) and above 0, got {alpha.shape} and {beta.shape}; "
            "give each arm both"
        )
    if not 1 <= places <= k:
        raise DataError(f"place_probs: places must be in [1, {k}], got {places}; there are {k} arms")
    t, step = _grid(alpha, beta)
    a, b = alpha[:, None], beta[:, None]
    mass = np.exp(-a * np.logaddexp(0, -t) - b * np.logaddexp(0, t) - betaln(a, b)) * step
    # Each tail by its own small argument: 1 - x says nothing of a tiny x.
    above = np.where(t < 0, betaincc(a, b, expit(t)), betainc(b, a, expit(-t)))
    ahead = _others_above(above, places)
    found = np.einsum("ig,ijg->ij", mass, ahead)
    return np.asarray(found / found.sum(axis=0))


def _grid(alpha: Floats, beta: Floats) -> tuple[Floats, float]:
    """Points on the logit scale that reach over all posteriors, and their distance."""
    centre = digamma(alpha) - digamma(beta)
    spread = np.sqrt(polygamma(1, alpha) + polygamma(1, beta))
    low = float((centre - 8 * spread - REACH / alpha).min())
    high = float((centre + 8 * spread + REACH / beta).max())
    points = int(np.ceil((high - low) / min(float(spread.min()) / STEPS_PER_SD, WIDEST_STEP))) + 1
    t, step = np.linspace(low, high, points, retstep=True)
    return t, float(step)


def _others_above(above: Floats, places: int) -> Floats:
    """Probability that exactly j of the arms but i exceed a point, for j below places.

    Args:
        above: shape (k, g), of each arm alone.
        places: how many j.

    Returns:
        Shape (k, places, g), from the counts of the arms before i and of those after it.
    """
    k, g = above.shape
    before = np.zeros((k + 1, places, g))
    after = np.zeros((k + 1, places, g))
    before[0, 0] = after[k, 0] = 1.0
    for i in range(k):
        before[i + 1] = _one_more(before[i], above[i])
        after[k - 1 - i] = _one_more(after[k - i], above[k - 1 - i])
    out = np.zeros((k, places, g))
    for j in range(places):
        for first in range(j + 1):
            out[:, j] += before[:k, first] * after[1:, j - first]
    return out


def _one_more(count: Floats, above: Floats) -> Floats:
    """Distribution of the count with one more arm, counts of `places` and more dropped."""
    grown = count * (1 - above)
    grown[1:] += count[:-1] * above
    return grown
