"""Compiled: the features of `policy_features` less their mean, as every rule and the update read them."""

from __future__ import annotations

from numba import njit

from copybandit.agents.kernel_request import F2, F3, I2, V2

MATH = {"reassoc", "contract"}
SCORED = (F2, F2, V2, F3, I2, F2, F2)
"""context, actions, candidates, state, plan, shared, each."""


@njit(cache=True, nogil=True, fastmath=MATH, inline="always")
def features(x, i, j, v, context, actions, state, plan, each):
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
def dot(a, b, size):
    """The product of the first numbers of two rows."""
    total = 0.0
    for i in range(size):
        total += a[i] * b[i]
    return total
