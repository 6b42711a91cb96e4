"""Probability that each of k correlated normal scores is the highest: a fixed rule, no draw, the same on replay.

A score is mean + loading . z + sqrt(own) e, z shared by the candidates of a request and e each one's own. For S fixed
points (z, e) the part of a candidate that is its own is integrated out against the best of the others,

    p_i  ~  mean over points of Phi((mean_i + loading_i . z - max over j != i of score_j) / sqrt(own_i)),

which is unbiased for each candidate and smooth; then the p_i are made to sum to 1. The points are antithetic
and their columns orthogonal, as in orthogonal Monte Carlo (Yu et al., NeurIPS 2016), so that the variance of every lead
is exact. Two candidates are the closed form. With 128 points the total variation from the integral is,
on average over random posteriors, .004 to .015 for 3 candidates, .009 to .031 for 8 and .009 to .050 for 16, the more
the more of the variance is shared (a plain share of winning draws would be .06 to .11 off for 8); it falls as 1 / sqrt(S)
(`tests/test_policy_lints.py` holds bounds).

The k-th candidate by a key of their own has the k-th column of points, so that neither order nor absent ones count.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from copybandit.agents.batch import ABSENT
from copybandit.agents.fast import kernel
from copybandit.agents.policy_arrow import Scores
from copybandit.sim.types import Bools, Floats, Ints

AT_ONCE = 1 << 15
"""Numbers per array that are worked on at once: rows are taken in slices of so many, which stay in the cache."""
REACH = 4.0
"""Where `near_ndtr` is 0 and 1."""
ODD: tuple[float, ...] = (
    0.3988051756,
    -0.06606305792,
    0.009580596478,
    -0.001020791139,
    7.61491833e-05,
    -3.706126194e-06,
    1.042928613e-07,
    -1.275428376e-09,
)
"""Phi(x) - 1/2 as an odd polynomial on [-4, 4], coefficients of x, x^3, ...; the largest error there is 3.2e-5."""


def best_of_normals(scores: Scores, present: Bools, key: NDArray[np.int32], size: int) -> Floats:
    """Probability that each candidate has the highest score.

    Args:
        scores: of n requests with k candidates.
        present: shape (n, k).
        key: shape (n, k), at least 0, differs among the present candidates of a request.
        size: number S of points, even.

    Returns:
        Shape (n, k), rows sum to 1, 0 where absent.
    """
    n, k = present.shape
    d = scores.loading.shape[2]
    points = particles(size, d + k)
    if (fast := kernel()) is not None:
        with suppress(TypeError):  # arrays of another kind
            named = np.where(present, key, ABSENT).astype(np.int32)
            shares: Floats = fast.best_of_normals(scores.mean, scores.loading, scores.own, named, points)
            return shares
    rank = ranks(present, key)
    found, step = np.zeros((n, k)), max(1, 2 * AT_ONCE // (k * size))
    mean = np.where(present, scores.mean, -np.inf)[:, :, None]
    deviation = np.sqrt(scores.own)[:, :, None]
    for start in range(0, n, step):
        rows = slice(start, start + step)
        shared, own = scores.loading[rows] @ points[:d], points[d + rank[rows]]
        own *= deviation[rows]
        own += shared
        for sign in (1.0, -1.0):
            found[rows] += _chances(mean[rows] + sign * shared, mean[rows] + sign * own, deviation[rows])
    found = np.where(present, np.maximum(found, 0.0), 0.0)
    _put_pairs(found, scores, present)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def ranks(present: Bools, key: NDArray[np.int32]) -> Ints:
    """How many present candidates of the request have a smaller key, shape (n, k); absent ones come last."""
    order = np.argsort(np.where(present, key, np.iinfo(np.int32).max), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(key.shape[1])[None, :], 1)
    return rank


@lru_cache(maxsize=32)
def particles(size: int, width: int) -> Floats:
    """Half of the standard normal points, shape (width, size / 2), read-only; the others are these with other signs.

    Within each block of size / 2 columns they are orthogonal, each of mean square 1. A column does not depend on how
    many there are.
    """
    half = size // 2
    blocks = [_orthogonal(half, number) for number in range(-(-width // half))]
    points: Floats = np.ascontiguousarray(np.concatenate(blocks)[:width])
    points.flags.writeable = False
    return points


@lru_cache(maxsize=32)
def _orthogonal(half: int, number: int) -> Floats:
    """An orthogonal matrix times sqrt(half), drawn uniformly by a key that is fixed."""
    normal = np.random.Generator(np.random.Philox(key=[half, number])).normal(size=(half, half))
    q, r = np.linalg.qr(normal)
    return np.ascontiguousarray((q * np.sign(np.diagonal(r))).T * np.sqrt(half))


def near_ndtr(x: Floats) -> Floats:
    """The normal distribution function to 3.2e-5, as a polynomial between -4 and 4."""
    x = np.clip(x, -REACH, REACH)
    square = np.square(x)
    found = np.full_like(x, ODD[-1])
    for coefficient in ODD[-2::-1]:
        found *= square
        found += coefficient
    found *= x
    found += 0.5
    return found


def _chances(central: Floats, score: Floats, deviation: Floats) -> Floats:
    """Shares (n, k), not yet of sum 1; scores (n, k, h) without and with each one's own part, deviation (n, k, 1)."""
    top = np.full((len(score), score.shape[2]), -np.inf)
    second = top.copy()
    for column in range(score.shape[1]):  # over candidates, never over rows
        np.maximum(second, np.minimum(top, score[:, column]), out=second)
        np.maximum(top, score[:, column], out=top)
    rival = np.where(score == top[:, None, :], second[:, None, :], top[:, None, :])
    np.subtract(central, rival, out=rival)
    rival /= deviation
    return np.asarray(near_ndtr(rival).sum(axis=2))


def _put_pairs(found: Floats, scores: Scores, present: Bools) -> None:
    """Puts the closed form where two candidates are present."""
    rows = np.flatnonzero(present.sum(axis=1) == 2)
    if not len(rows):
        return
    column = np.nonzero(present[rows])[1].reshape(-1, 2)
    pair = (rows[:, None], column)
    mean, own, loading = scores.mean[pair], scores.own[pair], scores.loading[pair]
    deviation = np.sqrt(np.square(loading[:, 0] - loading[:, 1]).sum(axis=1) + own.sum(axis=1))
    lead = (mean[:, 0] - mean[:, 1]) / deviation
    found[rows, column[:, 0]], found[rows, column[:, 1]] = ndtr(lead), ndtr(-lead)
