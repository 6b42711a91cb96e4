"""Words that describe products, said of neither this product nor the reader's interests."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from copybandit.generators.facts import Said
from copybandit.generators.quantities import GENERIC
from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.units import UNITS
from copybandit.sim.catalogue import lexicon

_WORD = re.compile(r"[^\W\d_][\w'-]*")


@cache
def attribute_words() -> frozenset[str]:
    """Words with which the lexicon describes products, less the words that moves are made of."""
    from copybandit.generators.grammar import moves  # the grammar is read only when copy is checked

    words = lexicon()
    said = [
        *words.colours,
        *words.styles,
        *(w for c in words.categories for w in (*c.adjectives, *c.phrases)),
    ]
    measures = {form for word in (*UNITS, *GENERIC) for form in (word, f"{word}s")}  # read with their numbers
    harmless = {
        "gift",
        "needed",
        "holds",
        "fits",
        *measures,
        *_words(" ".join(move.text for move in moves())),
    }
    return frozenset(word for word in _words(" ".join(said)) if len(word) > 2) - harmless


@lru_cache(maxsize=8192)
def _foreign(said: str, interests: str) -> frozenset[str]:
    return attribute_words() - set(_words(said)) - set(_words(interests))


def foreign_attributes(said: Said, text: str, interests: str) -> list[Rejection]:
    """Describing words of the lexicon that neither the product nor the reader's interests hold."""
    foreign = _foreign(said.text, interests)
    return [
        reject("attribute", match, f"{match.group()!r} is not among the product's facts")
        for match in _WORD.finditer(text)
        if match.group().lower() in foreign
    ]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
