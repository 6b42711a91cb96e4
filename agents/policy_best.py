"""Probability that each of k correlated normal scores is the highest: a fixed rule, no draw, the same on replay.

Candidate i is the best where its k - 1 leads over the others are all positive. Their orthant probability is taken one
lead after the other, each given those before it, and what is left to average over is a smooth function on a cube of
k - 2 dimensions (Genz, J. Comput. Graph. Stat. 1992), here on a fixed Latin hypercube. Two candidates are exact. With
32 points the total variation from the integral is below .001 for 3 candidates, .005 for 6, .01 for 8, .03 for 16
(means over random posteriors; `tests/test_policy_lints.py` holds bounds).

Columns are first sorted by a key of their own, so that the answer cannot depend on their order or on absent ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from copybandit.agents.policy_arrow import Scores
from copybandit.sim.types import Bools, Floats

JITTER = 1e-10
"""Added to the diagonal of covariances that are scaled to at most 1: rounding must not make them indefinite."""
LEAST = 1e-300
"""Least probability whose quantile is asked for; it is finite."""
AT_ONCE = 1 << 17
"""Numbers per array that are worked on at once: rows are taken in slices of so many."""


def best_of_normals(scores: Scores, present: Bools, key: NDArray[np.int32], points: Floats) -> Floats:
    """Probability that each candidate has the highest score.

    Args:
        scores: of n requests with k candidates.
        present: shape (n, k).
        key: shape (n, k), differs among the present candidates of a request.
        points: shape (g, >= k), in (0, 1); `hypercube` makes them.

    Returns:
        Shape (n, k), rows sum to 1, 0 where absent.
    """
    n, k = present.shape
    order = np.argsort(np.where(present, key, np.iinfo(np.int32).max), axis=1, kind="stable")
    here = np.take_along_axis(present, order, 1)
    mean, covariance = _scaled(
        mean=np.take_along_axis(scores.mean, order, 1),
        loading=np.take_along_axis(scores.loading, order[:, :, None], 1),
        own=np.take_along_axis(scores.own, order, 1),
        here=here,
    )
    found, size = np.zeros((n, k)), max(1, AT_ONCE // (k * k * max(k, len(points))))
    for start in range(0, n, size):
        rows = slice(start, start + size)
        wins = _all_positive(*_leads(mean[rows], covariance[rows], here[rows]), points) * here[rows]
        np.put_along_axis(found[rows], order[rows], wins / wins.sum(axis=1, keepdims=True), 1)
    return found


def hypercube(size: int, width: int) -> Floats:
    """Points in (0, 1), shape (size, width), one in the middle of each of ``size`` equal strata of each column.

    A column does not depend on how many there are.
    """
    strata = (np.arange(size) + 0.5) / size
    return np.stack(
        [np.random.Generator(np.random.Philox(key=column)).permutation(strata) for column in range(width)],
        axis=1,
    )


def _scaled(*, mean: Floats, loading: Floats, own: Floats, here: Bools) -> tuple[Floats, Floats]:
    """Means (n, k) and covariances (n, k, k) in units of the largest standard deviation; 0 where absent."""
    k = here.shape[1]
    both = here[:, :, None] & here[:, None, :]
    covariance = np.where(both, loading @ loading.transpose(0, 2, 1) + own[:, :, None] * np.eye(k), 0.0)
    scale = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).max(axis=1, initial=0.0))[:, None]
    top = np.where(here, mean, -np.inf).max(axis=1, keepdims=True)
    return np.where(here, mean - top, 0.0) / scale, covariance / np.square(scale)[:, :, None]


def _leads(mean: Floats, covariance: Floats, here: Bools) -> tuple[Floats, Floats]:
    """Means (n, k, k - 1) of each candidate's leads over the others, infinite over absent ones, and Cholesky factors."""
    k = mean.shape[1]
    own = np.arange(k)[:, None]
    others = np.arange(k - 1) + (np.arange(k - 1) >= own)
    shared = covariance[:, own, others]
    spread = (
        covariance[:, others[:, :, None], others[:, None, :]]
        - shared[:, :, :, None]
        - shared[:, :, None, :]
        + np.diagonal(covariance, axis1=1, axis2=2)[:, :, None, None]
    )
    real = here[:, :, None] & here[:, others]
    spread = np.where(real[:, :, :, None] & real[:, :, None, :], spread, 0.0)
    spread += np.where(real, JITTER, 1.0)[:, :, :, None] * np.eye(k - 1)
    root: Floats = np.asarray(np.linalg.cholesky(spread), dtype=np.float64)
    return np.where(real, mean[:, :, None] - mean[:, others], np.inf), root


def _all_positive(mean: Floats, root: Floats, points: Floats) -> Floats:
    """Probability that mean + root z is positive throughout, shape (n, k); mean (n, k, j), root (n, k, j, j)."""
    n, k, leads = mean.shape
    height = np.diagonal(root, axis1=2, axis2=3)
    bound, slope = mean / height, root / height[..., None]
    z = np.zeros((n, k, leads, len(points)))
    product = np.ones((n, k, len(points)))
    for lead in range(leads):  # over candidates, never over rows
        reach = bound[:, :, lead, None] - (slope[:, :, lead, None, :lead] @ z[:, :, :lead])[:, :, 0]
        chance = ndtr(reach)
        product *= chance
        if lead + 1 < leads:
            z[:, :, lead] = ndtri(np.maximum(chance * points[:, lead], LEAST))
    return np.asarray(product.mean(axis=2))
