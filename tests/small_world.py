"""A small synthetic shop through the real code path: catalogue, earlier copy, gold world, logs, fitted world, assortment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from copybandit.generators.editor import check
from copybandit.generators.grammar import write
from copybandit.generators.template import REFERENCE
from copybandit.sim.catalogue import draw_catalogue, lexicon
from copybandit.sim.encoders import Lsa, Style
from copybandit.sim.events import EventTable
from copybandit.sim.interest import fit_interest
from copybandit.sim.oracle import Sample, synthetic_gold
from copybandit.sim.rounds import fit_rounds
from copybandit.sim.shop import Assortment, Shop
from copybandit.sim.split import Split, split_groups
from copybandit.sim.synthetic import Rounds, browse, log_rounds
from copybandit.sim.types import Brief, Floats, Ints, Product, Segment
from copybandit.sim.wording import LinearWording
from copybandit.sim.world import Coefficients, Taste, World, match_scale

TEXTS_PER_PRODUCT = 8


@dataclass(frozen=True, kw_only=True)
class SmallWorld:
    """Everything a run knows of its shop, and its gold world.

    Attributes:
        products: the catalogue.
        words: what shoppers may be said to care for.
        references: reference copy of each product.
        sample: earlier copy, in blocks of `TEXTS_PER_PRODUCT` per product.
        gold, fitted: the truth and what was fitted from `events` and `rounds`.
        events: behaviour.
        rounds: logged response to the earlier copy.
        shoppers: split of the shoppers.
    """

    products: tuple[Product, ...]
    words: tuple[str, ...]
    references: tuple[str, ...]
    sample: Sample
    gold: World
    fitted: World
    events: EventTable
    rounds: Rounds
    shoppers: Split


@cache
def small_world(
    n_products: int = 40, n_shoppers: int = 200, n_rounds: int = 20_000, seed: int = 0, base_ctr: float = 0.05
) -> SmallWorld:
    """Build the shop once per session and size; the click rate is high, so that few rows say much."""
    rng = np.random.default_rng([seed, 99])
    products = draw_catalogue(n_products, rng)
    words = lexicon().interest_words
    references = tuple(REFERENCE.text(Brief(product=product)) for product in products)
    sample = earlier_copy(products, words, rng)
    start = Coefficients(base=0.0)
    gold = synthetic_gold(products, references, sample, n_shoppers, start, base_ctr, seed)
    events = browse(gold, products, words, 30, rng)
    rounds = log_rounds(gold, tuple(sample.texts), sample.product, n_rounds, seed, rng)
    shoppers = split_groups(np.array(events.shopper_ids), seed)
    fitted = _fitted(products, references, sample, events, rounds, shoppers, rng)
    return SmallWorld(
        products=products,
        words=words,
        references=references,
        sample=sample,
        gold=gold,
        fitted=fitted,
        events=events,
        rounds=rounds,
        shoppers=shoppers,
    )


def earlier_copy(products: tuple[Product, ...], words: tuple[str, ...], rng: np.random.Generator) -> Sample:
    """Distinct texts of random moves and random interest words for each product."""
    texts: list[str] = []
    for product in products:
        mine: dict[str, None] = {}
        while len(mine) < TEXTS_PER_PRODUCT:
            picked = tuple(str(word) for word in rng.choice(words, 3, replace=False))
            brief = Brief(product=product, segment=Segment(segment_id=0, interests=picked, size=20))
            text = write(brief, rng)
            if not check(brief, text):
                mine[text] = None
        texts += mine
    return Sample(texts=tuple(texts), product=np.repeat(np.arange(len(products)), TEXTS_PER_PRODUCT))


def _fitted(
    products: tuple[Product, ...],
    references: tuple[str, ...],
    sample: Sample,
    events: EventTable,
    rounds: Rounds,
    shoppers: Split,
    rng: np.random.Generator,
) -> World:
    interest, _ = fit_interest(events, products, shoppers.fit, shoppers.judge, rng)
    features = interest.features
    vectors = interest.shopper_vectors(events, features.products(products))
    topics = features.texts(sample.texts) - features.texts(references)[sample.product]
    taste = Taste(
        shoppers=vectors,
        products=features.products(products),
        quality=np.zeros(len(products)),
        centre=interest.centre,
        scale=interest.scale,
        match_scale=match_scale(vectors, topics, rng),
        text=features,
    )
    encoders = (Style.fit(sample.texts), Lsa.fit(sample.texts, 24))
    blank = LinearWording(encoders=encoders, coefficients=tuple(np.zeros((1, e.dimension)) for e in encoders))
    world = World(taste=taste, wording=blank, references=references, coefficients=Coefficients(base=0.0))
    log = rounds.feedback
    rows = np.flatnonzero(shoppers.fit[log.shopper])
    shopper, shown = log.shopper[rows], log.item_id[rows]
    z = taste.interest(shopper, log.product[rows])
    topic = world.encode(sample.texts, sample.product).topic[shown]
    match = ((taste.shoppers - taste.mean_shopper)[shopper] * topic).sum(axis=1)
    fit = fit_rounds(rounds, rows, z, match, references, encoders, rng)
    eta, b_interest, b_match = (max(0.0, item.value) for item in fit.shared[1:])
    found = Coefficients(base=fit.shared[0].value, position_eta=eta, b_interest=b_interest, b_match=b_match)
    return replace(world, wording=fit.wording, coefficients=found)


def small_assortment(world: SmallWorld, k: int = 6, n_products: int = 20) -> Assortment:
    """Show the first `k` earlier texts of the first `n_products` products."""
    rows = np.arange(n_products)[:, None] * TEXTS_PER_PRODUCT + np.arange(k)
    texts = [world.sample.texts[row] for row in rows.ravel().tolist()]
    product: Ints = np.repeat(np.arange(n_products), k)
    features: Floats = np.hstack([Style.fit(texts).encode(texts), Lsa.fit(texts, 6).encode(texts)])
    return Assortment(
        products=np.arange(n_products),
        variants=np.arange(n_products * k).reshape(n_products, k),
        truth=world.gold.encode(texts, product),
        belief=world.fitted.encode(texts, product),
        actions=features,
    )


def small_shop(
    world: SmallWorld, goods: Assortment | None = None, *, seed: int = 0, n_impressions: int = 2_000
) -> Shop:
    """A shop over `small_assortment` that nobody has visited yet."""
    goods = small_assortment(world) if goods is None else goods
    return Shop(world.gold, world.fitted, goods, world.products, seed=seed, n_impressions=n_impressions)
