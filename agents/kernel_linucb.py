"""Compiled: the probabilities of `policy_linucb`."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit, types

from copybandit.agents.kernel_features import MATH, SCORED, dot, features
from copybandit.agents.policy_pmf import TIE


@njit(types.float64[:, ::1](*SCORED, types.float64, types.float64), cache=True, nogil=True, fastmath=MATH)
def optimistic(context, actions, candidates, state, plan, shared, each, alpha, epsilon):
    """LinUCB's probabilities, shape (n, k)."""
    (n, k), d = candidates.shape, shared.shape[1]
    whiten, theta = shared[d:], shared[2 * d + 1]
    probs, x, score = np.zeros((n, k)), np.empty(d), np.empty(k)
    for i in range(n):
        top, here = -np.inf, 0
        for j in range(k):
            v = candidates[i, j]
            if v < 0:
                continue
            here += 1
            features(x, i, j, v, context, actions, state, plan, each)
            variance = 1.0 / each[v, d]
            for r in range(d):
                white = dot(whiten[r], x, r + 1)
                variance += white * white
            score[j] = state[i, j, 0] * (dot(x, theta, d) + each[v, d + 1] + alpha * sqrt(variance))
            top = max(top, score[j])
        ties = 0
        for j in range(k):
            ties += candidates[i, j] >= 0 and score[j] >= top - TIE * abs(top)
        for j in range(k):
            if candidates[i, j] >= 0:
                best = 1.0 / ties if score[j] >= top - TIE * abs(top) else 0.0
                probs[i, j] = (1 - epsilon) * best + epsilon / here
    return probs
