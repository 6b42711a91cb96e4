"""What shoppers remember of the last 16 copies they were shown, one 16-bit word per question.

Bit a of a word stands for the exposure a visits ago, 0 for the last. A visit shifts words by one place, so what is older
than 16 visits drops out by itself, and a table over all 65,536 words turns a word into a stock of exposures:

    stock(word) = sum of memory**a over the bits a of the word
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.exposures import SLOTS
from copybandit.sim.storefront import Floats32
from copybandit.sim.types import Floats, Ints

Words = NDArray[np.uint16]
"""16-bit words; their shape is given where they are used."""


def stock_table(memory: float) -> Floats32:
    """Stock of exposures of every word, shape (65536,).

    Args:
        memory: share of an exposure that is left after one more visit, in [0, 1).
    """
    weight: Floats = memory ** np.arange(SLOTS, dtype=np.float64)
    bits = np.arange(2**SLOTS)[:, None] >> np.arange(SLOTS) & 1
    return np.asarray(bits @ weight, dtype=np.float32)


class Recall:
    """The memories of n shoppers.

    Args:
        n: shoppers.
        cluster: shape (P, k), cluster of each copy.
    """

    def __init__(self, n: int, cluster: Ints) -> None:
        self._k, self._n_clusters = cluster.shape[1], int(cluster.max()) + 1
        self._cluster = np.ascontiguousarray(cluster, dtype=np.int64)
        self._product = np.full((n, SLOTS), -1, dtype=np.int32)
        self._columns = np.zeros((n, self._k), dtype=np.uint16)
        self._clusters = np.zeros((n, self._n_clusters), dtype=np.uint16)
        self._row_of_columns = np.arange(n) * self._k
        self._row_of_clusters = np.arange(n) * self._n_clusters
        self._newest = 0

    def forget(self, rows: Ints | slice) -> None:
        """Empty the memories of some shoppers."""
        self._product[rows] = -1
        self._columns[rows] = 0
        self._clusters[rows] = 0

    def remember(self, product: Ints, column: Ints) -> None:
        """One more visit of every shopper, each shown the copy of a product in a column, shapes (n,)."""
        self._newest = (self._newest - 1) % SLOTS
        self._product[:, self._newest] = product
        _shift_in(self._columns, self._row_of_columns + column)
        shown = self._cluster.take(product * self._k + column)
        _shift_in(self._clusters, self._row_of_clusters + shown)

    def words(self, rows: Ints | slice, product: Ints) -> tuple[Words, Words]:
        """When some shoppers saw each copy of a product, and when copy of its cluster.

        Args:
            rows: n shoppers.
            product: shape (n,).

        Returns:
            Two arrays of shape (n, k).
        """
        here = self._product[rows] == product.astype(np.int32)[:, None]
        seen = np.packbits(here.reshape(-1), bitorder="little").view("<u2")[:, None]
        visits = seen >> self._newest | seen << ((SLOTS - self._newest) % SLOTS)
        kin = self._cluster.take(product, axis=0)
        kin += self._row_of_clusters[rows, None]
        copies = np.bitwise_and(self._columns[rows], visits, dtype=np.uint16)
        return copies, self._clusters.take(kin)


def _shift_in(words: Words, shown: Ints) -> None:
    """Age all words by a visit and mark flat indices as shown now."""
    np.left_shift(words, 1, out=words)
    flat = words.reshape(-1)
    flat[shown] = flat.take(shown) | np.uint16(1)
