"""Words that describe products, said of neither this product nor the reader's interests.

One form of a word stands for the others (``hangs``, ``hang it``). Words that are common English, too, count only where they
describe the product (`attributes.yaml`): ``a long handle``, not ``a long day``. A tint (a colour, a style) describes what it
stands before, so before a thing that is not the product's it describes nothing: ``red wine``. Denied words claim nothing.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from copybandit.generators.assertions import foreign_assertions
from copybandit.generators.counting import GENERIC
from copybandit.generators.denials import denied
from copybandit.generators.facts import Said
from copybandit.generators.features import foreign_features
from copybandit.generators.materials import implied_materials
from copybandit.generators.normalising import folded
from copybandit.generators.phrases import stem
from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.tables import table
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
    return frozenset(
        word
        for word in _words(" ".join(said))
        if len(word) > 2
        and word not in harmless
        and not implied_materials(word)  # materials are read as such
    )


@cache
def _ordinary() -> dict[str, re.Pattern[str]]:
    """Where each common word describes a product."""
    return {
        row["word"]: re.compile("|".join(row["describes"])) for row in table("attributes.yaml")["ordinary"]
    }


@cache
def _tints() -> tuple[frozenset[str], frozenset[str], re.Pattern[str]]:
    """Colours and styles, the parts that they may stand before, and phrases in which they are none."""
    raw = table("attributes.yaml")["tints"]
    return frozenset(raw["words"]), frozenset(raw["parts"]), re.compile("|".join(raw["idioms"]))


@lru_cache(maxsize=8192)
def _foreign(said: str, interests: str) -> frozenset[str]:
    pieces = (*_words(said), *_words(interests))
    own = {stem(piece) for word in pieces for piece in (word, *word.split("-"))}
    ends = " ".join(pieces).lower() + " "  # a toolbox is a box
    return frozenset(word for word in attribute_words() if stem(word) not in own and f"{word} " not in ends)


def foreign_attributes(said: Said, text: str, interests: str) -> list[Rejection]:
    """Describing words of the lexicon that neither the product nor the reader's interests hold."""
    foreign, low = _foreign(said.text, interests), text.lower()
    own = f"{said.folded} ; {interests.lower()}" if interests else said.folded
    return [
        *foreign_features(own, text),
        *foreign_assertions(own, folded(text)),
    ] + [
        reject("attribute", match, f"{match.group()!r} is not among the product's facts")
        for match in _WORD.finditer(text)
        if (word := match.group().lower()) in foreign
        and _describes(word, low, match.span(), said.words)
        and not denied(low, match.start())
    ]


_NEXT = re.compile(r"\s+([a-z][\w'-]*)")
_LIGHT = 4
"""Letters that a word of the product needs before it shows what an adjective stands for."""


def _describes(word: str, low: str, span: tuple[int, int], own: frozenset[str]) -> bool:
    """Whether a word says something of the product at this place."""
    if word in _tints()[0]:
        return _tinted(low, span, own)
    if word not in _ordinary():
        return True
    follows = _NEXT.match(low, span[1])
    if follows and len(follows[1]) >= _LIGHT and follows[1] in own and follows[1] not in _FUNCTION:
        return True
    return any(m.start() < span[1] and span[0] < m.end() for m in _ordinary()[word].finditer(low))


def _tinted(low: str, span: tuple[int, int], own: frozenset[str]) -> bool:
    """Whether a colour or style stands alone, or before something of the product's."""
    words, parts, idioms = _tints()
    if any(m.start() < span[1] and span[0] < m.end() for m in idioms.finditer(low)):
        return False
    follows = _NEXT.match(low, span[1])
    while follows and (follows[1] in words or follows[1] in ("and", "or")):
        follows = _NEXT.match(low, follows.end())
    return follows is None or follows[1] in _FUNCTION | own or follows[1].rstrip("s") in parts | own


_FUNCTION = frozenset(
    "with from that this into when your over under only than them they in on at by for as to of is are was its it all "
    "but so".split()
)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
