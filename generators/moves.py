"""A move: one sentence pattern, the slots it needs, and how it is filled so that the words agree.

Slots hold what the product, the segment or the buyer says; everything else in a move is the same for every product, so a
move can state no fact of its own. English moves agree in article and number; Chinese ones are joined without spaces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import yaml

from copybandit.sim.types import DataError

_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = "\0"
# What agrees with the number of the product's name: slot -> (singular, plural).
_AGREEING = {
    "a": (_ARTICLE, ""),
    "this": ("this", "these"),
    "is": ("is", "are"),
    "its": ("it's", "they're"),
    "it": ("it", "they"),
    "costs": ("costs", "cost"),
    "one": ("one", "ones"),
    "is_one": ("is one", "are some"),
    "looks": ("looks", "look"),
    "heres": ("here's", "here are"),
    "another": ("another", "other"),
    "every": ("every", "all"),
}
_MEASURE = "cl"
FACT_SLOTS = frozenset(
    "name price adj adj2 phrase phrase2 phrase3 interest interest2 brand category fact fact2 stars notes".split()
)
"""Slots that the brief must be able to fill."""
# Sound decides: "a used book", "a one-piece", "an hourglass"; digits are read out: "an 8-piece set".
_NO_AN = re.compile(r"uni(?!n)|us[aeu]|usb|util|eur|eu[a-z]|ewe|one(?!s)\b|one-|once", re.IGNORECASE)
_AN = re.compile(r"[aeiou]|hour|hono|honest|heir|8|1[18]\b", re.IGNORECASE)
# Letters that are read out one by one: "an SSD", "an F1 car", "an Xbox", but "a USB hub", "a STEEL mug".
_SPELT = re.compile(
    r"""(?P<a>  (?:U|EU)(?:\d|-|\b|[B-DF-HJ-NP-TV-Z][A-Z]?\b) | (?i:upvc) )
      | (?P<an> [AEIO][A-Z]{1,2}\b | (?i:led|suv|xl|xs|x-ray|xbox|mp3)\b | [FHLMNRSX](?:\d|-|\b|[B-DF-HJ-NP-TV-XZ]{1,3}\d*\b)
              | (?:F[B-DF-HKMNPQS-XZ] | [HLMNX][B-DF-HJ-NP-TV-XZ] | R[B-DFGJ-NP-TV-XZ] | S[BDFGJRSXZ])[A-Z]* )""",
    re.VERBOSE,
)
_SINGULAR_S = frozenset("lens canvas christmas atlas gas news series bus glass dress".split())
_PREPOSITION = re.compile(r" (?:of|with|for|in|on|from|and|to) ", re.IGNORECASE)
_BETWEEN_HAN = re.compile(
    r"(?<=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef])\s+(?=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef])"
)


@dataclass(frozen=True)
class Move:
    """One sentence pattern; `slots` are the facts it needs.

    Attributes:
        move_id: unique within its file.
        text: the pattern.
        voices: the brand voices it suits; empty for all of them.
        ratings: stars of the reviews it suits; empty for any.

    Raises:
        DataError: a slot is unknown.
    """

    move_id: str
    text: str
    voices: tuple[str, ...] = ()
    ratings: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        known = FACT_SLOTS | set(_AGREEING) | {_MEASURE}
        unknown = sorted(set(_SLOT.findall(self.text)) - known)
        if unknown:
            listed = ", ".join(sorted(known))
            raise DataError(f"move {self.move_id}: unknown slot {unknown[0]!r}; choose from {listed}")

    @cached_property
    def slots(self) -> frozenset[str]:
        """Names of the slots that facts or interests must fill."""
        return frozenset(_SLOT.findall(self.text)) & FACT_SLOTS

    @property
    def personal(self) -> bool:
        """Whether the move speaks of the reader's interest."""
        return "interest" in self.slots


@cache
def moves() -> tuple[Move, ...]:
    """The moves of English headlines, in file order; `tiny` learned from them."""
    raw = yaml.safe_load(files("copybandit.generators").joinpath("moves.yaml").read_text("utf-8"))
    return tuple(Move(row["id"], row["text"]) for row in raw["moves"])


@cache
def move_named(move_id: str) -> Move:
    """The move of English headlines that has that id.

    Raises:
        DataError: there is none.
    """
    named = {move.move_id: move for move in moves()}
    if move_id not in named:
        raise DataError(f"unknown move {move_id!r}; choose from {', '.join(sorted(named))}")
    return named[move_id]


def is_plural(name: str) -> bool:
    """Guess from the head noun: ``scissors`` and ``gloves with dots`` yes, ``glass`` and ``set of mugs`` no."""
    head = _PREPOSITION.split(name, maxsplit=1)[0].lower().split()[-1:]
    word = head[0] if head else ""
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) and word not in _SINGULAR_S


def article(word: str) -> str:
    """``a`` or ``an``, by how the next word most likely sounds.

    >>> [article(word) for word in ("mug", "orange", "unicorn", "umbrella", "hourglass", "8-piece", "Xbox", "UV")]
    ['a', 'an', 'a', 'an', 'an', 'an', 'an', 'a']
    """
    if spelt := _SPELT.match(word):
        return str(spelt.lastgroup)
    return "an" if _AN.match(word) and not _NO_AN.match(word) else "a"


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
    return re.sub(r"(^|[.!?] |^\")([a-z])(?![A-Z])", lambda m: m.group(1) + m.group(2).upper(), text)


def fill_chinese(move: Move, values: Mapping[str, str], measure: str) -> str:
    """Fill a Chinese move; spaces are left only where Latin letters or digits need them.

    >>> fill_chinese(Move("m", "这{cl}{name}，{phrase}。"), {"name": "雨伞", "phrase": "8骨"}, "把")
    '这把雨伞，8骨。'
    """
    words = {_MEASURE: measure, **values}
    text = _SLOT.sub(lambda slot: words[slot.group(1)], move.text)
    return _BETWEEN_HAN.sub("", " ".join(text.split()))


def fill_list(move: Move, values: Mapping[str, str]) -> str:
    """Fill a list of tags: nothing is capitalised and no tag stands twice.

    >>> fill_list(Move("m", "{name}, {adj}, {category}"), {"name": "mug", "adj": "blue", "category": "Mug"})
    'mug, blue'
    """
    mark = "，" if "，" in move.text else ", "
    tags: dict[str, str] = {}
    for part in move.text.split(mark):
        tag = " ".join(_SLOT.sub(lambda slot: values[slot.group(1)], part).split())
        tags.setdefault(tag.lower(), tag)
    return mark.join(tags.values())
