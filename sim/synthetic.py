"""Logs of the synthetic shop: what shoppers browsed and bought, and which copy they were shown and clicked.

Drawn from the gold world; only what a real shop could have recorded leaves this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.sim.events import ADD_TO_CART, PURCHASE, RETURN, SEARCH, VIEW, EventTable
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.philox import uniforms
from copybandit.sim.types import Floats, Ints, Product
from copybandit.sim.world import Copy, World

EPOCH = np.datetime64("2026-01-01T00:00:00", "us")
DAYS = 180
POSITIONS = 3
_MICROSECONDS = 86_400_000_000


def at_day(day: Floats) -> np.ndarray:
    """Timestamps of times in days since the epoch of the synthetic shop, shape (n,)."""
    return EPOCH + (day * _MICROSECONDS).astype("timedelta64[us]")


def browse(
    world: World, products: tuple[Product, ...], words: tuple[str, ...], visits: int, rng: np.random.Generator
) -> EventTable:
    """Draw behaviour events: shoppers view products by taste and popularity, cart, buy and return some, and search.

    Args:
        world: the gold world.
        products: the catalogue.
        words: what shoppers may search for.
        visits: mean views per shopper; the true number varies widely between shoppers.
        rng: the only source of randomness.
    """
    n = len(world.taste.shoppers)
    count = np.maximum(1, rng.negative_binomial(2, 2 / (2 + visits), size=n))
    popularity = 0.8 * rng.normal(size=len(products))
    shopper = np.repeat(np.arange(n), count)
    product = np.concatenate(
        [
            _choose(world, rows, popularity, count[rows], rng)
            for rows in np.array_split(np.arange(n), max(1, n // 500))
        ]
    )
    day = rng.uniform(0, DAYS, size=len(shopper))
    price = np.array([item.price for item in products])
    z = world.taste.interest(shopper, product)
    cart = rng.random(len(shopper)) < 1 / (1 + np.exp(1.2 - 0.8 * z))
    buy = cart & (rng.random(len(shopper)) < 1 / (1 + np.exp(0.2 - 0.5 * z)))
    back = buy & (rng.random(len(shopper)) < 0.06)
    masks = (
        (VIEW, np.ones_like(cart), 0.0),
        (ADD_TO_CART, cart, 0.01),
        (PURCHASE, buy, 0.02),
        (RETURN, back, 5.0),
    )
    seen = _table(masks, shopper, product, day, price, n, products)
    return _with_searches(seen, world, words, shopper[rng.random(len(shopper)) < 0.15], rng)


def _with_searches(
    seen: EventTable, world: World, words: tuple[str, ...], shopper: Ints, rng: np.random.Generator
) -> EventTable:
    """Add one search for each entry of `shopper`, its word drawn by taste; the result is in order of time."""
    topic = world.taste.text.texts(words)
    pull = (world.taste.shoppers - world.taste.mean_shopper) @ (topic - topic.mean(axis=0)).T
    gumbel = -np.log(-np.log(rng.random((len(shopper), len(words)))))
    word = (1.5 * pull[shopper] / pull.std() + gumbel).argmax(axis=1)
    time = at_day(rng.uniform(0, DAYS, size=len(shopper)))
    order = np.argsort(np.concatenate([seen.time, time]), kind="stable")

    def joined(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return np.concatenate([old, new])[order]

    blank = np.full(len(shopper), -1)
    return EventTable(
        shopper_ids=seen.shopper_ids,
        product_ids=seen.product_ids,
        kind=joined(seen.kind, np.full(len(shopper), SEARCH, dtype=np.int8)),
        time=joined(seen.time, time),
        shopper=joined(seen.shopper, shopper),
        product=joined(seen.product, blank),
        quantity=joined(seen.quantity, np.ones_like(blank)),
        price=joined(seen.price, np.full(len(shopper), np.nan)),
        query=joined(seen.query, np.array(words)[word]),
    )


def _choose(world: World, rows: Ints, popularity: Floats, count: Ints, rng: np.random.Generator) -> Ints:
    """Products viewed by a block of shoppers, in shopper order, shape (count.sum(),)."""
    taste = world.taste
    z = (taste.shoppers[rows] @ taste.products.T + taste.quality - taste.centre) / taste.scale
    odds = np.exp(1.0 * z + popularity)
    cumulative = np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
    who = np.repeat(np.arange(len(rows)), count)
    draws = rng.random(len(who))
    flat = (cumulative + np.arange(len(rows))[:, None]).ravel()
    chosen = np.searchsorted(flat, draws + who) - who * cumulative.shape[1]
    return np.asarray(np.clip(chosen, 0, cumulative.shape[1] - 1))


def _table(
    masks: tuple[tuple[int, np.ndarray, float], ...],
    shopper: Ints,
    product: Ints,
    day: Floats,
    price: Floats,
    n_shoppers: int,
    products: tuple[Product, ...],
) -> EventTable:
    rows = np.concatenate([np.flatnonzero(mask) for _, mask, _ in masks])
    kind = np.repeat([code for code, _, _ in masks], [int(mask.sum()) for _, mask, _ in masks]).astype(
        np.int8
    )
    later = np.repeat([delay for _, _, delay in masks], [int(mask.sum()) for _, mask, _ in masks])
    time = at_day(day[rows] + later)
    order = np.argsort(time, kind="stable")
    rows, kind, time = rows[order], kind[order], time[order]
    return EventTable(
        shopper_ids=tuple(f"s{index:05d}" for index in range(n_shoppers)),
        product_ids=tuple(item.product_id for item in products),
        kind=kind,
        time=time,
        shopper=shopper[rows],
        product=product[rows],
        quantity=np.ones(len(rows), dtype=np.int64),
        price=price[product[rows]],
        query=np.full(len(rows), "", dtype=np.str_),
    )


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Logged rounds with the copy they showed.

    Attributes:
        feedback: the log; candidates index into `texts`.
        texts: every text that was a candidate.
        product: shape (len(texts),), which product each is for.
    """

    feedback: LoggedFeedback
    texts: tuple[str, ...]
    product: Ints


