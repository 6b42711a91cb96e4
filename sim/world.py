"""The shop's answer to copy: a sum of named log-odds terms.

    P(click | u, p, t, k, time) = examine(k) * sigmoid(base + interest + match + wording - fatigue + drift)

`interest` = b_I z(u,p): what the shopper thinks of the product, z standardised. `wording` = w(t) - w(reference copy of p):
what the text does to everybody. `match` = b_M m(u,p,t): the shopper's interest in what the copy talks about, minus its mean
over shoppers, so it carries no global effect. Fitted and gold worlds are two instances of this one class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from copybandit.sim.types import Floats, Ints
from copybandit.sim.wording import Wording


class TextTaste(Protocol):
    """Places copy in the space of shopper vectors."""

    def texts(self, texts: Sequence[str]) -> Floats:
        """Vectors of what the texts talk about, shape (n, d)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """Sizes of the terms, in log-odds unless said otherwise.

    Attributes:
        base: intercept.
        b_interest: per standard deviation of the interest logit.
        b_match: per standard deviation of the match.
        position_eta: examine(k) = k ** -position_eta.
        fatigue: per remembered exposure to the same variant; half of it per exposure to its product's other variants.
        fatigue_memory: how much of an exposure is left after one more visit, in [0, 1).
        drift: amplitude of the weekly wave.
        conversion_base, conversion_interest, overpromise: log-odds of buying after a click.
        price_sensitivity: log-odds per log(price / median price of its category).
    """

    base: float
    b_interest: float = 0.5
    b_match: float = 0.3
    position_eta: float = 0.5
    fatigue: float = 0.15
    fatigue_memory: float = 0.8
    drift: float = 0.1
    conversion_base: float = -2.9
    conversion_interest: float = 0.4
    overpromise: float = 0.3
    price_sensitivity: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Taste:
    """Who likes what, in one vector space.

    Attributes:
        shoppers: shape (n_shoppers, d).
        products: shape (n_products, d).
        quality: shape (n_products,), what everybody thinks of the product, in units of the logit.
        centre, scale: standardise the logit.
        match_scale: standardises the match.
        text: places copy in the same space.
    """

    shoppers: Floats
    products: Floats
    quality: Floats
    centre: float
    scale: float
    match_scale: float
    text: TextTaste

    def interest(self, shopper: Ints, product: Ints) -> Floats:
        """Standardised interest z, shape (n,)."""
        logit = (self.shoppers[shopper] * self.products[product]).sum(axis=-1) + self.quality[product]
        return np.asarray((logit - self.centre) / self.scale)

    @cached_property
    def mean_shopper(self) -> Floats:
        """Average shopper, shape (d,)."""
        return np.asarray(self.shoppers.mean(axis=0))


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Encoded copy: what a world needs to know of n texts.

    Attributes:
        product: shape (n,), product index.
        wording: shape (members, n), relative to the reference copy of the product.
        topic: shape (n, d), what the text talks about beyond the reference copy, scaled for `match`.
    """

    product: Ints
    wording: Floats
    topic: Floats

    def take(self, rows: Ints) -> Copy:
        """Rows by index."""
        return Copy(product=self.product[rows], wording=self.wording[:, rows], topic=self.topic[rows])


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The log-odds terms of n impressions, each of shape (n,); `examine` is a probability."""

    base: Floats
    interest: Floats
    match: Floats
    wording: Floats
    fatigue: Floats
    drift: Floats
    examine: Floats

    @property
    def log_odds(self) -> Floats:
        """Log-odds of a click once examined, shape (n,)."""
        return self.base + self.interest + self.match + self.wording - self.fatigue + self.drift

    @property
    def click_prob(self) -> Floats:
        """P(click), shape (n,)."""
        return np.asarray(self.examine / (1 + np.exp(-self.log_odds)))


