"""A running shop: shoppers come, see one variant of a product, get tired of what they have seen, click and buy.

Truth is one world, what the shop believes (the warm start) another. A step is a visit. Every draw is keyed by
(seed, stream, shopper, number of the visit), so one shopper at a time, a vector of shoppers and a shard of them live the
same lives.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np

from copybandit.sim.exposures import SLOTS, Exposures
from copybandit.sim.philox import uniforms
from copybandit.sim.purchase import purchase_prob, relative_price
from copybandit.sim.types import DataError, Floats, Ints, Product
from copybandit.sim.visits import Response, Visits
from copybandit.sim.world import Copy, World

MEMORY = SLOTS
"""Exposures that a shopper remembers."""
_ORDER, _VISIT, _RESPONSE = 21, 22, 23
PRIOR, EXPOSURE, MATCH = range(3)
"""Channels of `Visits.state`: warm-start click probability, exposure stock, fitted match; 0 where absent."""


@dataclass(frozen=True, kw_only=True)
class Assortment:
    """What is on show.

    Attributes:
        products: shape (p,), indices into the catalogue.
        variants: shape (p, k), rows of the copies, -1 for absent; each product needs one.
        truth: the copies, encoded by the gold world.
        belief: the same copies, encoded by the fitted world.
        actions: shape (m, q), features of the copies that policies see.
    """

    products: Ints
    variants: Ints
    truth: Copy
    belief: Copy
    actions: Floats

    def __post_init__(self) -> None:
        p, m = len(self.products), len(self.actions)
        if not p or self.variants.ndim != 2 or len(self.variants) != p or not self.variants.shape[1]:
            raise DataError(
                f"assortment: variants must be ({p}, k) with a product and k >= 1, got {self.variants.shape}; "
                "give one row per product"
            )
        if self.variants.min() < -1 or self.variants.max() >= m:
            raise DataError(
                f"assortment: variants must be in [-1, {m}), got {self.variants.min()} to "
                f"{self.variants.max()}; use rows of the copies"
            )
        if not len(self.truth.product) == len(self.belief.product) == m:
            raise DataError(
                f"assortment: truth, belief and actions must be equally long, got {len(self.truth.product)}, "
                f"{len(self.belief.product)} and {m}; encode the same texts"
            )
        bare = (self.variants < 0).all(axis=1)
        if bare.any():
            raise DataError(
                f"assortment: product {int(self.products[bare.argmax()])} has no variant; drop it or add one"
            )
        stranger = (self.variants >= 0) & (self.truth.product[self.variants] != self.products[:, None])
        if stranger.any():
            row, column = (int(index) for index in np.argwhere(stranger)[0])
            raise DataError(
                f"assortment: variant {self.variants[row, column]} is shown for product {self.products[row]} "
                f"but was written for {self.truth.product[self.variants[row, column]]}; correct the table"
            )


class Shop:
    """A shop over time; `respond` and `change_truth` are the only methods that change it.

    Args:
        gold: answers.
        fitted: gives the warm start; its shoppers and products are those of `gold`.
        goods: what is on show.
        catalogue: prices and categories.
        seed: of every draw, in [0, 2**32).
        n_impressions, days: the season; impression i happens at day days * i / n_impressions.
        positions: places on the page, drawn evenly.

    Attributes:
        price, relative_price: shape (m,), of the catalogue, and log(price / median price of its category).
        sensitivity: shape (n_shoppers,), how much a shopper minds the price; hidden from policies.

    Raises:
        DataError: the worlds have different shoppers, or a step asks for more visits than there are shoppers.
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
        n = len(gold.taste.shoppers)
        if len(fitted.taste.shoppers) != n:
            raise DataError(
                f"shop: gold and fitted must have the same shoppers, got {n} and "
                f"{len(fitted.taste.shoppers)}; fit on the shoppers of the gold world"
            )
        if n_impressions < 1 or positions < 1:
            raise DataError(
                f"shop: n_impressions and positions must be at least 1, got {n_impressions} and {positions}; "
                "raise them"
            )
        self.gold, self.fitted, self.goods = gold, fitted, goods
        self.seed, self.days, self.positions = seed, days, positions
        self.n_impressions = n_impressions
        self._truth, self._belief = _averaged(goods.truth), _averaged(goods.belief)
        self.price = np.array([product.price for product in catalogue])
        self.relative_price = relative_price(catalogue)
        self._appeal = _appeal(gold, goods.products)
        self.sensitivity = np.exp(0.5 * _normal(uniforms(seed, _ORDER, np.arange(n), 0)))
        self._served = 0
        self._exposures = self._forgotten()

    def fresh(self, seed: int) -> Shop:
        """The same shop and shoppers before anybody came, its visits and responses drawn from another seed.

        It shares the large tables, and shoppers keep their price sensitivity, so it is cheap to make.
        """
        twin = copy.copy(self)
        twin.seed, twin._served, twin._exposures = seed, 0, self._forgotten()
        return twin

    def _forgotten(self) -> Exposures:
        n = len(self.gold.taste.shoppers)
        return Exposures(n, self.goods.truth.product, self.gold.coefficients.fatigue_memory)

    @property
    def actions(self) -> Floats:
        """Features of all variants, shape (m, q)."""
        return self.goods.actions

    def change_truth(self, truth: Copy) -> None:
        """From now on the copies do what another encoding of the same variants says."""
        if not np.array_equal(truth.product, self.goods.truth.product):
            raise DataError("shop: the changed truth must encode the same variants; encode the texts on show")
        self._truth = _averaged(truth)

    def visits(self, step: int, size: int) -> Visits:
        """The visits of a step: no shopper twice, products by taste, places by chance.

        Args:
            step: number of the step, 0 first.
            size: visits in the step; keep it the same from step to step, but for the last.
        """
        n = len(self._exposures.count)
        if not 1 <= size <= n:
            raise DataError(f"shop: a step must have between 1 and {n} visits, got {size}; change batch_size")
        per_round = n // size
        order = np.random.default_rng([self.seed, _ORDER, step // per_round]).permutation(n)
        shopper = order[(step % per_round) * size :][:size]
        # Time goes by impressions served, so that a short last step does not jump back.
        return self.visits_of(
            shopper, step, self.days * (self._served + np.arange(size)) / self.n_impressions
        )

    def visits_of(self, shopper: Ints, step: Ints | int, day: Floats) -> Visits:
        """Visits of given shoppers, shape (n,), at given times in days, shape (n,).

        Args:
            shopper: indices.
            step: shape (n,) or one for all; a shopper's draws depend on it and on nothing that others do.
            day: shape (n,).
        """
        u = uniforms(self.seed, _VISIT, shopper, step)
        place = (self._appeal[shopper] < u[:, :1]).sum(axis=1)
        place = np.minimum(place, len(self.goods.products) - 1)
        position = 1 + (u[:, 1] * self.positions).astype(np.int64)
        candidates, product = self.goods.variants[place], self.goods.products[place]
        exposure = self._exposures.stock(shopper, candidates)
        visits = Visits(
            shopper=shopper,
            product=product,
            position=position,
            time=day,
            candidates=candidates.astype(np.int32),
            context=self.fitted.taste.interest(shopper, product)[:, None],
            state=np.zeros((*candidates.shape, 3)),
        )
        prior, match = self._each(self.fitted, self._belief, visits, candidates, exposure)
        state = np.stack([prior, exposure, match], axis=2)
        return replace(visits, state=np.where(candidates[:, :, None] >= 0, state, 0.0))

    def expected_click(self, visits: Visits) -> Floats:
        """True click probability of each candidate now, shape (n, k); 0 where absent."""
        return self._click_prob(visits, visits.candidates.astype(np.int64))

    def respond(self, visits: Visits, column: Ints) -> Response:
        """Show the chosen column of each row; draw click, conversion and value; remember the exposure.

        Raises:
            DataError: a column is absent or out of range, or a shopper stands twice in the visits.
        """
        shopper, variant = visits.shopper, _chosen(visits, column)
        u = uniforms(self.seed, _RESPONSE, shopper, self._exposures.count[shopper])
        click = u[:, 0] < self._click_prob(visits, variant[:, None])[:, 0]
        buy = click & (u[:, 1] < self.purchase(visits)[np.arange(len(variant)), column])
        self._exposures.remember(shopper, variant)
        self._served += len(variant)
        return Response(
            click=click.astype(np.float64),
            conversion=buy.astype(np.float64),
            value=np.where(buy, self.price[visits.product], 0.0),
        )

    def _click_prob(self, visits: Visits, variants: Ints) -> Floats:
        exposure = self._exposures.stock(visits.shopper, variants)
        probability, _ = self._each(self.gold, self._truth, visits, variants, exposure)
        return np.where(variants >= 0, probability, 0.0)

    def purchase(self, visits: Visits) -> Floats:
        """True P(purchase | click) of each candidate, shape (n, k); what stands where absent means nothing."""
        return self._purchase(self.gold, self._truth, self.sensitivity, visits)

    def believed_purchase(self, visits: Visits) -> Floats:
        """The same as the shop believes: by the fitted world, as if all minded the price as the median shopper does."""
        plain = np.ones(len(self.sensitivity))
        return self._purchase(self.fitted, self._belief, plain, visits)

    def _purchase(self, world: World, copies: Copy, sensitivity: Floats, visits: Visits) -> Floats:
        return purchase_prob(
            world.coefficients,
            interest=world.taste.interest(visits.shopper, visits.product)[:, None],
            sensitivity=sensitivity[visits.shopper][:, None],
            relative_price=self.relative_price[visits.product][:, None],
            wording=copies.wording[0, visits.candidates],
        )

    def _each(
        self, world: World, copies: Copy, visits: Visits, variants: Ints, exposure: Floats
    ) -> tuple[Floats, Floats]:
        """Click probability and match of every variant under a world, each of shape (n, k)."""
        n, k = variants.shape
        terms = world.terms(
            np.repeat(visits.shopper, k),
            copies.take(np.maximum(variants, 0).ravel()),
            position=np.repeat(visits.position, k),
            fatigue=exposure.ravel(),
            day=np.repeat(visits.time, k),
        )
        return terms.click_prob.reshape(n, k), terms.match.reshape(n, k)


def _chosen(visits: Visits, column: Ints) -> Ints:
    """The variant in the chosen column of each row, shape (n,)."""
    n, k = visits.candidates.shape
    if column.shape != (n,) or not ((column >= 0) & (column < k)).all():
        raise DataError(
            f"shop: column must be ({n},) in [0, {k}), got {column.shape} with {column.tolist()[:5]}; "
            "pass the column decide() returned"
        )
    variant = visits.candidates[np.arange(n), column].astype(np.int64)
    if (variant < 0).any():
        row = int((variant < 0).argmax())
        raise DataError(
            f"shop: row {row} shows column {column[row]}, which is absent; mask absent candidates"
        )
    if len(np.unique(visits.shopper)) != n:
        raise DataError(
            f"shop: {n} visits of {len(np.unique(visits.shopper))} shoppers; let a shopper visit once a step"
        )
    return variant


def _averaged(copies: Copy) -> Copy:
    """The same copies with the wording ensemble averaged once instead of at every visit."""
    return replace(copies, wording=copies.wording.mean(axis=0, keepdims=True))


def _appeal(world: World, products: Ints) -> Floats:
    """Cumulative distribution over the products on show of what shoppers look at, shape (n_shoppers, p)."""
    taste = world.taste
    z = (taste.shoppers @ taste.products[products].T + taste.quality[products] - taste.centre) / taste.scale
    odds = np.exp(0.5 * z)
    return np.asarray(np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1))


def _normal(u: Floats) -> Floats:
    """Box-Muller: a standard normal from the first two columns of uniforms."""
    return np.asarray(np.sqrt(-2 * np.log(u[:, 0])) * np.cos(2 * np.pi * u[:, 1]))
