"""The compiled form of what the linear policies do with every request: check, score, choose, draw, learn.

The rules are those of `batch`, `policy_arrow`, `policy_linear`, `policy_best` and `decide`, where they are explained; a
test holds every function here to them. Needs numba; nothing imports this file but `agents.fast`. Arrays are float64
and contiguous, candidates int32; with others a function raises TypeError and the caller takes the NumPy form.
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
from numba import njit, types

from copybandit.agents.batch import FEATURE_LIMIT
from copybandit.agents.policy_best import ODD, REACH
from copybandit.agents.policy_pmf import TIE

LIMIT = FEATURE_LIMIT
MATH = {"reassoc", "contract"}
C0, C1, C2, C3, C4, C5, C6, C7 = ODD


def _read(dtype: types.Type, ndim: int) -> types.Array:
    """A contiguous array that is only read."""
    return types.Array(dtype, ndim, "C", readonly=True)


F1, F2, F3 = (_read(types.float64, ndim) for ndim in (1, 2, 3))
I2, V1, V2 = _read(types.int64, 2), _read(types.int32, 1), _read(types.int32, 2)
W1, W2 = types.float64[::1], types.float64[:, ::1]
SCORED = (F2, F2, V2, F3, I2, F2, F2)
"""context, actions, candidates, state, plan, shared, each."""
LEARNED = (F2, F2, V2, F3, types.int64[::1], W1, W1, I2, W2, W2)


@njit(types.boolean(F2, V2, F3, F1, types.int64), cache=True, nogil=True)
def usable(context, candidates, state, time, m):
    """Whether requests keep the rules of `Batch`; shapes are checked before, the features of the actions apart."""
    n, k = candidates.shape
    for i in range(n):
        if not abs(time[i]) <= LIMIT:
            return False
        for j in range(context.shape[1]):
            if not abs(context[i, j]) <= LIMIT:
                return False
        some = False
        for j in range(k):
            v = candidates[i, j]
            if v < -1 or v >= m:
                return False
            for c in range(state.shape[2]):
                if not abs(state[i, j, c]) <= LIMIT:
                    return False
            if v < 0:
                continue
            some = True
            if not (state[i, j, 0] > 0 and state[i, j, 0] < 1):
                return False
            for before in range(j):
                if candidates[i, before] == v:
                    return False
        if not some:
            return False
    return True


@njit(types.boolean(F2, W1, types.int64[::1]), cache=True, nogil=True)
def draw(probs, uniform, column):
    """One column per row by the inverse of the cumulative distribution; False where a row is no distribution."""
    n, k = probs.shape
    for i in range(n):
        total = 0.0
        for j in range(k):
            if not probs[i, j] >= 0:
                return False
            total += probs[i, j]
        if not abs(total - 1) <= 1e-9:
            return False
        u, reached, found = min(uniform[i] * total, np.nextafter(total, 0.0)), 0.0, 0
        for j in range(k):
            reached += probs[i, j]
            if reached <= u:
                found = j + 1
        column[i] = found
    return True


@njit(cache=True, nogil=True, fastmath=MATH, inline="always")
def _features(x, i, j, v, context, actions, state, plan, each):
    """The features of a candidate less their mean."""
    for f in range(len(x)):
        x[f] = -each[v, f]
    x[0] += 1.0
    for a in range(actions.shape[1]):
        x[1 + a] += actions[v, a]
    for r in range(len(plan)):
        f, p, c = plan[r, 0], plan[r, 1], plan[r, 2]
        x[f] += plan[r, 3] * context[i, p] * actions[v, c] if p >= 0 else state[i, j, c]


@njit(cache=True, nogil=True, fastmath=MATH, inline="always")
def _dot(a, b, size):
    total = 0.0
    for i in range(size):
        total += a[i] * b[i]
    return total


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
            _features(x, i, j, v, context, actions, state, plan, each)
            variance = 1.0 / each[v, d]
            for r in range(d):
                white = _dot(whiten[r], x, r + 1)
                variance += white * white
            score[j] = state[i, j, 0] * (_dot(x, theta, d) + each[v, d + 1] + alpha * sqrt(variance))
            top = max(top, score[j])
        ties = 0
        for j in range(k):
            ties += candidates[i, j] >= 0 and score[j] >= top - TIE * abs(top)
        for j in range(k):
            if candidates[i, j] >= 0:
                best = 1.0 / ties if score[j] >= top - TIE * abs(top) else 0.0
                probs[i, j] = (1 - epsilon) * best + epsilon / here
    return probs


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


@njit(types.float64[:, ::1](*SCORED, F2, types.float64), cache=True, nogil=True, fastmath=MATH)
def thompson(context, actions, candidates, state, plan, shared, each, points, epsilon):
    """LinTS' probabilities, shape (n, k)."""
    (n, k), d, h = candidates.shape, shared.shape[1], points.shape[1]
    whiten, theta = shared[d:], shared[2 * d + 1]
    probs, x, order = np.zeros((n, k)), np.empty(d), np.empty(k, np.int64)
    loading, common, own = np.empty((k, d)), np.empty((k, h)), np.empty((k, h))
    mean, deviation, share = np.empty(k), np.empty(k), np.ones(k)
    for i in range(n):
        here = 0
        for j in range(k):
            v = candidates[i, j]
            if v < 0:
                continue
            at = here
            while at > 0 and candidates[i, order[at - 1]] > v:
                order[at] = order[at - 1]
                at -= 1
            order[at] = j
            here += 1
        for c in range(here):
            j = order[c]
            v, prior = candidates[i, j], state[i, j, 0]
            _features(x, i, j, v, context, actions, state, plan, each)
            mean[c] = prior * (_dot(x, theta, d) + each[v, d + 1])
            deviation[c] = prior / sqrt(each[v, d])
            for r in range(d):
                loading[c, r] = prior * _dot(whiten[r], x, r + 1)
        share[0] = 1.0
        if here == 2:
            _pair_share(loading, mean, deviation, share)
        elif here > 2:
            for c in range(here):
                _spread(loading[c], points, d, common[c])
                for s in range(h):
                    own[c, s] = common[c, s] + deviation[c] * points[d + c, s]
            _normal_share(common, own, mean, deviation, here, share)
        for c in range(here):
            probs[i, order[c]] = (1 - epsilon) * share[c] + epsilon / here
    return probs


