"""A synthetic catalogue drawn from a lexicon of nouns, adjectives and phrases; every fact is true of its product."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import yaml

from copybandit.sim.types import DataError, Product

NUMBERS = tuple(
    map(int, "2 3 4 5 6 8 10 12 15 18 20 24 25 30 35 40 48 50 60 75 80 100 120 150 200 250 350 500".split())
)
"""Numbers that phrases are filled with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Category:
    """One shelf of the shop; `words` are what its lovers say they love, `price` its range."""

    name: str
    words: tuple[str, ...]
    price: tuple[float, float]
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    phrases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lexicon:
    """The words that the synthetic shop is made of."""

    brands: tuple[str, ...]
    colours: tuple[str, ...]
    styles: tuple[str, ...]
    categories: tuple[Category, ...]

    @property
    def interest_words(self) -> tuple[str, ...]:
        """Every word that a shopper can be said to care for, without repeats."""
        words = [word for category in self.categories for word in (*category.words, *category.adjectives)]
        return tuple(dict.fromkeys((*words, *self.colours, *self.styles)))


@cache
def lexicon() -> Lexicon:
    """Read the English lexicon that ships with the package."""
    return read_lexicon("catalogue.yaml")


def read_lexicon(name: str) -> Lexicon:
    """Read one of the lexicons of this folder, by file name."""
    raw = yaml.safe_load(files("copybandit.sim").joinpath(name).read_text("utf-8"))
    categories = tuple(
        Category(
            name=name,
            words=tuple(row["words"]),
            price=(float(row["price"][0]), float(row["price"][1])),
            nouns=tuple(row["nouns"]),
            adjectives=tuple(map(str, row["adjectives"])),
            phrases=tuple(map(str, row["phrases"])),
        )
        for name, row in raw["categories"].items()
    )
    return Lexicon(
        brands=tuple(raw["brands"]),
        colours=tuple(raw["colours"]),
        styles=tuple(raw["styles"]),
        categories=categories,
    )


def draw_product(product_id: str, rng: np.random.Generator) -> Product:
    """Draw one product: a noun, two or three adjectives of different kinds, one or two phrases."""
    words = lexicon()
    category = words.categories[rng.integers(len(words.categories))]
    noun = str(rng.choice(category.nouns))
    kinds = [words.colours, words.styles, category.adjectives]
    picked = rng.permutation(3)[: rng.integers(2, 4)]
    adjectives = [str(rng.choice(kinds[kind])) for kind in sorted(picked)]
    phrases = [
        str(phrase).replace("{n}", str(rng.choice(NUMBERS)))
        for phrase in rng.choice(category.phrases, size=rng.integers(1, 3), replace=False)
    ]
    low, high = category.price
    price = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    name = f"{adjectives[-1]} {noun}" if rng.random() < 0.5 else noun
    facts = tuple(word for word in dict.fromkeys(adjectives) if word not in name.split())
    return Product(
        product_id=product_id,
        name=name,
        title=" ".join([*adjectives, noun]).capitalize() + ", " + ", ".join(phrases),
        category=category.name,
        brand=str(rng.choice(words.brands)),
        price=round(max(round(price * 2) / 2, 1.0) - 0.01, 2),
        facts=(*facts, *phrases),
    )


def draw_catalogue(n: int, rng: np.random.Generator) -> tuple[Product, ...]:
    """Draw `n` products with distinct titles.

    Args:
        n: number of products.
        rng: the only source of randomness.

    Raises:
        DataError: fewer than one product is asked for.
    """
    if n < 1:
        raise DataError(f"catalogue: n must be at least 1, got {n}; ask for a product")
    seen: dict[str, Product] = {}
    while len(seen) < n:
        product = draw_product(f"p{len(seen):05d}", rng)
        seen.setdefault(product.title, product)
    return tuple(seen.values())
