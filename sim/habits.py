"""What a household bought before, as a shopper's habit: the last purchase and an exponentially smoothed loyalty.

Loyalty follows Guadagni and Little (Marketing Science 2(3), 1983): after each purchase it becomes
smoothing * loyalty + (1 - smoothing) * bought, so that it sums to 1 over the alternatives. A trip that buys nothing changes
neither. Everything at a row comes from earlier rows of the same household.
"""

from __future__ import annotations

import numpy as np

from copybandit.sim.types import Floats, Ints


def occasions(household: Ints) -> list[Ints]:
    """Rows by occasion: the first trip of every household, then the second trips, and so on.

    Args:
        household: shape (n,), each row's household; a household's rows stand in the order of time.
    """
    order = np.argsort(household, kind="stable")
    grouped = household[order]
    first = np.r_[True, grouped[1:] != grouped[:-1]]
    start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    rank = np.arange(len(order)) - start
    by_rank = order[np.argsort(rank, kind="stable")]
    return np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])


def habits(household: Ints, choice: Ints, n_alternatives: int, smoothing: float) -> tuple[Floats, Floats]:
    """Return last purchase (0 or 1) and loyalty (0 to 1) at each trip, both of shape (n, J).

    Args:
        household: shape (n,), each row's household, rows in the order of time.
        choice: shape (n,), what was bought; -1 for nothing.
        n_alternatives: J; a household without a past has loyalty 1 / J to each.
        smoothing: weight of the past, 0 to below 1.
    """
    _, code = np.unique(household, return_inverse=True)
    bought = (choice[:, None] == np.arange(n_alternatives)).astype(np.float64)
    last, loyalty = np.empty_like(bought), np.empty_like(bought)
    last_now = np.zeros((code.max() + 1, n_alternatives))
    loyalty_now = np.full_like(last_now, 1 / n_alternatives)
    for rows in occasions(household):
        last[rows], loyalty[rows] = last_now[code[rows]], loyalty_now[code[rows]]
        rows = rows[choice[rows] >= 0]
        last_now[code[rows]] = bought[rows]
        loyalty_now[code[rows]] = smoothing * loyalty[rows] + (1 - smoothing) * bought[rows]
    return last, loyalty
