"""What shoppers remember of the copy they were shown: a ring of 16 exposures each, which fade by visits.

    exposure(variant) = 1/2 * (stock of the variant) + 1/2 * (stock of all variants of its product)

A stock is the sum of memory**age over remembered exposures; age counts the shopper's own visits since, 0 for the last.
"""

from __future__ import annotations

import numpy as np

from copybandit.sim.types import Floats, Ints

SLOTS = 16
"""Exposures that a shopper remembers."""


class Exposures:
    """The rings of all shoppers; `remember` is the only method that changes them.

    Args:
        n_shoppers: how many rings.
        product_of: shape (m,), product of each variant.
        memory: share of an exposure that is left after one more visit, in [0, 1).
    """

    def __init__(self, n_shoppers: int, product_of: Ints, memory: float) -> None:
        self._ring = np.full((n_shoppers, SLOTS), -1, dtype=np.int64)
        self._product_of = product_of
        self._weight = memory ** np.arange(SLOTS, dtype=np.float64)
        self.count: Ints = np.zeros(n_shoppers, dtype=np.int64)
        """Visits of each shopper so far, shape (n_shoppers,)."""

    def stock(self, shopper: Ints, candidates: Ints) -> Floats:
        """Exposure of shoppers of shape (n,) to candidates of shape (n, k); 0 where absent (-1)."""
        seen = self._ring[shopper]
        age = (self.count[shopper][:, None] - 1 - np.arange(SLOTS)) % SLOTS
        weight = np.where(seen >= 0, self._weight[age], 0.0)[:, None, :]
        own = ((seen[:, None, :] == candidates[:, :, None]) * weight).sum(axis=2)
        home = np.where(candidates >= 0, self._product_of[candidates], -2)
        kin = ((self._product_of[seen][:, None, :] == home[:, :, None]) * weight).sum(axis=2)
        return np.asarray(0.5 * own + 0.5 * kin)

    def remember(self, shopper: Ints, variant: Ints) -> None:
        """One more visit of distinct shoppers, shape (n,), each shown a variant, shape (n,)."""
        self._ring[shopper, self.count[shopper] % SLOTS] = variant
        self.count[shopper] += 1
