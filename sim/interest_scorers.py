"""What may score pairs of shopper and product beside the sequence model: the factorised model and simple rivals of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.interest import InterestModel
from copybandit.sim.types import Floats, Ints

KNN_FLOOR = 0.3
"""c of `ItemKnn`."""
REPEAT_FLOOR = 0.02
"""Share of a shopper's days of purchase that is hardly more than none."""
RARELY = 0.5
"""Shoppers added to the buyers of each product, so that what was never bought has a popularity too."""


class Scorer(Protocol):
    """Anything that scores pairs; the scale is free."""

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """Scores of shape (n,) or (n, k) of pairs of shape (n,), which index the tables of `history`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Popularity:
    """Log of the share of each product in what shoppers bought, `log_share` of shape (m,); the same for everybody."""

    log_share: Floats

    @classmethod
    def fit(cls, events: EventTable, half_life: float = math.inf) -> Popularity:
        """Count the shoppers who bought each product, each once, at the last time.

        Args:
            events: purchases among them count.
            half_life: days before the end of the log after which a purchase counts half.
        """
        bought = np.flatnonzero(events.kind == PURCHASE)
        m = len(events.product_ids)
        code = events.shopper[bought] * m + events.product[bought]
        age = (events.time.max() - events.time[bought]) / np.timedelta64(1, "D")
        order = np.lexsort((age, code))
        latest = order[np.r_[True, np.diff(code[order]) != 0][: len(order)]]
        buyers = np.bincount(code[latest] % m, 0.5 ** (age[latest] / half_life), m) + RARELY
        return cls(log_share=np.log(buyers / buyers.sum()))

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """See `Scorer`."""
        return self.log_share[product]


@dataclass(frozen=True, kw_only=True)
class ItemKnn:
    """Item-based neighbours (Sarwar et al., 2001): sum over the history of the cosine of who bought both.

    The score is log((a + c) / (mean a + c)), a the sum, its mean over the catalogue: without it long histories outscore
    short ones whatever the product. A product is its own neighbour, so that what was bought before scores high.

    Attributes:
        buyers: sparse, shape (n_fit, m), who bought what, columns of unit length.
    """

    buyers: sparse.csr_matrix

    @classmethod
    def fit(cls, events: EventTable, shoppers: np.ndarray) -> ItemKnn:
        """Fit on the purchases of the shoppers of a mask (n_shoppers,)."""
        owned = _owned(events)[np.flatnonzero(shoppers)]
        norm = np.sqrt(np.maximum(np.asarray(owned.sum(axis=0)).ravel(), 1.0))
        return cls(buyers=sparse.csr_matrix(owned @ sparse.diags(1 / norm)))

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """See `Scorer`; shoppers go in blocks, so that memory stays small."""
        owned, found = _owned(history), np.empty(len(shopper))
        people, row = np.unique(shopper, return_inverse=True)
        order = np.argsort(row, kind="stable")
        block = max(1, 20_000_000 // max(self.buyers.shape))
        for start in range(0, len(people), block):
            part = people[start : start + block]
            near = np.asarray(((owned[part] @ self.buyers.T) @ self.buyers).todense())
            near = np.log((near + KNN_FLOOR) / (near.mean(axis=1, keepdims=True) + KNN_FLOOR))
            low, high = np.searchsorted(row[order], (start, start + len(part)))
            pairs = order[low:high]
            found[pairs] = near[row[pairs] - start, product[pairs]]
        return found


def _owned(events: EventTable) -> sparse.csr_matrix:
    bought = events.kind == PURCHASE
    shape = (len(events.shopper_ids), len(events.product_ids))
    counts = sparse.csr_matrix(
        (np.ones(bought.sum()), (events.shopper[bought], events.product[bought])), shape
    )
    return counts.minimum(1.0)


@dataclass(frozen=True, kw_only=True)
class OwnPurchases:
    """Log of one plus the times the shopper bought this very product: groceries are bought again."""

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """See `Scorer`."""
        bought = history.kind == PURCHASE
        m = len(history.product_ids)
        code, count = np.unique(history.shopper[bought] * m + history.product[bought], return_counts=True)
        wanted = shopper * m + product
        place = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
        return np.asarray(np.log1p(np.where(code[place] == wanted, count[place], 0)))


@dataclass(frozen=True, kw_only=True)
class RepeatShare:
    """log(1 + share / `REPEAT_FLOOR`) of the shopper's days of purchase on which this very product was bought; else 0.

    Between windows of a log its pull stays the same, while that of a count falls as histories grow: from 2.2 to 1.6 on
    Online Retail and from 3.2 to 2.6 on Instacart, shares .74 to .73 and 1.56 to 1.64 (fit and select shoppers).
    """

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """See `Scorer`."""
        bought = history.kind == PURCHASE
        m = len(history.product_ids)
        day = history.time[bought].astype("datetime64[D]").astype(np.int64)
        lines = np.unique(np.stack([history.shopper[bought], day, history.product[bought]]), axis=1)
        days = np.bincount(np.unique(lines[:2], axis=1)[0], minlength=len(history.shopper_ids))
        code, count = np.unique(lines[0] * m + lines[2], return_counts=True)
        share = count / days[code // m]
        wanted = shopper * m + product
        place = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
        return np.asarray(np.log1p(np.where(code[place] == wanted, share[place], 0) / REPEAT_FLOOR))


@dataclass(frozen=True, kw_only=True)
class WithOwnPurchases:
    """Another scorer with `OwnPurchases` beside it, scores of shape (n, 2); the calibration weighs them."""

    inner: Scorer

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """See `Scorer`."""
        both = (self.inner, OwnPurchases())
        return np.stack([scorer.score(history, shopper, product) for scorer in both], axis=1)


@dataclass(frozen=True, kw_only=True)
class Factorised:
    """An `InterestModel` over a catalogue whose product vectors are `products`, shape (m, d)."""

    model: InterestModel
    products: Floats

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """See `Scorer`."""
        return self.model.score(history, self.products, shopper, product)
