"""Judges interest models side by side: new shoppers, later time, two ways to draw what was not bought.

The last fifth of the log is kept for judging; models are fitted on the fit shoppers before it, calibrated on the select
shoppers before it and judged on what the judge shoppers bought in it, given their history before it. Popularity tells a
purchase from a product drawn uniformly, so every model's calibration may use log popularity beside its own score; against
products drawn as often as they are bought it is of no use, and what is left is personal. Popularity is that of all the
known part, whose end the calibration is fitted on too: where a catalogue turns over, slopes on later time fall below 1
for that. Popularity of the time before alone was tried on Online Retail and cost more (log-loss .546 against .534).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from copybandit.sim.calibration import CalibrationReport, Platt, fit_platt, judge_calibration
from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.interest import InterestModel, Negatives, Pairs, cut_in_time, purchase_pairs
from copybandit.sim.split import Split
from copybandit.sim.types import Floats, Ints

SCHEMES: tuple[Negatives, ...] = ("uniform", "matched")
KNOWN_SHARE = 0.8
HISTORY_SHARE = 0.7
KNN_FLOOR = 0.3
"""c of `ItemKnn`."""


class Scorer(Protocol):
    """Anything that scores pairs; the scale is free."""

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """Scores of shape (n,) or (n, k) of pairs of shape (n,), which index the tables of `history`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Popularity:
    """Log of one plus the purchases of each product, `log_count` of shape (m,); the same for everybody."""

    log_count: Floats

    @classmethod
    def fit(cls, events: EventTable) -> Popularity:
        """Count the shoppers who bought each product."""
        bought = events.kind == PURCHASE
        m = len(events.product_ids)
        code = np.unique(events.shopper[bought] * m + events.product[bought])
        return cls(log_count=np.log1p(np.bincount(code % m, minlength=m)))

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """See `Scorer`."""
        return self.log_count[product]


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


@dataclass(frozen=True, kw_only=True)
class JudgedInterest:
    """One model under one scheme.

    Attributes:
        model: name of the row.
        negatives: how what was not bought was drawn.
        calibration: of score and log popularity, fitted on the select shoppers.
        report: on the judge shoppers.
    """

    model: str
    negatives: Negatives
    calibration: Platt
    report: CalibrationReport


def known_part(events: EventTable) -> tuple[EventTable, EventTable]:
    """The part of a log that models may see, and the later part that they are judged on."""
    return cut_in_time(events, KNOWN_SHARE)


def judge_interest(
    events: EventTable, split: Split, scorers: Mapping[str, Scorer], rng: np.random.Generator
) -> tuple[JudgedInterest, ...]:
    """Judge scorers that were fitted on the fit shoppers in the first part of `known_part`.

    Args:
        events: the whole log.
        split: of the shoppers.
        scorers: name to scorer; popularity is added under its own name.
        rng: draws the negatives.

    Returns:
        One record for each scheme and scorer.

    Raises:
        DataError: when select or judge shoppers bought nothing in their later parts.
    """
    known, later = known_part(events)
    before, after = cut_in_time(known, HISTORY_SHARE)
    popularity = Popularity.fit(known.take(split.fit[known.shopper]))
    rows = {"popularity": popularity, **scorers}
    m, found = len(events.product_ids), []
    for scheme in SCHEMES:
        tune = purchase_pairs(after, split.select, m, rng, scheme=scheme)
        test = purchase_pairs(later, split.judge, m, rng, scheme=scheme)
        for name, scorer in rows.items():
            calibration = fit_platt(_inputs(scorer, popularity, before, tune), tune.label)
            logit = calibration.logit(_inputs(scorer, popularity, known, test))
            report = judge_calibration(logit, test.label)
            found.append(JudgedInterest(model=name, negatives=scheme, calibration=calibration, report=report))
    return tuple(found)


def _inputs(scorer: Scorer, popularity: Popularity, history: EventTable, pairs: Pairs) -> Floats:
    """What the calibration sees: the scores, and log popularity where that is not the score; shape (n, k)."""
    score = scorer.score(history, pairs.shopper, pairs.product)
    if scorer is popularity:
        return score[:, None]
    return np.column_stack([score, popularity.score(history, pairs.shopper, pairs.product)])
