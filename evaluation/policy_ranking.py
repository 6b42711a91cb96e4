"""Do two shops, fitted to two halves of a log, rank policies alike? If not, neither should rank anything.

A policy shows each judged shopper one product. Its value in a fitted shop is the mean over shoppers of
sigmoid(interest logit + log popularity over its mean): how likely the product is to be bought, next to one drawn by chance.
Policies learn from the select shoppers, whom neither half holds. Agreement is Kendall's tau-b over all pairs of policies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import kendalltau

from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.interest import InterestModel, fit_interest
from copybandit.sim.interest_scorers import ItemKnn, Popularity
from copybandit.sim.split import Split, split_groups
from copybandit.sim.types import Bools, Floats, Ints, Product

POLICIES = (
    "uniform", "most bought", "rarely bought", "cheapest", "dearest", "own last purchase",
    "most bought of own category", "neighbours", "interest",
)  # fmt: skip
MOST_SHOPPERS = 1000


@dataclass(frozen=True, kw_only=True)
class HalfShop:
    """A shop fitted to half of the fit shoppers."""

    model: InterestModel
    log_popularity: Floats


@dataclass(frozen=True, kw_only=True)
class PolicyRanking:
    """Values of the policies in both halves and how far their order agrees.

    Attributes:
        policies: names.
        first, second: shape (policies,), value in each half's shop.
        tau: Kendall's tau-b, -1 to 1; NaN where all values of a half are equal.
    """

    policies: tuple[str, ...]
    first: Floats
    second: Floats
    tau: float


def rank_policies(
    events: EventTable, products: tuple[Product, ...], split: Split, rng: np.random.Generator
) -> PolicyRanking:
    """Fit a shop to each half of the fit shoppers and rank `POLICIES` in both.

    Raises:
        DataError: when a half has too few purchases to fit.
    """
    halves = split_groups(np.array(events.shopper_ids), int(rng.integers(2**31)), shares=(0.49, 0.02, 0.49))
    judges = np.flatnonzero(split.judge & (np.bincount(events.shopper, minlength=len(split)) > 0))
    judges = rng.permutation(judges)[:MOST_SHOPPERS]
    shown = _shown(events, products, split, judges, rng)
    first, second = (
        _values(_fit(events, products, split.fit & half, split.select, rng), events, products, judges, shown)
        for half in (halves.fit, halves.judge)
    )
    tau = float(kendalltau(first, second).statistic)
    return PolicyRanking(policies=POLICIES, first=first, second=second, tau=tau)


def _fit(
    events: EventTable, products: tuple[Product, ...], fit: Bools, judge: Bools, rng: np.random.Generator
) -> HalfShop:
    model, _ = fit_interest(events, products, fit, judge, rng)
    counts = Popularity.fit(events.take(fit[events.shopper])).log_share
    return HalfShop(model=model, log_popularity=counts)


def _values(
    shop: HalfShop, events: EventTable, products: tuple[Product, ...], judges: Ints, shown: Ints
) -> Floats:
    """Value of each row of products shown, shape (policies, judges) to (policies,)."""
    x = shop.model.features.products(products)
    u = shop.model.shopper_vectors(events, x)[judges]
    logit = shop.model.intercept + np.einsum("nd,pnd->pn", u, x[shown])
    popular = shop.log_popularity - np.log(np.exp(shop.log_popularity).mean())
    return np.asarray(expit(logit + popular[shown]).mean(axis=1))


def _shown(
    events: EventTable, products: tuple[Product, ...], split: Split, judges: Ints, rng: np.random.Generator
) -> Ints:
    """The product that each policy shows each judged shopper, shape (policies, judges)."""
    n, m = len(judges), len(products)
    everyone = events.take(split.select[events.shopper])
    count = Popularity.fit(everyone).log_share
    price = np.array([product.price for product in products])
    last = _last_purchase(events, judges, int(count.argmax()))
    names, category = np.unique([product.category for product in products], return_inverse=True)
    best = np.zeros(len(names), np.int64)
    by_count = np.argsort(count, kind="stable")
    best[category[by_count]] = by_count  # the last to be written is the most bought
    pairs = np.repeat(judges, m), np.tile(np.arange(m), n)
    near = ItemKnn.fit(events, split.select).score(events, *pairs).reshape(n, m).argmax(axis=1)
    shop = _fit(events, products, split.select, split.fit, rng)
    x = shop.model.features.products(products)
    liked = shop.model.shopper_vectors(events, x)[judges] @ x.T + count
    flat = [int(count.argmax()), int(count.argmin()), int(price.argmin()), int(price.argmax())]
    rows = [rng.integers(m, size=n), *(np.full(n, product) for product in flat), last]
    return np.stack([*rows, best[category[last]], near, liked.argmax(axis=1)])


def _last_purchase(events: EventTable, judges: Ints, otherwise: int) -> Ints:
    """What each judged shopper bought last, shape (judges,); `otherwise` for who bought nothing."""
    rows = np.flatnonzero(events.kind == PURCHASE)
    rows = rows[np.argsort(events.time[rows], kind="stable")]
    last = np.full(len(events.shopper_ids), otherwise)
    last[events.shopper[rows]] = events.product[rows]
    return np.asarray(last[judges])
