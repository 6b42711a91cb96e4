"""Probability that each of k independent normal scores is the highest: one integral each, by a fixed rule.

    P(i is best) = integral over u in (0, 1) of the product over j != i of Phi((m_i + s_i Phi^-1(u) - m_j) / s_j)

The middle of each of g equal strata of u is a node. No draw is made, so the vector that is logged is the one drawn from.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from copybandit.sim.types import Bools, Floats

LEAST = 1e-9
"""Least standard deviation relative to the largest of a request: below it a score is as good as known."""
AT_ONCE = 1 << 18
"""Numbers per array that are worked on at once."""


def best_of_independent(mean: Floats, deviation: Floats, present: Bools, points: int) -> Floats:
    """Probability that each candidate has the highest score.

    Args:
        mean: shape (n, k).
        deviation: shape (n, k), above 0 for some candidate of each request.
        present: shape (n, k).
        points: nodes g.

    Returns:
        Shape (n, k), rows sum to 1, 0 where absent.
    """
    n, k = present.shape
    found, size = np.zeros((n, k)), max(1, AT_ONCE // (k * k * points))
    z = ndtri((np.arange(points) + 0.5) / points)
    for start in range(0, n, size):
        rows = slice(start, start + size)
        found[rows] = _best(mean[rows], deviation[rows], present[rows], z)
    return found


def _best(mean: Floats, deviation: Floats, present: Bools, z: Floats) -> Floats:
    least = LEAST * np.where(present, deviation, 0.0).max(axis=1, keepdims=True)
    spread = np.where(present, np.maximum(deviation, least), 1.0)
    level = np.where(present, mean, -np.inf)
    reach = np.where(present, mean, 0.0)[:, :, None] + spread[:, :, None] * z
    lead = (reach[:, :, None, :] - level[:, None, :, None]) / spread[:, None, :, None]
    below = np.where(np.eye(mean.shape[1], dtype=np.bool_)[None, :, :, None], 1.0, ndtr(lead))
    wins = below.prod(axis=2).mean(axis=2) * present
    return np.asarray(wins / wins.sum(axis=1, keepdims=True))
