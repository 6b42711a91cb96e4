"""Chinese products drawn from a lexicon of names, attributes and phrases; the Chinese twin of `copybandit.sim.catalogue`.

What stands in `catalogue_zh.yaml` is general: no brand that exists, no claim that a shop would have to prove. Names come as
shops write them: the bare noun, with an attribute in front, after a brand or a model code, or as one long title.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from copybandit.sim.catalogue import NUMBERS, Lexicon, read_lexicon
from copybandit.sim.types import Product

MOST_FACTS = 4
_CODE_LETTERS = tuple("ABCEGKMPRSTXZ")


@cache
def chinese_lexicon() -> Lexicon:
    """Read the Chinese lexicon that ships with the package."""
    return read_lexicon("catalogue_zh.yaml")


def draw_chinese_product(product_id: str, rng: np.random.Generator) -> Product:
    """Draw one product: a noun, up to three attributes of different kinds, one to three phrases.

    At most `MOST_FACTS` of them are its facts; those that its name says are not said again.
    """
    words = chinese_lexicon()
    category = words.categories[rng.integers(len(words.categories))]
    kinds = (words.colours, words.styles, category.adjectives)
    picked = rng.permutation(3)[: rng.integers(0, 4)]
    attributes = [str(rng.choice(kinds[kind])) for kind in sorted(picked)]
    phrases = [
        str(phrase).replace("{n}", str(rng.choice(NUMBERS)))
        for phrase in rng.choice(category.phrases, size=rng.integers(1, 4), replace=False)
    ]
    noun, brand = str(rng.choice(category.nouns)), str(rng.choice(words.brands))
    name = _name(noun, [*attributes, *phrases[:1]], brand, rng)
    facts = tuple(fact for fact in dict.fromkeys((*attributes, *phrases)) if fact not in name)[:MOST_FACTS]
    low, high = category.price
    price = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return Product(
        product_id=product_id,
        name=name,
        title="，".join((name, *facts)),
        category=category.name,
        brand="",
        price=round(price, 2) if rng.random() < 0.2 else float(max(1, round(price))),
        facts=facts,
    )


def _name(noun: str, said: list[str], brand: str, rng: np.random.Generator) -> str:
    """The noun as a shop would list it: bare, with what is said of it in front or behind, after a brand or a model code."""
    kind = rng.random()
    if kind < 0.5:
        return noun
    if kind < 0.68 and len(said) > 1:
        return said[-2] + noun
    if kind < 0.78:
        return brand + noun
    if kind < 0.86:
        return f"{model_code(rng)}{noun}"
    if kind < 0.94:
        return "".join([brand, *said[:2], noun])
    return "".join([brand, noun, *reversed(said)])


def model_code(rng: np.random.Generator) -> str:
    """A model number such as ``X20`` or ``KT-350``."""
    letters = "".join(rng.choice(_CODE_LETTERS, size=rng.integers(1, 3)))
    return f"{letters}{'-' if rng.random() < 0.3 else ''}{rng.integers(1, 1000)}"
