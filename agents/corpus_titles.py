"""English products with names as marketplaces list them: capitals, sizes, model numbers, long bullets.

Words are made up or general, brands are invented: a writer that learns from these learns to copy such names letter by
letter, not to know them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

import numpy as np
import yaml

from copybandit.generators.prompts import MAX_FACTS
from copybandit.sim.types import Product

_UPPER = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Titles:
    """Words of titles; see titles.yaml."""

    nouns: tuple[str, ...]
    words: tuple[str, ...]
    single: tuple[str, ...]
    sizes: tuple[str, ...]
    bullets: tuple[str, ...]


@cache
def _titles() -> _Titles:
    raw = yaml.safe_load(files("copybandit.sim").joinpath("titles.yaml").read_text("utf-8"))
    names = (field.name for field in fields(_Titles))
    return _Titles(**{name: tuple(raw[name]) for name in names})


def draw_titled(product_id: str, word: Callable[[], str], rng: np.random.Generator) -> Product:
    """Draw a product with a title-case name of one to eight words, digits and codes in it, and facts like bullets.

    Args:
        product_id: its id.
        word: draws a word that nobody knows.
        rng: the only source of randomness.
    """

    def some_word() -> str:
        return str(rng.choice(_titles().words)) if rng.random() < 0.6 else _cased(word(), rng)

    parts = [_part(some_word, rng) for _ in range(rng.integers(0, 6))]
    name = " ".join([*parts, str(rng.choice(_titles().nouns))])
    if rng.random() < 0.15:
        name = f"{name} {rng.choice(('with', 'for', '&', '+', '-'))} {some_word()}"
    facts = dict.fromkeys(_fact(some_word, rng) for _ in range(rng.integers(0, MAX_FACTS + 1)))
    price = round(float(np.exp(rng.uniform(np.log(5), np.log(3000)))), 2)
    if rng.random() < 0.6:
        price = int(price) + 0.99
    return Product(
        product_id=product_id, name=name, title=name, category="", brand="", price=price, facts=tuple(facts)
    )


def model_number(rng: np.random.Generator) -> str:
    """Letters and digits as on a type plate: ``QN90C``, ``i7-13700F``, ``WH-1000XM5``."""
    parts = []
    for _ in range(rng.integers(1, 4)):
        parts.append("".join(rng.choice(_UPPER, size=rng.integers(0, 4))))
        parts.append(str(rng.integers(1, 10 ** int(rng.integers(1, 6)))))
    if rng.random() < 0.4:
        parts.append(str(rng.choice(_UPPER)))
    code = ("-" if rng.random() < 0.3 else "").join(part for part in parts[: rng.integers(2, 6)] if part)
    return code.lower() if rng.random() < 0.08 else code


def _part(some_word: Callable[[], str], rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.62:
        return some_word()
    if kind < 0.82:
        return model_number(rng)
    if kind < 0.96:
        number = rng.integers(1, 130) if rng.random() < 0.7 else round(float(rng.uniform(1, 40)), 1)
        return f"{number}{rng.choice(_titles().sizes)}"
    return f"{some_word()}{rng.choice(('-', '/'))}{some_word()}"


def _fact(some_word: Callable[[], str], rng: np.random.Generator) -> str:
    """A bullet; in one case of four one word alone."""
    if rng.random() < 0.25:
        return str(rng.choice(_titles().single)) if rng.random() < 0.5 else some_word()
    if rng.random() < 0.15:
        return " ".join(some_word() for _ in range(rng.integers(3, 10)))
    text = str(rng.choice(_titles().bullets))
    while "{W}" in text:
        text = text.replace("{W}", some_word(), 1)
    while "{n}" in text:
        text = text.replace("{n}", str(rng.integers(2, 500)), 1)
    return text.replace("{d}", str(rng.integers(4, 8))).replace("{C}", model_number(rng))


def _cased(word: str, rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.75:
        return word[:1].upper() + word[1:]
    if kind < 0.85:
        return word[:4].upper()
    if kind < 0.92:
        return word[:1].upper() + word[1:4] + word[4:5].upper() + word[5:]
    return word
