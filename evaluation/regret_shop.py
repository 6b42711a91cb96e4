"""Four scenarios of one shop to compare policies in: nothing changes, truth drifts, shoppers tire, new copy comes daily.

The shop is made from a seed like that of `run`: behaviour and a log of earlier copy are drawn from a gold world, a fitted
world learns from them, and copy that was in no log goes on show. Draws are keyed by shopper and visit, so that every policy
meets the same requests, and the same choice meets the same answer. The fitted world knows neither of drift nor of fatigue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from copybandit.agents.bandit import Response, Visits
from copybandit.evaluation.approve import Approved
from copybandit.evaluation.card_shop import staged
from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.shop_data import ShopData
from copybandit.evaluation.stage_bandit import assortment
from copybandit.generators.grammar import write
from copybandit.sim.shop import Assortment, Shop
from copybandit.sim.truth_drift import drifted
from copybandit.sim.types import Brief, DataError, Floats, Ints, Product, Segment
from copybandit.sim.world import Copy, World

Scenario = Literal["stationary", "drift", "fatigue", "new_copy"]
SCENARIOS: tuple[Scenario, ...] = ("stationary", "drift", "fatigue", "new_copy")
VARIANTS = 6
FATIGUE, MEMORY = 1.0, 0.95
"""Scenario `fatigue`: log-odds of a click lost per remembered exposure, and what one visit leaves of an exposure."""
RHO = 0.7
"""Correlation of wording effects from day to day in the scenario `drift`; halfway through, .34 of the first day's."""
SIZES: Mapping[str, object] = {
    "data.n_products": 200,
    "data.n_shoppers": 600,
    "data.n_rounds": 100_000,
    "terms.base_ctr": 0.05,
    "terms.fatigue": 0.0,
    "terms.drift": 0.0,
}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A shop before its season.

    Attributes:
        gold, fitted: the truth and what is believed of it.
        goods: `VARIANTS` new texts of each product on show.
        texts: of all variants.
        catalogue: all products.
        seed: of the shop, and of its season.
    """

    gold: World
    fitted: World
    goods: Assortment
    texts: tuple[str, ...]
    catalogue: tuple[Product, ...]
    seed: int


def make_ground(seed: int, n_products: int, folder: Path) -> Ground:
    """Make the shop of a seed in a run folder, and write copy for its first products.

    Raises:
        DataError: an unusable number of products, or a folder that holds another run.
    """
    settings = load_settings("quickstart", {"seed": seed, **SIZES})
    pipeline = staged(folder, settings, ("data", "fit"), Silent())
    shop, gold, fitted = pipeline.shop(), pipeline.gold(), pipeline.fitted().world
    fitted = replace(fitted, coefficients=replace(fitted.coefficients, fatigue=0.0, drift=0.0))
    approved = _written(shop, n_products, np.random.default_rng([seed, 51]))
    return Ground(
        gold=gold,
        fitted=fitted,
        goods=assortment(approved, gold, fitted),
        texts=approved.texts,
        catalogue=shop.products,
        seed=seed,
    )


def _written(shop: ShopData, n_products: int, rng: np.random.Generator) -> Approved:
    """Texts of random moves and interest words that the earlier copy does not hold."""
    if not 1 <= n_products <= len(shop.products):
        raise DataError(
            f"regret: n_products must be in [1, {len(shop.products)}], got {n_products}; lower it"
        )
    known, texts = set(shop.sample.texts), list[str]()
    for product in shop.products[:n_products]:
        mine: dict[str, None] = {}
        while len(mine) < VARIANTS:
            picked = tuple(str(word) for word in rng.choice(list(shop.words), 3, replace=False))
            segment = Segment(segment_id=0, interests=picked, size=1)
            text = write(Brief(product=product, segment=segment), rng)
            if text not in known:
                mine[text] = None
        texts += mine
    table = np.arange(n_products * VARIANTS).reshape(n_products, VARIANTS)
    return Approved(
        texts=tuple(texts),
        product=np.repeat(np.arange(n_products), VARIANTS),
        writer=np.ones(len(texts), dtype=np.int64),
        products=np.arange(n_products),
        table=table,
    )


class Season:
    """A shop of a scenario over its days; it follows `agents.bandit.Shop`.

    Args:
        ground: the shop.
        scenario: what changes.
        n_impressions: requests in all.
        days: first day 0; truth drifts and copy arrives when a day begins.
    """

    def __init__(self, ground: Ground, scenario: Scenario, *, n_impressions: int, days: int = 6) -> None:
        gold = ground.gold
        if scenario == "fatigue":
            tired = replace(gold.coefficients, fatigue=FATIGUE, fatigue_memory=MEMORY)
            gold = replace(gold, coefficients=tired)
        self._shop = Shop(
            gold, ground.fitted, ground.goods, ground.catalogue,
            seed=ground.seed, n_impressions=n_impressions, days=float(days),
        )  # fmt: skip
        self._arrival = _arrivals(ground, days) if scenario == "new_copy" else np.zeros(len(ground.texts))
        self._truths = _truths(ground, days) if scenario == "drift" else ()
        self._day = 0

    @property
    def actions(self) -> Floats:
        """Features of all variants, shape (m, q)."""
        return self._shop.actions

    def visits(self, step: int, size: int) -> Visits:
        """The next requests, without candidates that are still to come; the truth is that of their first one's day."""
        visits = self._shop.visits(step, size)
        self._turn_to(int(visits.time[0]))
        here = (visits.candidates >= 0) & (self._arrival[visits.candidates] <= visits.time[:, None])
        return replace(
            visits,
            candidates=np.where(here, visits.candidates, -1).astype(np.int32),
            state=np.where(here[:, :, None], visits.state, 0.0),
        )

    def expected_click(self, visits: Visits) -> Floats:
        """True click probability of each candidate now, shape (n, k); 0 where absent."""
        return self._shop.expected_click(visits)

    def respond(self, visits: Visits, column: Ints) -> Response:
        """Show the chosen columns and draw what comes of it."""
        return self._shop.respond(visits, column)

    def _turn_to(self, day: int) -> None:
        if self._truths and day != self._day:
            self._shop.change_truth(self._truths[day])
            self._day = day


def _arrivals(ground: Ground, days: int) -> Floats:
    """Day on which each variant comes, shape (m,): two of each product on day 0, the others one a day in random order."""
    rng, products = np.random.default_rng([ground.seed, 52]), len(ground.goods.products)
    day = np.clip(np.arange(VARIANTS) - 1, 0, days - 1)
    return np.concatenate([rng.permutation(day) for _ in range(products)]).astype(np.float64)


def _truths(ground: Ground, days: int) -> tuple[Copy, ...]:
    """The copies as each day's gold world encodes them."""
    rng, world, found = np.random.default_rng([ground.seed, 53]), ground.gold, [ground.goods.truth]
    for _ in range(days - 1):
        world = drifted(world, RHO, 0.0, rng)
        found.append(world.encode(ground.texts, ground.goods.truth.product))
    return tuple(found)
