"""Purchases on their way: made after a click, known to the shop some visits later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.types import Floats, Ints


class Pending:
    """A calendar of the next visits for n shoppers; all of them visit in step.

    Args:
        n: shoppers.
        max_lag: most visits from purchase to arrival, at most 63.

    Attributes:
        waiting: shape (n,), purchases that have not arrived.
    """

    def __init__(self, n: int, max_lag: int) -> None:
        # Bits and value of a shopper's day lie side by side, so that one write clears both.
        self._days = np.zeros((max_lag + 1, n, 2), dtype=np.uint64)
        self._bits, self._value = self._days[:, :, 0], self._days.view(np.float64)[:, :, 1]
        self._flat_bits, self._flat_value = self._days.reshape(-1), self._days.view(np.float64).reshape(-1)
        self._n, self._today = n, 0
        self.waiting = np.zeros(n, dtype=np.int16)

    def add(self, rows: Ints, lag: Ints, value: Floats) -> None:
        """Purchases of distinct shoppers today, which arrive `lag` visits later; shapes (m,)."""
        at = (((self._today + lag) % len(self._days)) * self._n + rows) * 2
        self._flat_bits[at] = self._flat_bits.take(at) | np.uint64(1) << lag.astype(np.uint64)
        at += 1
        self._flat_value[at] = self._flat_value.take(at) + value
        self.waiting[rows] += 1

    def arrive(self) -> tuple[NDArray[np.uint64], Floats]:
        """What arrives today, and the next day begins.

        Returns:
            Words in which bit a stands for a purchase a visits ago, shape (n,), and their value, shape (n,).
        """
        bits, value = self._bits[self._today].copy(), self._value[self._today].copy()
        self._days[self._today] = 0
        self._today = (self._today + 1) % len(self._days)
        self.waiting -= np.bitwise_count(bits)
        return bits, value

    def forget(self, rows: Ints) -> None:
        """Drop what some shoppers wait for."""
        late = rows[self.waiting.take(rows) > 0]
        if not len(late):
            return
        self._days[:, late] = 0
        self.waiting[late] = 0


def ages(bits: NDArray[np.uint64], count: int) -> NDArray[np.int8]:
    """Words of `Pending.arrive` as columns: 1 at [i, a] where what i bought a visits ago arrived; shape (n, count)."""
    found = np.zeros((len(bits), count), dtype=np.int8)
    rows = np.flatnonzero(bits)
    octets = bits.take(rows).astype("<u8", copy=False).view(np.uint8)
    found[rows] = np.unpackbits(octets, bitorder="little").reshape(len(rows), 64)[:, :count]
    return found
