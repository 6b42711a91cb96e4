"""What a listing line such as ``SET OF 6 RED MUGS`` says: a name, a title, a category and true facts.

Every fact and every number is taken from the line itself; nothing is added, so copy may state all of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from copybandit.sim.listing_words import (
    ABBREVIATIONS,
    CATEGORIES,
    COLOURS,
    MATERIALS,
    NOUN_FIRST,
    OTHER,
    PHRASE_CATEGORIES,
    PHRASES,
    SIZES,
    STYLES,
)

MAX_NAME_WORDS = 5

_FAMILY = {word: family for family, words in reversed(CATEGORIES.items()) for word in words.split()}
_NUMBER = r"(?:\d+|two|three|four|five|six|eight|ten|twelve)"
_COUNTS = (
    rf"\b(set|pack|box|tin|pair|case|roll|tube|bag|string|bundle)\s*(?:of|/)\s*({_NUMBER})\b",
    rf"\b(s|set|pack|pk)\s*/?\s*({_NUMBER})\b(?!\s*(?:x|cm|mm|g|kg|ml)\b)",
)
_SIZE = (
    r"\b\d+(?:\.\d+)?(?:\s?x\s?\d+(?:\.\d+)?)*\s?(?:cm|mm|kg|g|ml|m|metre|meter|inch)(?:\s?x\s?\d+\s?cm)?\b"
)
_UNITS = "pc pce piece tier drawer hook wick strand colour peg point shelf compartment panel section".split()
_UNIT = rf"\b(\d+)\s*({'|'.join(_UNITS)})s?\b"
_LEADING = r"^\s*(\d+)\s+((?:[a-z'-]+\s+){0,4}?)([a-z-]*[a-rt-z]s)\b"
_INNER = r"(?<![\w'.])(\d+)()\s+([a-z-]*[a-rt-z]s)\b"
_TAILS = frozenset("with in for on from".split())
_EMPTY = frozenset("of and the a an no".split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """What one listing line says of its product; the fields are those of `Product`."""

    name: str
    title: str
    category: str
    facts: tuple[str, ...]


def describe(line: str) -> Description:
    """Read one listing line; the name has at most five words and keeps the head noun."""
    text = " ".join(ABBREVIATIONS.get(word, word) for word in _clean(line).split())
    rest, counts = _counts(text)
    words = [w for w in rest.split() if any(c.isalnum() for c in w)]
    head = _head(words)
    facts = dict.fromkeys((*counts, *_attributes(rest)))
    return Description(
        name=_name(words, head) or text,
        title=" ".join(word[:1].upper() + word[1:] for word in text.split()),
        category=_category(words, head),
        facts=tuple(facts),
    )


def _clean(line: str) -> str:
    text = re.sub(r"\bt ?light", "t-light", line.lower())
    text = re.sub(r"(\D)([+&])(?=\D)", r"\1 \2 ", re.sub(r"[,;:()\"!?*]|\.(?!\d)", " ", text))
    return " ".join(word.strip("-/.") for word in text.split())


def _counts(text: str) -> tuple[str, list[str]]:
    """Take counts and measures out of a text; return what is left and the facts."""
    facts: list[str] = []

    def count(match: re.Match[str]) -> str:
        kind = {"s": "set", "pk": "pack"}.get(match[1], match[1])
        facts.append(f"{kind} of {match[2]}")
        return " "

    def unit(match: re.Match[str]) -> str:
        facts.append(f"{match[1]} {'piece' if match[2] in ('pc', 'pce') else match[2]}")
        return " "

    def size(match: re.Match[str]) -> str:
        facts.append(match[0])
        return " "

    def leading(match: re.Match[str]) -> str:
        facts.append(f"{match[1]} {match[3]}")
        return f"{match[2]}{match[3]}"

    def inner(match: re.Match[str]) -> str:
        facts.append(f"{match[1]} {match[3]}")
        return " "

    for pattern in _COUNTS:
        text = re.sub(pattern, count, text)
    for pattern, replace in ((_SIZE, size), (_UNIT, unit), (_LEADING, leading), (_INNER, inner)):
        text = re.sub(pattern, replace, text)
    return " ".join(text.split()), facts


def _attributes(text: str) -> list[str]:
    found = [phrase for phrase in PHRASES if phrase in text]
    taken = {word for phrase in found for word in phrase.split()}
    words = [word for word in text.split() if word not in taken]
    groups = (COLOURS - {"rose", "crystal"}, MATERIALS, STYLES | SIZES - set("sml"))
    return [word for group in groups for word in words if word in group] + found


def _head(words: list[str]) -> int:
    """Place of the head noun: the last known noun before ``with`` and the like; -1 when none is known."""
    if words and words[0] in NOUN_FIRST:
        return 0
    end = next((i for i, word in enumerate(words) if i and word in _TAILS), len(words))
    known = [i for i, word in enumerate(words[:end]) if word in _FAMILY and not _is_modifier(word)]
    weak = [i for i, word in enumerate(words[:end]) if word in _FAMILY]
    return (known or weak or [-1])[-1]


def _category(words: list[str], head: int) -> str:
    if any(_FAMILY.get(word) == "christmas" for word in words):
        return "christmas"
    text = " ".join(words)
    for phrase, family in PHRASE_CATEGORIES.items():
        if phrase in text:
            return family
    return _FAMILY[words[head]] if head >= 0 else OTHER


def _is_modifier(word: str) -> bool:
    return word in COLOURS or word in MATERIALS or word in STYLES or word in SIZES


def _name(words: list[str], head: int) -> str:
    """Modifiers that trail the head noun go before it; what tells least is left out when it is too long."""
    noun = words[head] if head >= 0 else ""
    end = next((i for i, word in enumerate(words) if i > max(head, 0) and word in _TAILS), len(words))
    words = words[:end]
    trailing = words[head + 1 :] if head >= 0 else []
    if trailing and all(map(_is_modifier, trailing)):
        start = _start_of_noun(words, head)
        sizes = [word for word in trailing if word in SIZES]
        others = [word for word in trailing if word not in SIZES]
        words = [*sizes, *words[:start], *others, *words[start : head + 1]]
    while len(words) > MAX_NAME_WORDS:
        words = _shorter(words, noun)
    while words and words[-1] in _EMPTY:
        words = words[:-1]
    while words and words[0] in _EMPTY - {"no"}:
        words = words[1:]
    return " ".join(words)


def _start_of_noun(words: list[str], head: int) -> int:
    start = head
    while start > 0 and not _is_modifier(words[start - 1]) and words[start - 1] not in _EMPTY:
        start -= 1
    return start


def _shorter(words: list[str], noun: str) -> list[str]:
    for group in (SIZES, _EMPTY, COLOURS, MATERIALS, STYLES):
        spare = [i for i, word in enumerate(words) if word in group and word != noun]
        if spare:
            return words[: spare[-1]] + words[spare[-1] + 1 :]
    place = 0 if noun and words[-1] == noun else len(words) - 1
    return words[:place] + words[place + 1 :]
