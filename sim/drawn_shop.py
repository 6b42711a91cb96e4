"""A small self-contained storefront made from a seed: a stand-in whose tastes and effects are drawn, not estimated."""

from __future__ import annotations

import numpy as np

from copybandit.sim.catalogue import draw_catalogue, lexicon
from copybandit.sim.storefront import Account, Floats32, Storefront, account_of, alike, browsing
from copybandit.sim.types import DataError, Floats, Ints, Product

BASE = -1.5
B_INTEREST, B_MATCH, WORDING_SD = 0.5, 0.4, 0.3
"""Standard deviations of interest, match and wording, in log-odds."""
KNOWN = 0.7
"""Correlation of what the drawn shop believes with the truth."""
CLUSTER_BITS, SEGMENT_BITS = 5, 3
MOVES = (
    "{name}: made for {theme}",
    "New in: {name} for lovers of {theme}",
    "Your {theme} deserves this {name}",
    "Looking for {theme}? Try the {name}",
    "The {name} others in {theme} chose",
    "{name}, back in stock for {theme}",
    "Give {theme} a lift with the {name}",
    "A {name} you will keep, for {theme}",
    "Why {theme} and the {name} go together",
    "Simply {name}. Simply {theme}.",
)
"""Patterns of the drawn shop's copy; a product has at most as many variants."""


def draw_storefront(
    seed: int = 0, *, n_shoppers: int = 2_000, n_products: int = 24, k: int = 6, d: int = 8
) -> Storefront:
    """Draw a shop: products of the synthetic catalogue, copy that talks about themes, shoppers who lean to some.

    Args:
        seed: the same seed gives the same shop.
        n_shoppers: how many shoppers.
        n_products: how many products.
        k: copies of each product, at most 10.
        d: dimensions of taste.

    Raises:
        DataError: a number is out of range.
    """
    if min(n_shoppers, n_products, k, d) < 1 or k > len(MOVES):
        raise DataError(
            f"drawn shop: n_shoppers, n_products, d must be at least 1 and k in [1, {len(MOVES)}], got "
            f"{n_shoppers}, {n_products}, {d} and {k}; correct them"
        )
    rng = np.random.default_rng([seed, 31])
    products = draw_catalogue(n_products, rng)
    shelf, theme = _shelves(products), _themes(products, k, rng)
    truth = _truth(shelf, theme, n_shoppers, d, rng)
    belief = _believed(truth, rng)
    segment = alike(truth.shoppers, SEGMENT_BITS, seed)
    price = np.array([product.price for product in products])
    return Storefront(
        truth=truth,
        belief=belief,
        segment=segment,
        browse=browsing(truth, segment, 1.0),
        price=price,
        relative=np.log(price / _medians(price, shelf)),
        sensitivity=np.exp(0.5 * rng.normal(size=n_shoppers) - 0.125),
        lean=1 - 2 * rng.integers(2, size=n_products),
        change=rng.normal(size=(n_products, k)),
        present=np.ones((n_products, k), dtype=np.bool_),
        cluster=alike(belief.topics, CLUSTER_BITS, seed),
        features=_features(belief.topics),
        names=tuple(product.name for product in products),
        texts=_texts(products, theme, k),
    )


def _truth(shelf: Ints, theme: Ints, n_shoppers: int, d: int, rng: np.random.Generator) -> Account:
    """Shoppers lean to one of six archetypes, products lie near their shelf, copy near the shelf it talks about."""
    direction = rng.normal(size=(len(lexicon().categories), d))
    archetype = 0.8 * direction[rng.integers(len(direction), size=6)]
    shoppers = archetype[rng.integers(6, size=n_shoppers)] + 0.6 * rng.normal(size=(n_shoppers, d))
    homes = direction[shelf] + 0.7 * rng.normal(size=(len(shelf), d))
    topics = direction[theme] + 0.5 * rng.normal(size=(*theme.shape, d))
    topics -= topics.mean(axis=1, keepdims=True)
    wording = 0.7 * (rng.normal(size=theme.shape[1]) + rng.normal(size=theme.shape))
    scale = shoppers.std() * np.sqrt(d)
    return account_of(
        BASE,
        shoppers - shoppers.mean(axis=0),
        B_INTEREST * homes / (scale * homes.std()),
        0.2 * rng.normal(size=len(shelf)),
        B_MATCH * topics / (scale * max(topics.std(), 1e-9)),
        WORDING_SD * wording,
    )


def _features(topics: Floats32) -> Floats32:
    """What the copy talks about, and which of the first patterns it follows, shape (P, k, d + 4)."""
    pattern = np.broadcast_to(np.eye(topics.shape[1], 4), (*topics.shape[:2], 4))
    return np.concatenate([10 * topics, pattern], axis=2, dtype=np.float32)


def _believed(truth: Account, rng: np.random.Generator) -> Account:
    """The truth as a shop with noisy logs would know it."""

    def blurred(part: Floats32) -> Floats32:
        noise = np.sqrt(1 - KNOWN**2) * part.std() * rng.normal(size=part.shape)
        return np.asarray(KNOWN * (KNOWN * part + noise), dtype=np.float32)

    return Account(
        base=truth.base,
        shoppers=np.asarray(blurred(truth.shoppers) / KNOWN, dtype=np.float32),
        products=truth.products,
        level=blurred(truth.level),
        topics=truth.topics,
        wording=blurred(truth.wording),
    )


def _shelves(products: tuple[Product, ...]) -> Ints:
    names = [category.name for category in lexicon().categories]
    return np.array([names.index(product.category) for product in products])


def _themes(products: tuple[Product, ...], k: int, rng: np.random.Generator) -> Ints:
    """Which shelf each copy talks about, shape (P, k)."""
    return rng.integers(len(lexicon().categories), size=(len(products), k))


def _texts(products: tuple[Product, ...], theme: Ints, k: int) -> tuple[tuple[str, ...], ...]:
    names = [category.name for category in lexicon().categories]
    return tuple(
        tuple(_capital(MOVES[j].format(name=product.name, theme=names[row[j]])) for j in range(k))
        for product, row in zip(products, theme.tolist(), strict=True)
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _medians(price: Floats, shelf: Ints) -> Floats:
    """Median price on each product's shelf, shape (P,)."""
    found = np.full(int(shelf.max()) + 1, np.nan)
    for index in np.unique(shelf).tolist():
        found[index] = np.median(price[shelf == index])
    return np.asarray(found[shelf])
