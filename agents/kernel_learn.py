"""Compiled: the update of `policy_linear`, row by row, with the triangle of `policy_arrow`."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit, types

from copybandit.agents.kernel_features import MATH, dot, features
from copybandit.agents.kernel_request import F2, F3, I2, LIMIT, V2, W1, W2

LEARNED = (F2, F2, V2, F3, types.int64[::1], W1, W1, I2, W2, W2)
"""context, actions, candidates, state, column, reward, weight, plan, shared, each."""


@njit(cache=True, nogil=True, fastmath=MATH)
def _move(u, factor, whiten, white, summed):
    """Carlson's update of the triangle; ``summed`` becomes S^-1 u as it was, which the result divides to what it is."""
    d = len(u)
    for r in range(d):
        white[r] = dot(whiten[r], u, r + 1)
        summed[r] = 0.0
    grown = 1.0
    for r in range(d):
        below = grown
        grown += factor * white[r] * white[r]
        shrink, take, add = sqrt(below / grown), factor * white[r] / sqrt(below * grown), white[r]
        for c in range(r + 1):
            old = whiten[r, c]
            whiten[r, c] = shrink * old - take * summed[c]
            summed[c] += add * old
    return grown


@njit(cache=True, nogil=True)
def _is_usable(candidates, column, reward, weight):
    """Whether feedback keeps the rules of `check_feedback`."""
    for i in range(len(candidates)):
        if column[i] < 0 or column[i] >= candidates.shape[1] or candidates[i, column[i]] < 0:
            return False
        if not (abs(reward[i]) <= LIMIT and weight[i] >= 0 and weight[i] <= LIMIT):
            return False
    return True


@njit(types.int64(*LEARNED), cache=True, nogil=True, fastmath=MATH)
def learn(context, actions, candidates, state, column, reward, weight, plan, shared, each):
    """Adds the shown rows one by one: how many counted, or -1, and nothing is changed, where the feedback breaks a rule."""
    if not _is_usable(candidates, column, reward, weight):
        return -1
    d, told = shared.shape[1], 0
    schur, whiten, right, theta = shared[:d], shared[d : 2 * d], shared[2 * d], shared[2 * d + 1]
    u, white, summed = np.empty(d), np.empty(d), np.empty(d)
    for i in range(len(candidates)):
        if weight[i] > 0:
            j = column[i]
            v = candidates[i, j]
            w, gain = weight[i] * state[i, j, 0], weight[i] * reward[i]
            features(u, i, j, v, context, actions, state, plan, each)
            before, level = each[v, d], each[v, d + 1]
            after = before + w
            factor = w * before / after
            miss = gain * before / after - factor * level
            off = miss - factor * dot(u, theta, d)
            grown = _move(u, factor, whiten, white, summed)
            for r in range(d):
                pull = factor * u[r]
                for c in range(d):
                    schur[r, c] += pull * u[c]
                right[r] += miss * u[r]
                theta[r] += off * (summed[r] / grown)
                each[v, r] += w / after * u[r]
            each[v, d], each[v, d + 1] = after, level + (gain - w * level) / after
            told += 1
    return told
