"""Compiled: whether requests keep the rules of `batch`, and the draw of `decide`."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from copybandit.agents.batch import FEATURE_LIMIT

LIMIT = FEATURE_LIMIT


def _read(dtype: types.Type, ndim: int) -> types.Array:
    """A contiguous array that is only read."""
    return types.Array(dtype, ndim, "C", readonly=True)


F1, F2, F3 = (_read(types.float64, ndim) for ndim in (1, 2, 3))
I2, V1, V2 = _read(types.int64, 2), _read(types.int32, 1), _read(types.int32, 2)
W1, W2 = types.float64[::1], types.float64[:, ::1]


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
