"""Compiled: the rule of `policy_best`, by LinTS' kernel and for scores of any model."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
from numba import njit, types

from copybandit.agents.kernel_features import MATH
from copybandit.agents.kernel_request import F2, F3, V2
from copybandit.agents.policy_best import ODD, REACH

C0, C1, C2, C3, C4, C5, C6, C7 = ODD


@njit(cache=True, nogil=True, fastmath=MATH)
def _normal_share(shared, own, mean, deviation, here, share):
    """`policy_best`'s shares, in the order of keys; shared and own (k, h) move scores without and with own parts."""
    h, whole = shared.shape[1], 0.0
    top, second, total = np.empty(h), np.empty(h), np.zeros(here)
    for sign in range(2):
        way = 1.0 - 2.0 * sign
        top[:], second[:] = -np.inf, -np.inf
        for c in range(here):
            for s in range(h):
                score, above, below = mean[c] + way * own[c, s], top[s], second[s]
                lower = above if above < score else score
                second[s] = lower if lower > below else below
                top[s] = score if score > above else above
        for c in range(here):
            total[c] += _chance(shared[c], own[c], top, second, mean[c], way, 1.0 / deviation[c])
    for c in range(here):
        share[c] = max(0.5 + total[c] / (2 * h), 0.0)
        whole += share[c]
    for c in range(here):
        share[c] /= whole


@njit(cache=True, nogil=True, fastmath=MATH)
def _chance(shared, own, top, second, mean, way, scale):
    """Sum over half of the points of near_ndtr - 1/2 of a candidate's lead over the best of the others."""
    total = 0.0
    for s in range(len(top)):
        first, next_ = top[s], second[s]
        rival = next_ if mean + way * own[s] >= first else first
        z = (mean + way * shared[s] - rival) * scale
        z = -REACH if z < -REACH else z
        z = REACH if z > REACH else z
        t = z * z
        total += z * (C0 + t * (C1 + t * (C2 + t * (C3 + t * (C4 + t * (C5 + t * (C6 + t * C7)))))))
    return total


@njit(cache=True, nogil=True, fastmath=MATH)
def _pair_share(loading, mean, deviation, share):
    """The closed form of two candidates."""
    variance = deviation[0] * deviation[0] + deviation[1] * deviation[1]
    for r in range(loading.shape[1]):
        variance += (loading[0, r] - loading[1, r]) ** 2
    lead = (mean[0] - mean[1]) / sqrt(2 * variance)
    share[0], share[1] = erfc(-lead) / 2, erfc(lead) / 2


@njit(cache=True, nogil=True, fastmath=MATH, inline="always")
def _spread(loading, points, d, out):
    """Out = loading @ points[:d], row by row, four columns of points at a time."""
    h = len(out)
    for s in range(h):
        out[s] = 0.0
    r = 0
    while r + 4 <= d:
        a, b, c, e = loading[r], loading[r + 1], loading[r + 2], loading[r + 3]
        for s in range(h):
            out[s] += a * points[r, s] + b * points[r + 1, s] + c * points[r + 2, s] + e * points[r + 3, s]
        r += 4
    while r < d:
        for s in range(h):
            out[s] += loading[r] * points[r, s]
        r += 1


@njit(cache=True, nogil=True)
def by_key(candidates, order):
    """Puts the columns of the candidates that are present in the order of their variants; how many there are."""
    here = 0
    for j in range(len(candidates)):
        v = candidates[j]
        if v < 0:
            continue
        at = here
        while at > 0 and candidates[order[at - 1]] > v:
            order[at] = order[at - 1]
            at -= 1
        order[at] = j
        here += 1
    return here


@njit(cache=True, nogil=True, fastmath=MATH)
def _many_share(loading, points, mean, deviation, here, common, own, share):
    """The shares of three candidates or more; common and own (k, h) are worked in."""
    d, h = loading.shape[1], points.shape[1]
    for c in range(here):
        _spread(loading[c], points, d, common[c])
        for s in range(h):
            own[c, s] = common[c, s] + deviation[c] * points[d + c, s]
    _normal_share(common, own, mean, deviation, here, share)


@njit(cache=True, nogil=True, fastmath=MATH)
def share_of(loading, points, mean, deviation, here, common, own, share):
    """The shares of the candidates that are present, in the order of their keys; common and own (k, h) are worked in."""
    share[0] = 1.0
    if here == 2:
        _pair_share(loading, mean, deviation, share)
    elif here > 2:
        _many_share(loading, points, mean, deviation, here, common, own, share)


@njit(types.float64[:, ::1](F2, F3, F2, V2, F2), cache=True, nogil=True, fastmath=MATH)
def best_of_normals(mean, loading, own, key, points):
    """Shares of scores with mean and own variance (n, k) and loading (n, k, d); key is -1 where absent."""
    (n, k, d), h = loading.shape, points.shape[1]
    found, order = np.zeros((n, k)), np.empty(k, np.int64)
    ordered, common, apart = np.empty((k, d)), np.empty((k, h)), np.empty((k, h))
    centre, deviation, share = np.empty(k), np.empty(k), np.empty(k)
    for i in range(n):
        here = by_key(key[i], order)
        for c in range(here):
            j = order[c]
            centre[c], deviation[c] = mean[i, j], sqrt(own[i, j])
            ordered[c] = loading[i, j]
        share_of(ordered, points, centre, deviation, here, common, apart, share)
        for c in range(here):
            found[i, order[c]] = share[c]
    return found
