"""The compiled form of one request at a `desk`: check, choose, draw and log in one call, learn in another.

What it does is `policy_kernel`'s; this puts a request into its row and takes it out again. Needs numba.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from copybandit.agents.kernel_request import F1, F2, I2, V1, W2
from copybandit.agents.policy_kernel import draw, learn, optimistic, thompson, usable

ROW = (types.int64, F1, V1, F2, types.float64, types.float64)
"""row, context, candidates, state, time, uniform."""
LOG = (W2, types.int32[:, ::1])
"""The rows of a desk: numbers (time, context, state, action_probs, reward, weight) and indices (candidates, column)."""


@njit(cache=True, nogil=True)
def _write(row, x, given, of_each, now, numbers, indices, channels, m):
    """Puts a request into its row; whether it is usable."""
    slots, p, k = indices.shape[1] - 1, len(x), len(given)
    if k > slots or of_each.shape[0] != k or of_each.shape[1] != channels:
        return False
    if numbers.shape[1] != 3 + p + slots * (channels + 1):
        return False
    numbers[row, 0] = now
    numbers[row, 1 : 1 + p] = x
    at = 1 + p
    for j in range(slots):
        indices[row, j] = given[j] if j < k else -1
        for c in range(channels):
            numbers[row, at] = of_each[j, c] if j < k else 0.0
            at += 1
    context, candidates, state = _request(row, p, channels, numbers, indices)
    return usable(context, candidates, state, numbers[row, :1], m)


@njit(cache=True, nogil=True)
def _request(row, p, channels, numbers, indices):
    """Context, candidates and state of the request in a row."""
    slots = indices.shape[1] - 1
    context = numbers[row, 1 : 1 + p].reshape(1, p)
    candidates = indices[row, :slots].reshape(1, slots)
    state = numbers[row, 1 + p : 1 + p + slots * channels].reshape(1, slots, channels)
    return context, candidates, state


@njit(cache=True, nogil=True)
def _log(row, probs, uniform, numbers, indices):
    """Draws, and logs the distribution and the column; -1 where it is no distribution."""
    drawn, column, slots = np.array([uniform]), np.empty(1, np.int64), indices.shape[1] - 1
    if not draw(probs, drawn, column):
        return -1
    last = numbers.shape[1] - 2
    numbers[row, last - slots : last] = probs[0]
    indices[row, slots] = column[0]
    return column[0]


@njit(types.int64(*ROW, *LOG, F2, I2, F2, F2, types.float64, types.float64), cache=True, nogil=True)
def serve_optimistic(
    row, x, given, of_each, now, uniform, numbers, indices, actions, plan, shared, each, alpha, epsilon
):
    """Checks, decides and logs one request by LinUCB: its column, or -1 where the request is unusable."""
    channels = of_each.shape[1]
    m = min(len(actions), len(each))  # the policy may know fewer variants than the desk
    if not _write(row, x, given, of_each, now, numbers, indices, channels, m):
        return -1
    context, candidates, state = _request(row, len(x), channels, numbers, indices)
    probs = optimistic(context, actions, candidates, state, plan, shared, each, alpha, epsilon)
    return _log(row, probs, uniform, numbers, indices)


@njit(types.int64(*ROW, *LOG, F2, I2, F2, F2, F2, types.float64), cache=True, nogil=True)
def serve_thompson(
    row, x, given, of_each, now, uniform, numbers, indices, actions, plan, shared, each, points, epsilon
):
    """Checks, decides and logs one request by LinTS: its column, or -1 where the request is unusable."""
    channels = of_each.shape[1]
    m = min(len(actions), len(each))  # the policy may know fewer variants than the desk
    if not _write(row, x, given, of_each, now, numbers, indices, channels, m):
        return -1
    context, candidates, state = _request(row, len(x), channels, numbers, indices)
    probs = thompson(context, actions, candidates, state, plan, shared, each, points, epsilon)
    return _log(row, probs, uniform, numbers, indices)


@njit(
    types.int64(types.int64, types.float64, types.float64, types.int64, *LOG, F2, I2, W2, W2),
    cache=True,
    nogil=True,
)
def answer(row, reward, weight, channels, numbers, indices, actions, plan, shared, each):
    """Logs and learns what came of the request in a row; 1, or 0 and nothing is changed where it is unusable."""
    slots, last = indices.shape[1] - 1, numbers.shape[1] - 2
    p = last - 1 - slots * (channels + 1)
    context, candidates, state = _request(row, p, channels, numbers, indices)
    column = np.array([np.int64(indices[row, slots])])
    told = learn(
        context,
        actions,
        candidates,
        state,
        column,
        np.array([reward]),
        np.array([weight]),
        plan,
        shared,
        each,
    )
    if told != 1:
        return 0
    numbers[row, last], numbers[row, last + 1] = reward, weight
    return 1
