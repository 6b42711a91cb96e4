"""What shoppers remember of the copy they were shown: a ring of 16 exposures each, which fade by visits.

    exposure(variant) = 1/2 * (stock of the variant) + 1/2 * (stock of all variants of its product)

A stock is the sum of memory**age over remembered exposures; age counts the shopper's own visits since, 0 for the last.
"""

from __future__ import annotations

import numpy as np

from copybandit.sim.types import Floats, Ints

SLOTS = 16
"""Exposures that a shopper remembers."""


class Ring:
    """The last 16 variants that each shopper was shown, oldest overwritten first.

    Args:
        n_shoppers: how many rings.

    Attributes:
        seen: shape (n_shoppers, 16), variants; -1 where nothing has been shown yet.
        count: shape (n_shoppers,), exposures of each shopper so far.
    """

    def __init__(self, n_shoppers: int) -> None:
        self.seen = np.full((n_shoppers, SLOTS), -1, dtype=np.int64)
        self.count: Ints = np.zeros(n_shoppers, dtype=np.int64)

    def age(self, shopper: Ints) -> Ints:
        """Exposures that each slot of shoppers of shape (n,) lies behind the last, shape (n, 16)."""
        return np.asarray((self.count[shopper][:, None] - 1 - np.arange(SLOTS)) % SLOTS)

    def remember(self, shopper: Ints, variant: Ints) -> Ints:
        """One more exposure of distinct shoppers, shape (n,), to a variant each; the slots it went to, shape (n,)."""
        slot = self.count[shopper] % SLOTS
        self.seen[shopper, slot] = variant
        self.count[shopper] += 1
        return slot


class Exposures:
    """The rings of all shoppers; `remember` is the only method that changes them.

    Args:
        n_shoppers: how many rings.
        product_of: shape (m,), product of each variant.
        memory: share of an exposure that is left after one more visit, in [0, 1).
    """

    def __init__(self, n_shoppers: int, product_of: Ints, memory: float) -> None:
        self._ring = Ring(n_shoppers)
        self._product_of = product_of
        self._weight = memory ** np.arange(SLOTS, dtype=np.float64)

    @property
    def count(self) -> Ints:
        """Visits of each shopper so far, shape (n_shoppers,)."""
        return self._ring.count

    def stock(self, shopper: Ints, candidates: Ints) -> Floats:
        """Exposure of shoppers of shape (n,) to candidates of shape (n, k); 0 where absent (-1)."""
        seen = self._ring.seen[shopper]
        weight = np.where(seen >= 0, self._weight[self._ring.age(shopper)], 0.0)[:, None, :]
        own = ((seen[:, None, :] == candidates[:, :, None]) * weight).sum(axis=2)
        home = np.where(candidates >= 0, self._product_of[candidates], -2)
        kin = ((self._product_of[seen][:, None, :] == home[:, :, None]) * weight).sum(axis=2)
        return np.asarray(0.5 * own + 0.5 * kin)

    def remember(self, shopper: Ints, variant: Ints) -> None:
        """One more visit of distinct shoppers, shape (n,), each shown a variant, shape (n,)."""
        self._ring.remember(shopper, variant)
