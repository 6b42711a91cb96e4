"""A small self-contained desk made from a seed: a stand-in whose tastes and wording effects are drawn, not estimated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from copybandit.sim.catalogue import draw_catalogue, lexicon
from copybandit.sim.copy_reward import CopyReward
from copybandit.sim.desk import Desk, desk_of
from copybandit.sim.drawn_shop import BASE, MOVES, WORDING_SD
from copybandit.sim.encoders import Style
from copybandit.sim.types import Brief, DataError, Floats, Ints, Product, Segment
from copybandit.sim.wording import LinearWording, Saturated
from copybandit.sim.world import Coefficients, Taste, World, match_scale

MEMBERS = 8
"""Members of the drawn wording ensemble."""
SPREAD = 0.4
"""Standard deviation of a member's coefficient around the ensemble's, as a share of the coefficients' own."""
WORDING_LIMIT = 0.9
"""Log-odds that wording can at most add or take."""
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, kw_only=True)
class ShelfTaste:
    """Places text by the shelves whose words it holds: tanh(count / 2) of each shelf."""

    @cached_property
    def _shelf(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, category in enumerate(lexicon().categories):
            for word in dict.fromkeys((category.name, *category.words, *category.adjectives)):
                found.setdefault(word, []).append(index)
        return found

    def texts(self, texts: Sequence[str]) -> Floats:
        """Shape (n, shelves)."""
        count = np.zeros((len(texts), len(lexicon().categories)))
        for row, text in enumerate(texts):
            for word in _WORD.findall(text.lower()):
                count[row, self._shelf.get(word, [])] += 1
        return np.asarray(np.tanh(count / 2))


def draw_desk(seed: int = 0, *, n_shoppers: int = 800, n_products: int = 24, n_segments: int = 4) -> Desk:
    """Draw a world and the briefs of all its products for all its segments.

    It has no editor; a text that does not name the product is refused.

    Args:
        seed: the same seed gives the same desk.
        n_shoppers: how many shoppers.
        n_products: how many products.
        n_segments: groups of shoppers who lean alike.

    Raises:
        DataError: a number is out of range.
    """
    if min(n_products, n_segments) < 1 or n_shoppers < n_segments:
        raise DataError(
            f"drawn desk: n_products and n_segments must be at least 1 and n_shoppers at least n_segments, got "
            f"{n_products}, {n_segments} and {n_shoppers}; correct them"
        )
    rng = np.random.default_rng([seed, 41])
    products, label = draw_catalogue(n_products, rng), np.arange(n_shoppers) % n_segments
    shelves = len(lexicon().categories)
    lean = np.where(rng.random((n_segments, shelves)).argsort(axis=1) < 2, 1.5, 0.0)
    shoppers = lean[label] + 0.5 * rng.normal(size=(n_shoppers, shelves))
    world = _world(products, shoppers, rng)
    segments = [_segment(index, lean[index], int((label == index).sum())) for index in range(n_segments)]
    product, segment = (
        np.repeat(np.arange(n_products), n_segments),
        np.tile(np.arange(n_segments), n_products),
    )
    briefs = [Brief(product=products[p], segment=segments[s]) for p, s in zip(product, segment, strict=True)]
    leaning = np.stack([world.leaning(np.flatnonzero(label == index)) for index in range(n_segments)])[
        segment
    ]
    score = CopyReward(world, product, leaning, lambda index, text: unnamed(briefs[index].product, text))
    return desk_of(world, briefs, product, leaning, world.references, score)


def unnamed(product: Product, text: str) -> bool:
    """Whether a text leaves out a word of the product's name."""
    return not set(_WORD.findall(text.lower())).issuperset(_WORD.findall(product.name.lower()))


def _segment(index: int, lean: Floats, size: int) -> Segment:
    categories = [lexicon().categories[shelf] for shelf in np.flatnonzero(lean > 0).tolist()]
    words = tuple(word for category in categories for word in category.words[:2])
    return Segment(segment_id=index, interests=words, size=size)


def _world(products: tuple[Product, ...], shoppers: Floats, rng: np.random.Generator) -> World:
    references = tuple(f"The {product.name}, for every day." for product in products)
    texts, owner = _sample(products)
    style, reader = Style.fit(texts), ShelfTaste()
    mean = rng.normal(size=style.dimension)
    members = mean + SPREAD * rng.normal(size=(MEMBERS, style.dimension))
    scores = style.encode(texts) @ members.mean(axis=0)
    members *= WORDING_SD / max(float(scores.std()), 1e-9)
    topics = reader.texts(texts) - reader.texts(references)[owner]
    homes = reader.texts([f"{product.category} {product.text}" for product in products])
    taste = Taste(
        shoppers=shoppers,
        products=homes,
        quality=np.zeros(len(products)),
        centre=float((shoppers @ homes.T).mean()),
        scale=max(float((shoppers @ homes.T).std()), 1e-9),
        match_scale=match_scale(shoppers, topics, rng),
        text=reader,
    )
    wording = Saturated(
        inner=LinearWording(encoders=(style,), coefficients=(members,)), gain=1.0, limit=WORDING_LIMIT
    )
    return World(taste=taste, wording=wording, references=references, coefficients=Coefficients(base=BASE))


def _sample(products: tuple[Product, ...]) -> tuple[list[str], Ints]:
    """A text of every pattern for every product, which the effects are scaled on, and whose each is."""
    words = [word for category in lexicon().categories for word in category.words]
    texts = [
        move.format(name=product.name, theme=words[(row * len(MOVES) + column) % len(words)])
        for row, product in enumerate(products)
        for column, move in enumerate(MOVES)
    ]
    return texts, np.repeat(np.arange(len(products)), len(MOVES))
