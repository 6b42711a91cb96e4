"""Baskets of a fitted shop: when, how many, which products, at what price; and the same of a real log, to compare with.

A basket is what a shopper buys in one day; a session is a run of events with gaps of at most half an hour. Which products
are bought follows popularity times exp of the interest logit: against products drawn by popularity, that logit is the
log of how much likelier this shopper is to buy. A price is the product's usual one times a ratio seen in the log.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.types import Bools, Floats, Ints
from copybandit.sim.visits_fit import VisitModel, Visits, fit_visits

SESSION_GAP = np.timedelta64(30, "m")


@dataclass(frozen=True, kw_only=True)
class Marginals:
    """What a log looks like from afar, each a sample of its own length.

    Attributes:
        session_length: events per session.
        basket_size: distinct products per basket.
        days_between_baskets: whole days.
        price_paid: unit prices.
    """

    session_length: Floats
    basket_size: Floats
    days_between_baskets: Floats
    price_paid: Floats


@dataclass(frozen=True, kw_only=True)
class BasketModel:
    """A fitted shop's baskets.

    Attributes:
        baskets: when and how many products.
        sessions: the same of sessions, whose size is in events.
        log_popularity: shape (m,).
        usual_price: shape (m,), median paid, or the catalogue's where nothing was sold.
        price_ratio: shape (r,), paid over usual, of the lines it was fitted on.
    """

    baskets: VisitModel
    sessions: VisitModel
    log_popularity: Floats
    usual_price: Floats
    price_ratio: Floats

    @classmethod
    def fit(
        cls,
        events: EventTable,
        people: tuple[Bools, Bools],
        price: Floats,
        rng: np.random.Generator,
        longest_gap: int | None = None,
    ) -> BasketModel:
        """Fit to some shoppers of a log.

        Args:
            events: the log.
            people: masks of shape (n_shoppers,), who is fitted to and who chooses how regular visits are.
            price: shape (m,), of the catalogue.
            rng: simulates for that choice.
            longest_gap: days between visits that stand for more in this log; None where it tells every gap.

        Raises:
            DataError: as `fit_visits`.
        """
        own, held = (events.take(mask[events.shopper]) for mask in people)
        last = int(_day(events).max())
        bought = own.take(own.kind == PURCHASE)
        m = len(price)
        order = np.lexsort((bought.price, bought.product))
        count = np.bincount(bought.product, minlength=m)
        middle = np.minimum(np.cumsum(count) - count + count // 2, max(len(order) - 1, 0))
        usual = np.where(count > 0, bought.price[order][middle], price)
        return cls(
            baskets=fit_visits(basket_visits(own), basket_visits(held), last, rng, longest_gap),
            sessions=fit_visits(session_visits(own), session_visits(held), last, rng, longest_gap),
            log_popularity=np.log(count + 0.5),
            usual_price=usual,
            price_ratio=bought.price / usual[bought.product],
        )

    def simulate(
        self, events: EventTable, shoppers: Bools, interest: tuple[Floats, Floats], rng: np.random.Generator
    ) -> Marginals:
        """Draw the marginals of the shoppers of a mask, who begin when they began in the log.

        Args:
            events: the log; only the day of each shopper's first basket and session is used.
            shoppers: shape (n_shoppers,).
            interest: vectors of shoppers (n_shoppers, d) and products (m, d); their product is the logit.
            rng: draws everything.
        """
        own = events.take(shoppers[events.shopper])
        last = int(_day(events).max())
        buyers, first = _first(basket_visits(own))
        drawn = self.baskets.simulate(first, last, rng)
        sessions = self.sessions.simulate(_first(session_visits(own))[1], last, rng)
        product = self._products(np.repeat(buyers[drawn.shopper], drawn.size), interest, rng)
        paid = self.usual_price[product] * rng.choice(self.price_ratio, len(product))
        return Marginals(
            session_length=sessions.size.astype(np.float64),
            basket_size=drawn.size.astype(np.float64),
            days_between_baskets=drawn.gaps().astype(np.float64),
            price_paid=paid,
        )

    def _products(self, shopper: Ints, interest: tuple[Floats, Floats], rng: np.random.Generator) -> Ints:
        """A product for each line of shoppers in rising order, shape (lines,)."""
        left, right = interest
        people, row = np.unique(shopper, return_inverse=True)
        found = np.empty(len(shopper), np.int64)
        block = max(1, 4_000_000 // len(right))
        for start in range(0, len(people), block):
            part = people[start : start + block]
            logit = left[part] @ right.T + self.log_popularity
            share = np.exp(logit - logit.max(axis=1, keepdims=True))
            upto = np.cumsum(share / share.sum(axis=1, keepdims=True), axis=1)
            axis = (upto + np.arange(len(part))[:, None]).ravel()
            low, high = np.searchsorted(row, (start, start + len(part)))
            code = np.searchsorted(axis, row[low:high] - start + rng.random(high - low) * (1 - 1e-9))
            found[low:high] = np.minimum(code - (row[low:high] - start) * len(right), len(right) - 1)
        return found


def real_marginals(events: EventTable, shoppers: Bools) -> Marginals:
    """The marginals of the shoppers of a mask in a log."""
    own = events.take(shoppers[events.shopper])
    baskets = basket_visits(own)
    return Marginals(
        session_length=session_visits(own).size.astype(np.float64),
        basket_size=baskets.size.astype(np.float64),
        days_between_baskets=baskets.gaps().astype(np.float64),
        price_paid=own.price[own.kind == PURCHASE],
    )


def basket_visits(events: EventTable) -> Visits:
    """Days on which shoppers bought, sized by distinct products."""
    rows = events.kind == PURCHASE
    lines = np.stack([events.shopper[rows], _day(events)[rows], events.product[rows]])
    distinct = np.unique(lines, axis=1)
    visit, size = np.unique(distinct[:2], axis=1, return_counts=True)
    return Visits(shopper=visit[0], day=visit[1], size=size.astype(np.int64))


def session_visits(events: EventTable) -> Visits:
    """Each shopper's sessions, sized by events; the longest of a day stands for it."""
    order = np.lexsort((events.time, events.shopper))
    shopper, time = events.shopper[order], events.time[order]
    fresh = np.r_[True, (np.diff(shopper) != 0) | (np.diff(time) > SESSION_GAP)] if len(order) else order > 0
    begin = np.flatnonzero(fresh)
    size = np.diff(np.r_[begin, len(order)])
    day = time[begin].astype("datetime64[D]").astype(np.int64)
    by_day = np.lexsort((-size, day, shopper[begin]))
    pair = np.stack([shopper[begin], day])[:, by_day]
    _, kept = np.unique(pair, axis=1, return_index=True)
    return Visits(shopper=pair[0, kept], day=pair[1, kept], size=size[by_day][kept])


def _first(visits: Visits) -> tuple[Ints, Ints]:
    """Shoppers with visits, in rising order, and the day of the first."""
    people, start = np.unique(visits.shopper, return_index=True)
    return people, visits.day[start]


def _day(events: EventTable) -> Ints:
    return events.time.astype("datetime64[D]").astype(np.int64)
