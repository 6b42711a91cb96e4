"""Odds of clicks and purchases of a shopper shown a copy, from a table or worked out where a table would not fit.

A cell is shopper * n_products + product. The table is filled by the very function that works the odds out, so both give
the same numbers; 1,000,000 shoppers and 10,000 products are served without any array over both.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from copybandit.sim.effects import Effects
from copybandit.sim.storefront import Floats32, Storefront
from copybandit.sim.types import Ints

BLOCK = 2**14
"""Rows worked out at once, so that temporaries stay in cache."""


class Odds(Protocol):
    """What a visit needs to know; cells, columns and `after` have shape (n,), results shape (n,) or (n, k)."""

    def against(self, cell: Ints, after: Ints, column: Ints) -> Floats32:
        """True odds against a click on the copy in a column once examined, rested; `after` is 1 after the shift."""
        ...

    def against_each(self, cell: Ints, after: Ints) -> Floats32:
        """The same of all k copies, shape (n, k)."""
        ...

    def against_buying(self, cell: Ints, column: Ints) -> Floats32:
        """True odds against buying after a click."""
        ...

    def prior(self, cell: Ints) -> Floats32:
        """Click probabilities that the shop believes in, at the first place, rested; shape (n, k), 0 where absent."""
        ...

    def interest(self, cell: Ints) -> Floats32:
        """Interest that the shop believes in, in log-odds."""
        ...


class LowRankOdds:
    """Works odds out from the vectors of shopper, product and copy: n * k * d operations.

    Args:
        front: the shop.
        effects: heterogeneity, no-click option, shift and the terms of buying.

    Attributes:
        shoppers: shape (S, d), with their heterogeneity.
        passing: weight of passing by.
    """

    def __init__(self, front: Storefront, effects: Effects) -> None:
        truth, belief = front.truth, front.belief
        self.size = truth.size
        self.passing = effects.no_click
        self._front, self._effects = front, effects
        self.shoppers, self._believed = (
            truth.spread(effects.heterogeneity),
            belief.spread(effects.heterogeneity),
        )
        changed = truth.wording + effects.shift * front.change
        self._offset = np.stack([truth.wording, changed]).astype(np.float32)
        self._offset += np.float32(truth.base) + truth.level[:, None]
        self._vector = truth.products[:, None, :] + truth.topics
        self._vectors = self._vector.reshape(-1, self._vector.shape[2])
        self._belief_offset = np.asarray(np.float32(belief.base) + belief.level[:, None] + belief.wording)
        self._belief_vector = belief.products[:, None, :] + belief.topics
        promise = effects.overpromise * np.maximum(truth.wording, 0)
        self.doubt: Floats32 = np.exp(promise, dtype=np.float32).ravel()

    def against(self, cell: Ints, after: Ints, column: Ints) -> Floats32:
        """See `Odds`."""
        shopper, product = np.divmod(cell, self.size[1])
        at = product * self.size[2] + column
        match = _dots(self.shoppers.take(shopper, axis=0), self._vectors.take(at, axis=0))
        return self._against(match + self._offset[after, product, column])

    def against_each(self, cell: Ints, after: Ints) -> Floats32:
        """See `Odds`."""
        shopper, product = np.divmod(cell, self.size[1])
        match = _dots_each(self.shoppers.take(shopper, axis=0), self._vector.take(product, axis=0))
        return self._against(match + self._offset[after, product])

    def _against(self, log_odds: Floats32) -> Floats32:
        return np.asarray(np.float32(self.passing) * np.exp(-log_odds), dtype=np.float32)

    def against_buying(self, cell: Ints, column: Ints) -> Floats32:
        """See `Odds`."""
        product = cell % self.size[1]
        return self.against_buying_plain(cell) * self.doubt.take(product * self.size[2] + column)

    def against_buying_plain(self, cell: Ints) -> Floats32:
        """Odds against buying after a click on copy that promises nothing, shape (n,)."""
        e, front = self._effects, self._front
        shopper, product = np.divmod(cell, self.size[1])
        truth, tastes = front.truth, self.shoppers.take(shopper, axis=0)
        interest = _dots(tastes, truth.products.take(product, axis=0)) + truth.level.take(product)
        odds = e.buy_base + e.buy_interest * interest
        odds = odds - e.price * front.sensitivity[shopper] * front.relative[product]
        return np.asarray(np.exp(-odds), dtype=np.float32)

    def prior(self, cell: Ints) -> Floats32:
        """See `Odds`."""
        found = np.empty((len(cell), self.size[2]), dtype=np.float32)
        for start in range(0, len(cell), BLOCK):
            shopper, product = np.divmod(cell[start : start + BLOCK], self.size[1])
            tastes = self._believed.take(shopper, axis=0)
            odds = _dots_each(tastes, self._belief_vector.take(product, axis=0))
            odds += self._belief_offset.take(product, axis=0)
            click = 1 / (1 + np.exp(-odds))
            found[start : start + BLOCK] = click * self._front.present.take(product, axis=0)
        return found

    def interest(self, cell: Ints) -> Floats32:
        """See `Odds`."""
        shopper, product = np.divmod(cell, self.size[1])
        belief, tastes = self._front.belief, self._believed.take(shopper, axis=0)
        return _dots(tastes, belief.products.take(product, axis=0)) + belief.level.take(product)


def _dots(left: Floats32, right: Floats32) -> Floats32:
    """Dot products of rows of shape (n, d), shape (n,).

    Both this and `_dots_each` add up along d by the same loop, whatever n and k, so a row gives the same bits anywhere.
    """
    return np.asarray(np.einsum("nd,nd->n", left, right))


def _dots_each(left: Floats32, right: Floats32) -> Floats32:
    """Dot products of rows (n, d) with k vectors each (n, k, d), shape (n, k)."""
    return np.asarray(np.einsum("nd,nkd->nk", left, right))


class TableOdds:
    """Looks odds up: one gather for each question.

    Args:
        source: fills the tables.
    """

    @staticmethod
    def bytes(s: int, p: int, k: int) -> int:
        """Bytes of the tables of s shoppers and p products of k copies."""
        return 4 * s * p * (3 * k + 2)

    def __init__(self, source: LowRankOdds) -> None:
        s, p, k = source.size
        self._products, self._k, self._cells = p, k, s * p
        self._against = np.empty((2, s * p, k), dtype=np.float32)
        self._prior = np.empty((s * p, k), dtype=np.float32)
        self._interest, self._buying = np.empty((2, s * p), dtype=np.float32)
        self._doubt = source.doubt
        for start in range(0, s * p, BLOCK):
            cell = np.arange(start, min(start + BLOCK, s * p))
            for after in (0, 1):
                self._against[after, cell] = source.against_each(cell, np.full(len(cell), after))
            self._prior[cell] = source.prior(cell)
            self._interest[cell] = source.interest(cell)
            self._buying[cell] = source.against_buying_plain(cell)

    def against(self, cell: Ints, after: Ints, column: Ints) -> Floats32:
        """See `Odds`."""
        return self._against.take((after * self._cells + cell) * self._k + column)

    def against_each(self, cell: Ints, after: Ints) -> Floats32:
        """See `Odds`."""
        return self._against[after, cell]

    def against_buying(self, cell: Ints, column: Ints) -> Floats32:
        """See `Odds`."""
        return self._buying.take(cell) * self._doubt.take((cell % self._products) * self._k + column)

    def prior(self, cell: Ints) -> Floats32:
        """See `Odds`."""
        return self._prior.take(cell, axis=0)

    def interest(self, cell: Ints) -> Floats32:
        """See `Odds`."""
        return self._interest.take(cell)