@dataclass(frozen=True, kw_only=True)
class World:
    """One shop: taste, wording, the reference copy of each product, and the sizes of the terms.

    Attributes:
        taste: who likes what.
        wording: ensemble of wording models.
        references: reference copy of each product; `wording` and `match` are 0 for it.
        coefficients: sizes of the terms.
    """

    taste: Taste
    wording: Wording
    references: tuple[str, ...]
    coefficients: Coefficients

    def encode(self, texts: Sequence[str], product: Ints) -> Copy:
        """Encode texts once; all later arithmetic is on arrays.

        Args:
            texts: n texts.
            product: shape (n,), which product each is for.
        """
        product = np.asarray(product, dtype=np.int64)
        used, place = np.unique(product, return_inverse=True)
        both = [*texts, *(self.references[index] for index in used)]
        wording = self.wording.members(both)
        topic = self.taste.text.texts(both) / self.taste.match_scale
        n = len(texts)
        return Copy(
            product=product,
            wording=wording[:, :n] - wording[:, n:][:, place],
            topic=topic[:n] - topic[n:][place],
        )

    def terms(
        self,
        shopper: Ints,
        copy: Copy,
        *,
        position: Ints | int = 1,
        fatigue: Floats | float = 0.0,
        day: Floats | float = 0.0,
    ) -> Terms:
        """Terms of n impressions.

        Args:
            shopper: shape (n,).
            copy: n rows, one per impression.
            position: 1 is the first place.
            fatigue: exposure stock, in remembered exposures.
            day: time in days; the wave has a period of 7.
        """
        c = self.coefficients
        n = len(copy.product)
        tastes = self.taste.shoppers[shopper] - self.taste.mean_shopper
        return Terms(
            base=np.full(n, c.base),
            interest=c.b_interest * self.taste.interest(shopper, copy.product),
            match=c.b_match * (tastes * copy.topic).sum(axis=1),
            wording=copy.wording.mean(axis=0),
            fatigue=np.broadcast_to(np.asarray(c.fatigue * fatigue, dtype=np.float64), (n,)),
            drift=np.broadcast_to(np.asarray(c.drift * np.sin(2 * np.pi * np.asarray(day) / 7)), (n,)),
            examine=np.broadcast_to(np.asarray(position, dtype=np.float64) ** -c.position_eta, (n,)),
        )

    def mean_click(self, shoppers: Ints, copy: Copy) -> Floats:
        """P(click) at the first place, rested and without drift, averaged over shoppers; shape (n,) for n texts."""
        c = self.coefficients
        tastes = self.taste.shoppers[shoppers]
        interest = tastes @ self.taste.products[copy.product].T + self.taste.quality[copy.product]
        odds = c.base + c.b_interest * (interest - self.taste.centre) / self.taste.scale
        odds += c.b_match * (tastes - self.taste.mean_shopper) @ copy.topic.T + copy.wording.mean(axis=0)
        return np.asarray((1 / (1 + np.exp(-odds))).mean(axis=0))

    def leaning(self, shoppers: Ints) -> Floats:
        """How a group of shoppers leans away from the average shopper, shape (d,)."""
        return np.asarray(self.taste.shoppers[shoppers].mean(axis=0) - self.taste.mean_shopper)

    def gain(self, leaning: Floats, copy: Copy, doubt: float = 0.0) -> Floats:
        """Mean log-odds over the reference copy for a group of shoppers, shape (n,).

        Args:
            leaning: shape (d,) for one group, or (n, d) for one group per text; see `leaning`.
            copy: n texts.
            doubt: standard deviations of the wording ensemble to subtract; above 0 it is a lower bound.
        """
        match = self.coefficients.b_match * (copy.topic * leaning).sum(axis=1)
        return np.asarray(match + copy.wording.mean(axis=0) - doubt * copy.wording.std(axis=0))

    def without_match(self) -> World:
        """The same shop where nobody cares what the copy talks about."""
        return replace(self, coefficients=replace(self.coefficients, b_match=0.0))

    def at_base_rate(self, rate: float, rng: np.random.Generator) -> World:
        """Set `base` so that reference copy in the first place is clicked at `rate` on average.

        Args:
            rate: wanted mean click probability, in (0, 1).
            rng: draws 20,000 shopper-product pairs.
        """
        shopper = rng.integers(len(self.taste.shoppers), size=20_000)
        product = rng.integers(len(self.taste.products), size=20_000)
        odds = self.coefficients.b_interest * self.taste.interest(shopper, product)
        low, high = -20.0, 20.0
        for _ in range(60):
            middle = (low + high) / 2
            reached = float((1 / (1 + np.exp(-(odds + middle)))).mean())
            low, high = (middle, high) if reached < rate else (low, middle)
        return replace(self, coefficients=replace(self.coefficients, base=(low + high) / 2))


def match_scale(shoppers: Floats, topics: Floats, rng: np.random.Generator) -> float:
    """Standard deviation of the raw match over random shoppers and texts, which `Taste.match_scale` divides by.

    Args:
        shoppers: shape (n, d).
        topics: shape (t, d), topics of a sample of texts beyond their reference copy.
        rng: draws the pairs.
    """
    u = rng.integers(len(shoppers), size=20_000)
    t = rng.integers(len(topics), size=20_000)
    return max(float(((shoppers[u] - shoppers.mean(axis=0)) * topics[t]).sum(axis=1).std()), 1e-9)
