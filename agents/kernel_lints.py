"""Compiled: the probabilities of `policy_lints`."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit, types

from copybandit.agents.kernel_best import by_key, share_of
from copybandit.agents.kernel_features import MATH, SCORED, dot, features
from copybandit.agents.kernel_request import F2


@njit(types.float64[:, ::1](*SCORED, F2, types.float64), cache=True, nogil=True, fastmath=MATH)
def thompson(context, actions, candidates, state, plan, shared, each, points, epsilon):
    """LinTS' probabilities, shape (n, k)."""
    (n, k), d, h = candidates.shape, shared.shape[1], points.shape[1]
    whiten, theta = shared[d:], shared[2 * d + 1]
    probs, x, order = np.zeros((n, k)), np.empty(d), np.empty(k, np.int64)
    loading, common, own = np.empty((k, d)), np.empty((k, h)), np.empty((k, h))
    mean, deviation, share = np.empty(k), np.empty(k), np.ones(k)
    for i in range(n):
        here = by_key(candidates[i], order)
        for c in range(here):
            j = order[c]
            v, prior = candidates[i, j], state[i, j, 0]
            features(x, i, j, v, context, actions, state, plan, each)
            mean[c] = prior * (dot(x, theta, d) + each[v, d + 1])
            deviation[c] = prior / sqrt(each[v, d])
            for r in range(d):
                loading[c, r] = prior * dot(whiten[r], x, r + 1)
        share_of(loading, points, mean, deviation, here, common, own, share)
        for c in range(here):
            probs[i, order[c]] = (1 - epsilon) * share[c] + epsilon / here
    return probs
