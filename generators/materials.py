"""Materials in copy: named only where the product names them, or something that implies them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from copybandit.generators.tables import table


@dataclass(frozen=True, kw_only=True, slots=True)
class MaterialSaid:
    """A material named in a text: its id, and where."""

    material: str
    span: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lexicon:
    named: dict[str, str]
    implied: dict[str, frozenset[str]]
    pattern: re.Pattern[str]


@cache
def _lexicon() -> _Lexicon:
    raw = table("materials.yaml")
    rows = raw["materials"]
    named = {str(word).lower(): row["id"] for row in rows for word in (*row["en"], *row["zh"])}
    idioms = {str(word): "" for words in raw["idioms"].values() for word in words}
    words = sorted(named | idioms, key=lambda word: (-len(word), word))
    latin = "|".join(re.escape(w) for w in words if w.isascii() and not w[0].isdigit())
    other = "|".join(re.escape(w) for w in words if not w.isascii() or w[0].isdigit())
    return _Lexicon(
        named=named,
        implied={row["id"]: frozenset((row["id"], *row.get("implies", ()))) for row in rows},
        pattern=re.compile(rf"\b(?:{latin})(?![a-z])|{other}"),
    )


def materials(text: str) -> Iterator[MaterialSaid]:
    """Every material named in folded text, the longest name first; idioms (``crystal clear``) are passed over.

    >>> [found.material for found in materials("a stainless steel pan, faux leather grip, crystal clear")]
    ['stainless steel', 'faux leather']
    """
    lexicon = _lexicon()
    for match in lexicon.pattern.finditer(text):
        if (material := lexicon.named.get(match.group(), "")) != "":
            yield MaterialSaid(material=material, span=match.span())


def implied_materials(text: str) -> frozenset[str]:
    """Ids of the materials that a text names, and of all that these imply."""
    implied = _lexicon().implied
    return frozenset().union(*(implied[found.material] for found in materials(text)))
