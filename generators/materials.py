"""Materials in copy: named only where the product names them, or something that implies them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from copybandit.generators.chinese_readings import denied_in_chinese, likened, looked_like
from copybandit.generators.phrases import Found, Phrases, found, phrases
from copybandit.generators.tables import table


@dataclass(frozen=True, kw_only=True, slots=True)
class MaterialSaid:
    """A material named in a text: its id, and where."""

    material: str
    span: tuple[int, int]


@cache
def _lexicon() -> tuple[Phrases, dict[str, frozenset[str]]]:
    """The names of all materials, and what each implies; a kind (``rosewood``) implies what it is a kind of."""
    raw = table("materials.yaml")
    named = {row["id"]: tuple(map(str, (*row["en"], *row["zh"]))) for row in raw["materials"]}
    implied = {row["id"]: frozenset((row["id"], *row.get("implies", ()))) for row in raw["materials"]}
    for parent, kinds in raw["kinds"].items():
        for word in map(str, (*kinds["en"], *kinds["zh"])):
            named[word] = (word,)
            implied[word] = frozenset((word, *implied.get(parent, ())))
    more = table("materials_zh.yaml")
    for name, words in more["materials"].items():
        named[name] = (*named.get(name, ()), *words.split())
        implied.setdefault(name, frozenset((name, *more["implies"].get(name, "").split())))
    for parent, words in more["kinds"].items():
        named |= {word: (word,) for word in words.split()}
        implied |= {word: frozenset((word, *implied.get(parent, ()))) for word in words.split()}
    idioms = (*(str(word) for words in raw["idioms"].values() for word in words), *more["idioms"].split())
    return phrases(named | {"": idioms}), implied


def materials(text: str) -> Iterator[MaterialSaid]:
    """Every material named in folded text, the longest name first; idioms (``crystal clear``) are passed over.

    >>> [named.material for named in materials("a stainless steel pan, faux leather grip, crystal clear")]
    ['stainless steel', 'faux leather']
    """
    for phrase in found(_lexicon()[0], text):
        if phrase.name and not text[phrase.span[0]].isascii():
            yield from _chinese(phrase, text)
        elif phrase.name:
            yield MaterialSaid(material=phrase.name, span=phrase.span)


_IMITATED = re.compile(r"(?:仿|人造|假|拟)$")


def _chinese(phrase: Found, text: str) -> Iterator[MaterialSaid]:
    """A material in Chinese, unless it is denied, likened or a look alone; 仿大理石 is an imitation, no marble."""
    start, end = phrase.span
    if denied_in_chinese(text, start) or likened(text, phrase.span) or looked_like(text, end):
        return
    faux = _IMITATED.search(text[max(0, start - 2) : start])
    yield MaterialSaid(material=f"imitated {phrase.name}" if faux else phrase.name, span=phrase.span)


def implied_materials(text: str) -> frozenset[str]:
    """Ids of the materials that a text names, and of all that these imply."""
    implied = _lexicon()[1]
    return frozenset().union(*(implied.get(m.material, frozenset((m.material,))) for m in materials(text)))
