"""Materials in copy: named only where the product names them, or something that implies them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from copybandit.generators.phrases import Phrases, found, phrases
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
    idioms = tuple(str(word) for words in raw["idioms"].values() for word in words)
    return phrases(named | {"": idioms}), implied


def materials(text: str) -> Iterator[MaterialSaid]:
    """Every material named in folded text, the longest name first; idioms (``crystal clear``) are passed over.

    >>> [named.material for named in materials("a stainless steel pan, faux leather grip, crystal clear")]
    ['stainless steel', 'faux leather']
    """
    for phrase in found(_lexicon()[0], text):
        if phrase.name:
            yield MaterialSaid(material=phrase.name, span=phrase.span)


def implied_materials(text: str) -> frozenset[str]:
    """Ids of the materials that a text names, and of all that these imply."""
    implied = _lexicon()[1]
    return frozenset().union(*(implied[named.material] for named in materials(text)))
