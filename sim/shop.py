"""A running shop: shoppers come, see one variant of a product, get tired of what they have seen, click and buy.

Truth is one world, what the shop believes (the warm start) another. A step is a visit. Every draw is keyed by
(seed, shopper, step), so one shopper at a time, a vector of shoppers and a shard of them live the same lives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.sim.philox import uniforms
from copybandit.sim.types import DataError, Floats, Ints, Product
from copybandit.sim.visits import Response, Visits
from copybandit.sim.world import Copy, World

MEMORY = 16
"""Exposures that a shopper remembers."""
_ORDER, _VISIT, _RESPONSE = 21, 22, 23
PRIOR, EXPOSURE, MATCH = range(3)
"""Channels of `Visits.state`: warm-start click probability, exposure stock, fitted match."""


@dataclass(frozen=True, kw_only=True)
class Assortment:
    """What is on show.

    Attributes:
        products: shape (p,), indices into the catalogue.
        variants: shape (p, k), rows of the copies, -1 for absent.
        truth: the copies, encoded by the gold world.
        belief: the same copies, encoded by the fitted world.
        actions: shape (m, q), features of the copies that policies see.
    """

    products: Ints
    variants: Ints
    truth: Copy
    belief: Copy
    actions: Floats


class Shop:
    """A shop over time; `respond` is the only method that changes it.

    Args:
        gold: answers.
        fitted: gives the warm start; its shoppers and products are those of `gold`.
        goods: what is on show.
        catalogue: prices and categories.
        seed: of every draw.
        n_impressions, days: the season; impression i happens at day days * i / n_impressions.
        positions: places on the page, drawn evenly.

    Raises:
        DataError: a step asks for more visits than there are shoppers.
    """

    def __init__(
        self,
        gold: World,
        fitted: World,
        goods: Assortment,
        catalogue: tuple[Product, ...],
        *,
        seed: int,
        n_impressions: int,
        days: float = 7.0,
        positions: int = 3,
    ) -> None:
        self.gold, self.fitted, self.goods = gold, fitted, goods
        self.seed, self.days, self.positions = seed, days, positions
        self.n_impressions = n_impressions
        n = len(gold.taste.shoppers)
        self._ring = np.full((n, MEMORY), -1, dtype=np.int64)
        self._count = np.zeros(n, dtype=np.int64)
        self._price = np.array([product.price for product in catalogue])
        self._relative = np.log(self._price / _category_median(catalogue))
        self._appeal = _appeal(gold, goods.products)
        self._sensitivity = np.exp(0.5 * _normal(uniforms(seed, _ORDER, np.arange(n), 0)))

    @property
    def actions(self) -> Floats:
        """Features of all variants, shape (m, q)."""
        return self.goods.actions

    def visits(self, step: int, size: int) -> Visits:
        """The visits of a step: no shopper twice, products by taste, places by chance.

        Args:
            step: number of the step, 0 first.
            size: visits in the step; keep it the same from step to step.
        """
        n = len(self._count)
        if not 1 <= size <= n:
            raise DataError(f"shop: a step must have between 1 and {n} visits, got {size}; change batch_size")
        per_round = n // size
        order = np.random.default_rng([self.seed, _ORDER, step // per_round]).permutation(n)
        shopper = order[(step % per_round) * size :][:size]
        return self.visits_of(shopper, step, self.days * (step * size + np.arange(size)) / self.n_impressions)

    def visits_of(self, shopper: Ints, step: Ints | int, day: Floats) -> Visits:
        """Visits of given shoppers, shape (n,), at given times in days, shape (n,)."""
        u = uniforms(self.seed, _VISIT, shopper, step)
        place = (self._appeal[shopper] < u[:, :1]).sum(axis=1)
        place = np.minimum(place, len(self.goods.products) - 1)
        position = 1 + (u[:, 1] * self.positions).astype(np.int64)
        candidates = self.goods.variants[place]
        exposure = self._exposure(shopper, candidates)
        belief, match = self._each(self.fitted, self.goods.belief, shopper, candidates, position, exposure, day)
        product = self.goods.products[place]
        return Visits(
            shopper=shopper,
            product=product,
            position=position,
            time=day,
            candidates=candidates.astype(np.int32),
            context=self.fitted.taste.interest(shopper, product)[:, None],
            state=np.stack([belief, exposure, match], axis=2),
        )

    def expected_click(self, visits: Visits) -> Floats:
        """True click probability of each candidate now, shape (n, k); 0 where absent."""
        candidates = visits.candidates.astype(np.int64)
        exposure = self._exposure(visits.shopper, candidates)
        probability, _ = self._each(
            self.gold, self.goods.truth, visits.shopper, candidates, visits.position, exposure, visits.time
        )
        return np.where(candidates >= 0, probability, 0.0)

    def respond(self, visits: Visits, column: Ints) -> Response:
        """Show the chosen column of each row; draw click, conversion and value; remember the exposure."""
        rows = np.arange(len(column))
        probability = self.expected_click(visits)[rows, column]
        shopper = visits.shopper
        u = uniforms(self.seed, _RESPONSE, shopper, self._count[shopper])
        click = u[:, 0] < probability
        variant = visits.candidates[rows, column].astype(np.int64)
        buy = click & (u[:, 1] < self._conversion(shopper, visits.product, variant))
        self._ring[shopper, self._count[shopper] % MEMORY] = variant
        self._count[shopper] += 1
        return Response(
            click=click.astype(np.float64),
            conversion=buy.astype(np.float64),
            value=np.where(buy, self._price[visits.product], 0.0),
        )

    def _conversion(self, shopper: Ints, product: Ints, variant: Ints) -> Floats:
        """P(buy | click): interest, price against the category's median, and a penalty for promising too much."""
        c = self.gold.coefficients
        promise = np.maximum(self.goods.truth.wording[:, variant].mean(axis=0), 0.0)
        odds = c.conversion_base + c.conversion_interest * self.gold.taste.interest(shopper, product)
        odds -= c.price_sensitivity * self._sensitivity[shopper] * self._relative[product]
        return np.asarray(1 / (1 + np.exp(-(odds - c.overpromise * promise))))

    def _exposure(self, shopper: Ints, candidates: Ints) -> Floats:
        """Remembered exposures to each candidate, half counted for its product's others, shape (n, k)."""
        seen = self._ring[shopper]
        age = (self._count[shopper][:, None] - 1 - np.arange(MEMORY)) % MEMORY
        weight = np.where(seen >= 0, self.gold.coefficients.fatigue_memory**age, 0.0)
        own = ((seen[:, None, :] == candidates[:, :, None]) * weight[:, None, :]).sum(axis=2)
        product = self.goods.truth.product
        home = np.where(candidates >= 0, product[candidates], -2)
        kin = ((product[seen][:, None, :] == home[:, :, None]) * weight[:, None, :]).sum(axis=2)
        return 0.5 * own + 0.5 * kin

    def _each(
        self, world: World, copy: Copy, shopper: Ints, candidates: Ints, position: Ints, exposure: Floats, day: Floats
    ) -> tuple[Floats, Floats]:
        """Click probability and match of every candidate under a world, each of shape (n, k)."""
        n, k = candidates.shape
        terms = world.terms(
            np.repeat(shopper, k),
            copy.take(np.maximum(candidates, 0).ravel()),
            position=np.repeat(position, k),
            fatigue=exposure.ravel(),
            day=np.repeat(day, k),
        )
        return terms.click_prob.reshape(n, k), terms.match.reshape(n, k)


def _appeal(world: World, products: Ints) -> Floats:
    """Cumulative distribution over the products on show of what each shopper looks at, shape (n_shoppers, p)."""
    taste = world.taste
    z = (taste.shoppers @ taste.products[products].T + taste.quality[products] - taste.centre) / taste.scale
    odds = np.exp(0.5 * z)
    return np.asarray(np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1))


def _category_median(catalogue: tuple[Product, ...]) -> Floats:
    prices = np.array([product.price for product in catalogue])
    _, code = np.unique([product.category for product in catalogue], return_inverse=True)
    medians = np.array([np.median(prices[code == index]) for index in range(code.max() + 1)])
    return medians[code]


def _normal(u: Floats) -> Floats:
    """Box-Muller: a standard normal from the first two columns of uniforms."""
    return np.asarray(np.sqrt(-2 * np.log(u[:, 0])) * np.cos(2 * np.pi * u[:, 1]))