def log_rounds(
    world: World, texts: tuple[str, ...], product: Ints, n: int, seed: int, rng: np.random.Generator
) -> Rounds:
    """Show earlier copy under a non-uniform policy at three positions and log what was clicked.

    Args:
        world: the gold world.
        texts: earlier copy; every product has the same number of texts, in blocks.
        product: shape (len(texts),), sorted.
        n: impressions.
        seed: of the counter-based draws of clicks.
        rng: draws visits and the logging policy's leanings.
    """
    n_products = int(product.max()) + 1
    per_product = len(texts) // n_products
    block = np.arange(len(texts)).reshape(n_products, per_product)
    leaning = np.exp(0.8 * rng.normal(size=block.shape))
    policy = 0.1 / per_product + 0.9 * leaning / leaning.sum(axis=1, keepdims=True)
    shopper = rng.integers(len(world.taste.shoppers), size=n)
    weight = rng.gamma(1.0, size=n_products)
    item = rng.choice(n_products, size=n, p=weight / weight.sum())
    position = 1 + rng.integers(POSITIONS, size=n)
    day = np.sort(rng.uniform(0, 30, size=n))
    u = uniforms(seed, 11, shopper, np.arange(n))
    action = (np.cumsum(policy, axis=1)[item] < u[:, :1]).sum(axis=1)
    action = np.minimum(action, per_product - 1)
    copy = world.encode(texts, product)
    probability = _click_prob(world, shopper, copy, block[item, action], position, day)
    click = (u[:, 1] < probability).astype(np.float64)
    feedback = LoggedFeedback(
        timestamp=at_day(DAYS + day),
        shopper=shopper,
        product=item,
        position=position,
        candidates=block[item].astype(np.int32),
        action_probs=policy[item],
        action=action,
        click=click,
        conversion=np.zeros(n),
        value=np.zeros(n),
        reward=click,
        policy="earlier-copy",
    )
    return Rounds(feedback=feedback, texts=texts, product=product)


def _click_prob(world: World, shopper: Ints, copy: Copy, row: Ints, position: Ints, day: Floats) -> Floats:
    """Click probabilities in blocks, so that memory stays small."""
    blocks = [
        world.terms(shopper[part], copy.take(row[part]), position=position[part], day=day[part]).click_prob
        for part in np.array_split(np.arange(len(shopper)), max(1, len(shopper) // 20_000))
    ]
    return np.concatenate(blocks)
