"""Random bits of many environments side by side, drawn many at a time.

Number t of an environment with key c is Philox(counter = (c, t)): it depends on nothing that others do, and drawing a block
of t at once only spares overhead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.philox import philox_columns
from copybandit.sim.types import Ints

BLOCK = 2**14
"""Counters worked out at once, so that temporaries stay in cache."""
_KEY = (0x636F7079, 0x76697369)


def words_of(key: NDArray[np.uint64], number: Ints) -> NDArray[np.uint32]:
    """Draws of given numbers under given keys, each of shape (n,); shape (n, 4)."""
    low, high = key & np.uint64(0xFFFFFFFF), key >> np.uint64(32)
    columns = philox_columns(low, high, number.astype(np.uint64), np.zeros_like(key), _KEY)
    words = np.empty((len(key), 4), dtype=np.uint32)
    for index, column in enumerate(columns):
        words[:, index] = column
    return words


class Draws:
    """Streams of 128 random bits, one for each of n environments.

    Args:
        n: environments; all keys are 0 until `seed`.
    """

    def __init__(self, n: int) -> None:
        self._n, self._depth = n, int(np.clip(2 * BLOCK // n, 4, 256))
        self._row = np.arange(n)
        self._key = np.zeros(n, dtype=np.uint64)
        self._first = np.zeros(n, dtype=np.int64)
        self._at = self._row.copy()
        self._words = np.empty((self._depth * n, 4), dtype=np.uint32)
        self._left, self._void = 0, True

    def seed(self, rows: Ints, keys: NDArray[np.uint64]) -> None:
        """Begin the streams of some environments anew, each under a key, shape (m,)."""
        self._advance()
        self._key[rows], self._first[rows] = keys, 0
        self._left, self._void = 0, True

    def take(self, rows: Ints | slice) -> NDArray[np.uint32]:
        """The next words of some environments, shape (m, 4)."""
        if self._left == 0:
            self._refill()
        self._left -= 1
        at = self._at[rows]
        words = self._words.take(at, axis=0)
        self._at[rows] = at + self._n
        return words

    def _refill(self) -> None:
        """Draw a block if any environment has used up its words; not all take all the time, so there may be more."""
        self._left = 0 if self._void else self._depth - int(self._at.max()) // self._n
        if self._left == 0:
            self._advance()
            self._draw()
            self._left, self._void = self._depth, False

    def _advance(self) -> None:
        """Count what was taken from the block, which is void from now on."""
        self._first += self._at // self._n
        self._at[:] = self._row

    def _draw(self) -> None:
        words, turn = self._words.reshape(self._depth, self._n, 4), np.arange(self._depth)[:, None]
        for start in range(0, self._n, max(1, BLOCK // self._depth)):
            part = slice(start, start + max(1, BLOCK // self._depth))
            number = self._first[part] + turn
            key = np.broadcast_to(self._key[part], number.shape)
            words[:, part] = words_of(key.ravel(), number.ravel()).reshape(*number.shape, 4)
