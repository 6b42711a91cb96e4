"""The grammar of copy: rhetorical moves filled with what the product says and, where a move asks, an interest word.

It is the corpus that `tiny` learns from and the style space of the baselines. A move says nothing that the product
does not say; an interest word speaks of the reader, never of the product.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import yaml

from copybandit.sim.types import Brief

_SLOT = re.compile(r"\{(\w+)\}")
_SINGULAR = {"a": "a", "this": "this", "is": "is", "it": "it", "one": "one"}
_PLURAL = {"a": "", "this": "these", "is": "are", "it": "they", "one": "ones"}


@dataclass(frozen=True)
class Move:
    """One sentence pattern; `slots` are the facts it needs."""

    move_id: str
    text: str

    @cached_property
    def slots(self) -> frozenset[str]:
        """Names of the slots that facts or interests must fill."""
        return frozenset(_SLOT.findall(self.text)) - set(_SINGULAR)

    @property
    def personal(self) -> bool:
        """Whether the move speaks of the reader's interest."""
        return "interest" in self.slots


@cache
def moves() -> tuple[Move, ...]:
    """All moves that ship with the package, in file order."""
    raw = yaml.safe_load(files("copybandit.generators").joinpath("moves.yaml").read_text("utf-8"))
    return tuple(Move(row["id"], row["text"]) for row in raw["moves"])


def is_adjective(fact: str) -> bool:
    """A one-word fact without digits can stand before a noun; every other fact is a phrase."""
    return " " not in fact and not any(letter.isdigit() for letter in fact)


def is_plural(name: str) -> bool:
    """Guess from the last word: ``scissors`` yes, ``glass`` no."""
    return name.endswith("s") and not name.endswith(("ss", "us", "is"))


def slot_values(brief: Brief, rng: np.random.Generator) -> dict[str, str]:
    """Draw what fills each slot; a slot the brief cannot fill is absent."""
    product = brief.product
    adjectives = [fact for fact in product.facts if is_adjective(fact)]
    phrases = [fact for fact in product.facts if not is_adjective(fact)]
    interests = list(brief.segment.interests[:3]) if brief.segment else []
    values = {"name": product.name, "price": f"{product.price:.2f}"}
    for slots, words in ((("adj", "adj2"), adjectives), (("phrase",), phrases), (("interest", "interest2"), interests)):
        order = rng.permutation(len(words))
        values |= {slot: words[index] for slot, index in zip(slots, order, strict=False)}
    return values


def fill(move: Move, values: dict[str, str]) -> str:
    """Fill a move, make articles agree and capitalise sentence starts.

    >>> fill(Move("m", "{a} {adj} {name}."), {"adj": "orange", "name": "mug"})
    'An orange mug.'
    """
    words = values | (_PLURAL if is_plural(values["name"]) else _SINGULAR)
    text = _SLOT.sub(lambda slot: words[slot.group(1)], move.text)
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", " ".join(text.split()))
    text = re.sub(r"\s+([.,!?:])", r"\1", text)
    return re.sub(r"(^|[.!?] |^\")([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)


def write(brief: Brief, rng: np.random.Generator, move: Move | None = None) -> str:
    """Write one text with `move`, or with a move drawn evenly from those the brief can fill.

    A move that the brief cannot fill falls back to the name alone.
    """
    values = slot_values(brief, rng)
    if move is None:
        fitting = [candidate for candidate in moves() if candidate.slots <= values.keys()]
        move = fitting[rng.integers(len(fitting))]
    return fill(move if move.slots <= values.keys() else _fallback(), values)


def _fallback() -> Move:
    return next(move for move in moves() if move.move_id == "only-name")