@njit(cache=True, nogil=True, fastmath=MATH)
def _move(u, factor, whiten, white, summed):
    """Carlson's update of the triangle; ``summed`` becomes S^-1 u as it was, which the result divides to what it is."""
    d = len(u)
    for r in range(d):
        white[r] = _dot(whiten[r], u, r + 1)
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


@njit(types.int64(*LEARNED), cache=True, nogil=True, fastmath=MATH)
def learn(context, actions, candidates, state, column, reward, weight, plan, shared, each):
    """Adds the shown rows one by one: how many counted, or -1, and nothing is changed, where the feedback breaks a rule."""
    n, k = candidates.shape
    for i in range(n):
        if column[i] < 0 or column[i] >= k or candidates[i, column[i]] < 0:
            return -1
        if not (abs(reward[i]) <= LIMIT and weight[i] >= 0 and weight[i] <= LIMIT):
            return -1
    d, told = shared.shape[1], 0
    schur, whiten, right, theta = shared[:d], shared[d : 2 * d], shared[2 * d], shared[2 * d + 1]
    u, white, summed = np.empty(d), np.empty(d), np.empty(d)
    for i in range(n):
        if weight[i] > 0:
            j = column[i]
            v = candidates[i, j]
            w, gain = weight[i] * state[i, j, 0], weight[i] * reward[i]
            _features(u, i, j, v, context, actions, state, plan, each)
            before, level = each[v, d], each[v, d + 1]
            after = before + w
            factor = w * before / after
            miss = gain * before / after - factor * level
            off = miss - factor * _dot(u, theta, d)
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
