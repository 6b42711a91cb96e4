"""Compiled: the probabilities of `policy_thompson` by its quadrature, request by request."""

from __future__ import annotations

from math import exp, log1p

import numpy as np
from numba import njit, types

from copybandit.agents.kernel_features import MATH
from copybandit.agents.kernel_request import F1, V2


@njit(cache=True, nogil=True, fastmath=MATH)
def _density(a, b, log_x, log_y, f):
    """Beta density at the nodes, up to a factor: f sums to 1."""
    top, total = -np.inf, 0.0
    for s in range(len(f)):
        f[s] = a * log_x[s] + b * log_y[s]
        top = max(top, f[s])
    for s in range(len(f)):
        f[s] = exp(f[s] - top)
        total += f[s]
    for s in range(len(f)):
        f[s] /= total


@njit(cache=True, nogil=True, fastmath=MATH)
def _wins(density, below, others, here, share):
    """Sums over the nodes of each one's density times the product of the others' distribution functions."""
    g, whole = density.shape[1], 0.0
    share[:here] = 0.0
    others[:] = 1.0
    for c in range(here):
        reached = 0.0
        for s in range(g):
            f = density[c, s]
            reached += f
            below[c, s] = reached - f / 2
            density[c, s] = f * others[s]
            others[s] *= below[c, s]
    others[:] = 1.0
    for c in range(here - 1, -1, -1):
        for s in range(g):
            share[c] += density[c, s] * others[s]
            others[s] *= below[c, s]
        whole += share[c]
    for c in range(here):
        share[c] /= whole


@njit(types.float64[:, ::1](F1, F1, F1, F1, V2, F1, types.float64), cache=True, nogil=True, fastmath=MATH)
def best_of_betas(a, b, low, high, candidates, grid, epsilon):
    """Probabilities with the floor, shape (n, k); a, b, low and high (m,) of each variant, grid (g,) from 0 to 1."""
    (n, k), g = candidates.shape, len(grid)
    probs, share, column = np.zeros((n, k)), np.empty(k), np.empty(k, np.int64)
    log_x, log_y, others = np.empty(g), np.empty(g), np.empty(g)
    density, below = np.empty((k, g)), np.empty((k, g))
    for i in range(n):
        here, least, most = 0, np.inf, -np.inf
        for j in range(k):
            v = candidates[i, j]
            if v >= 0:
                column[here] = j
                here += 1
                least, most = min(least, low[v]), max(most, high[v])
        for s in range(g):
            z = least + (most - least) * grid[s]
            log_x[s] = -log1p(exp(-z))
            log_y[s] = log_x[s] - z
        for c in range(here):
            v = candidates[i, column[c]]
            _density(a[v], b[v], log_x, log_y, density[c])
        _wins(density, below, others, here, share)
        for c in range(here):
            probs[i, column[c]] = (1 - epsilon) * share[c] + epsilon / here
    return probs
