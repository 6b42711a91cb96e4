"""The grammar of copy: rhetorical moves filled with what the product says and, where a move asks, an interest word.

It is the corpus that `tiny` learns from and the style space of the baselines. A move says nothing that the product
does not say; an interest word speaks of the reader, never of the product.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import yaml

from copybandit.generators.limits import MAX_CHARACTERS
from copybandit.sim.types import Brief, DataError

_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = "\0"
# What agrees with the number of the product's name: slot -> (singular, plural).
_AGREEING = {
    "a": (_ARTICLE, ""),
    "this": ("this", "these"),
    "is": ("is", "are"),
    "its": ("it's", "they're"),
    "one": ("one", "ones"),
    "is_one": ("is one", "are some"),
    "looks": ("looks", "look"),
    "heres": ("here's", "here are"),
    "another": ("another", "other"),
    "every": ("every", "all"),
}
_FACTS = frozenset("name price adj adj2 phrase interest interest2".split())
# Sound decides: "a used book", "a one-piece", "an hourglass"; digits are read out: "an 8-piece set".
_NO_AN = re.compile(r"uni(?!n)|us[aeu]|usb|util|eur|eu[a-z]|ewe|one(?!s)\b|one-|once", re.IGNORECASE)
_AN = re.compile(r"[aeiou]|hour|hono|honest|heir|8|1[18]\b", re.IGNORECASE)
_SINGULAR_S = frozenset("lens canvas christmas atlas gas news series bus glass dress".split())
_PREPOSITION = re.compile(r" (?:of|with|for|in|on|from|and|to) ", re.IGNORECASE)


@dataclass(frozen=True)
class Move:
    """One sentence pattern; `slots` are the facts it needs."""

    move_id: str
    text: str

    def __post_init__(self) -> None:
        unknown = sorted(set(_SLOT.findall(self.text)) - _FACTS - set(_AGREEING))
        if unknown:
            known = ", ".join(sorted(_FACTS | set(_AGREEING)))
            raise DataError(f"move {self.move_id}: unknown slot {unknown[0]!r}; choose from {known}")

    @cached_property
    def slots(self) -> frozenset[str]:
        """Names of the slots that facts or interests must fill."""
        return frozenset(_SLOT.findall(self.text)) & _FACTS

    @property
    def personal(self) -> bool:
        """Whether the move speaks of the reader's interest."""
        return "interest" in self.slots


@cache
def moves() -> tuple[Move, ...]:
    """All moves that ship with the package, in file order."""
    raw = yaml.safe_load(files("copybandit.generators").joinpath("moves.yaml").read_text("utf-8"))
    return tuple(Move(row["id"], row["text"]) for row in raw["moves"])


@cache
def move_named(move_id: str) -> Move:
    """The move of that id.

    Raises:
        DataError: there is none.
    """
    named = {move.move_id: move for move in moves()}
    if move_id not in named:
        raise DataError(f"unknown move {move_id!r}; choose from {', '.join(sorted(named))}")
    return named[move_id]


def is_adjective(fact: str) -> bool:
    """A one-word fact without digits can stand before a noun; every other fact is a phrase."""
    return " " not in fact and not any(letter.isdigit() for letter in fact)


def is_plural(name: str) -> bool:
    """Guess from the head noun: ``scissors`` and ``gloves with dots`` yes, ``glass`` and ``set of mugs`` no."""
    head = _PREPOSITION.split(name, maxsplit=1)[0].lower().split()[-1:]
    word = head[0] if head else ""
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) and word not in _SINGULAR_S


def article(word: str) -> str:
    """``a`` or ``an``, by how the next word most likely sounds.

    >>> [article(word) for word in ("mug", "orange", "unicorn", "umbrella", "hourglass", "8-piece")]
    ['a', 'an', 'a', 'an', 'an', 'an']
    """
    return "an" if _AN.match(word) and not _NO_AN.match(word) else "a"


def fillers(brief: Brief) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """What may fill each group of slots, in the brief's own order; an adjective of the name is not said twice."""
    product = brief.product
    named = set(product.name.lower().split())
    adjectives = [fact for fact in product.facts if is_adjective(fact) and fact.lower() not in named]
    return {
        ("adj", "adj2"): _distinct(adjectives),
        ("phrase",): _distinct(fact for fact in product.facts if not is_adjective(fact)),
        ("interest", "interest2"): _distinct(brief.segment.interests[:3] if brief.segment else ()),
    }


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple({word.lower(): word for word in words if word.strip()}.values())


def slot_values(brief: Brief, rng: np.random.Generator | None = None) -> dict[str, str]:
    """What fills each slot, drawn by `rng` or, without one, taken in the brief's own order.

    A slot the brief cannot fill is absent.
    """
    values = {"name": brief.product.name, "price": f"{brief.product.price:.2f}"}
    for slots, words in fillers(brief).items():
        order = range(len(words)) if rng is None else rng.permutation(len(words)).tolist()
        values |= {slot: words[index] for slot, index in zip(slots, order, strict=False)}
    return values


def fill(move: Move, values: Mapping[str, str]) -> str:
    """Fill a move, make articles and verbs agree and capitalise sentence starts.

    >>> fill(Move("m", "{a} {adj} {name}."), {"adj": "orange", "name": "mug"})
    'An orange mug.'
    >>> fill(Move("m", "{this} {name} {is} {adj}."), {"adj": "orange", "name": "gloves"})
    'These gloves are orange.'
    """
    number = int(is_plural(values["name"]))
    words = {slot: forms[number] for slot, forms in _AGREEING.items()} | dict(values)
    text = _SLOT.sub(lambda slot: words[slot.group(1)], move.text)
    text = re.sub(r"\s+([.,!?:])", r"\1", " ".join(text.split()))
    text = re.sub(rf"{_ARTICLE} (?=(\S+))", lambda m: f"{article(m.group(1))} ", text)
    return re.sub(r"(^|[.!?] |^\")([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)


def write(brief: Brief, rng: np.random.Generator, move: Move | None = None) -> str:
    """Write one text with `move`, or with a move drawn evenly from those the brief can fill.

    A move that the brief cannot fill, or that becomes too long to show, falls back to the name alone.
    """
    values = slot_values(brief, rng)
    if move is None:
        fitting = [candidate for candidate in moves() if candidate.slots <= values.keys()]
        move = fitting[rng.integers(len(fitting))]
    text = fill(move, values) if move.slots <= values.keys() else ""
    return text if 0 < len(text) <= MAX_CHARACTERS else fill(move_named("only-name"), values)
