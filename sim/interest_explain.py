"""Why a shopper is thought to like a product: the logit of `copybandit.sim.interest` as a sum of named parts.

logit = intercept + (profile - mean profile) M x. The profile is a sum over the history, x one over text, category and price
band, so the logit is a sum over both; it is told by the history for the text, and whole for category and price band.
The part of the text is told a second time by the product's own words. Where repeat buying counts too
(`copybandit.sim.interest_repeat`), these parts are weighted and how often the shopper bought the product is one more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from copybandit.sim.events import EventTable
from copybandit.sim.interest import InterestModel, history_shares
from copybandit.sim.interest_features import interest_text
from copybandit.sim.interest_repeat import RepeatInterest
from copybandit.sim.interest_scorers import RepeatShare
from copybandit.sim.types import DataError, Floats, Product

Part = Literal[
    "intercept", "history", "search", "average shopper", "category", "price band", "own purchases", "word"
]
BANDS = ("low", "middle", "high")


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """One signed part of a logit.

    Attributes:
        part: what kind of thing it is.
        name: which one: a product's name, a query, a category, a price band or a word.
        value: in log-odds.
    """

    part: Part
    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A logit in parts.

    Attributes:
        score: the logit.
        contributions: sum to `score`; the largest first.
        words: sum to the parts `history`, `search` and `average shopper` of the contributions together; the largest first.
    """

    score: float
    contributions: tuple[Contribution, ...]
    words: tuple[Contribution, ...]


def explain(
    model: InterestModel, events: EventTable, products: tuple[Product, ...], shopper: int, product: int
) -> Explanation:
    """Explain the logit of one shopper and one product.

    Args:
        model: fitted.
        events: histories, their products in the order of `products`.
        products: the catalogue.
        shopper: index into ``events.shopper_ids``.
        product: index into `products`.

    Raises:
        DataError: for an index that does not exist.
    """
    for name, index, size in (
        ("shopper", shopper, len(events.shopper_ids)),
        ("product", product, len(products)),
    ):
        if not 0 <= index < size:
            raise DataError(f"explain: {name} must be 0 to {size - 1}, got {index}; give an index of the log")
    own = events.take(events.shopper == shopper)
    shares, queries = history_shares(own, len(products))
    seen = shares[[shopper]]
    index, share = seen.indices, seen.data
    known = model.features.products([products[i] for i in index[index < len(products)].tolist()])
    asked = model.features.texts([queries[i - len(products)] for i in index[index >= len(products)].tolist()])
    order = np.argsort(index >= len(products), kind="stable")
    pulls = share[order][:, None] * (np.vstack([known, asked]) @ model.matrix)
    things = [_thing(products, queries, i) for i in index[order].tolist()]
    x = model.features.products([products[product]])[0]
    return _told(model, products[product], x, things, pulls)


def explain_repeat(
    model: RepeatInterest, events: EventTable, products: tuple[Product, ...], shopper: int, product: int
) -> Explanation:
    """Explain the logit of one shopper and one product where repeat buying counts; arguments and errors as `explain`."""
    text = explain(model.text, events, products, shopper, product)
    bought = RepeatShare().score(events, np.array([shopper]), np.array([product]))
    own = Contribution(
        part="own purchases", name=products[product].name, value=model.own_weight * float(bought[0])
    )
    base = Contribution(part="intercept", name="(of repeat buying)", value=model.intercept)
    return Explanation(
        score=model.intercept + model.text_weight * text.score + own.value,
        contributions=_sorted((*_weighted(text.contributions, model.text_weight), own, base)),
        words=_weighted(text.words, model.text_weight),
    )


def _weighted(parts: tuple[Contribution, ...], weight: float) -> tuple[Contribution, ...]:
    return tuple(replace(part, value=weight * part.value) for part in parts)


def _thing(products: tuple[Product, ...], queries: list[str], index: int) -> tuple[Part, str]:
    if index < len(products):
        return "history", products[index].name
    return "search", queries[index - len(products)]


def _told(
    model: InterestModel, product: Product, x: Floats, things: list[tuple[Part, str]], pulls: Floats
) -> Explanation:
    """Write x' (sum of pulls - average) + intercept in parts; pulls of shape (h, d)."""
    d_text, d_price = model.features.lsa.dimension, len(BANDS)
    average = model.mean_profile @ model.matrix
    whole = pulls.sum(axis=0) - average
    text, category, price = slice(d_text), slice(d_text, len(x) - d_price), slice(len(x) - d_price, None)
    band = BANDS[int(np.argmin(np.abs(np.log(product.price) - model.features.price_knots)))]
    parts: list[tuple[Part, str, float]] = [
        ("intercept", "", model.intercept),
        ("average shopper", "", -float(average[text] @ x[text])),
        ("category", product.category, float(whole[category] @ x[category])),
        ("price band", band, float(whole[price] @ x[price])),
        *((*thing, value) for thing, value in zip(things, (pulls[:, text] @ x[text]).tolist(), strict=True)),
    ]
    found = tuple(Contribution(part=part, name=name, value=value) for part, name, value in parts)
    return Explanation(
        score=float(model.intercept + whole @ x),
        contributions=_sorted(found),
        words=_sorted(_words(model, product, whole[text])),
    )


def _words(model: InterestModel, product: Product, pull: Floats) -> tuple[Contribution, ...]:
    """Each word of the product and the catalogue's mean text, as far as `pull` of shape (d_text,) goes."""
    features = model.features
    weights = features.lsa.term_weights([interest_text(product)])
    toward = features.block_scale[0] * (features.lsa.components[weights.indices] @ pull) * weights.data
    rest = -float(features.centre[: features.lsa.dimension] @ pull)
    names = [features.lsa.vocabulary[i] for i in weights.indices.tolist()]
    told = [Contribution(part="word", name=n, value=v) for n, v in zip(names, toward.tolist(), strict=True)]
    return (*told, Contribution(part="word", name="(the mean product)", value=rest))


def _sorted(parts: tuple[Contribution, ...]) -> tuple[Contribution, ...]:
    return tuple(sorted(parts, key=lambda c: -abs(c.value)))
