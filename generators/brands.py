"""Brands in copy: the product's own, never another's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from copybandit.generators.tables import table


@cache
def _raw() -> tuple[tuple[str, ...], tuple[str, ...]]:
    raw = table("brands.yaml")
    return tuple(map(str, raw["brands"])), tuple(raw["with_context"])


@lru_cache(maxsize=64)
def _pattern(catalogue: tuple[str, ...]) -> re.Pattern[str]:
    """Known brands and those of the catalogue, as written or in capitals."""
    known, contexts = _raw()
    own = tuple(brand for brand in catalogue if len(brand) > 2)
    latin = sorted(
        {form for b in (*known, *own) if b.isascii() or b[0].isascii() for form in (b, b.upper())}, key=len
    )
    other = [re.escape(b) for b in (*known, *own) if not b[0].isascii()]
    words = "|".join(re.escape(form) for form in reversed(latin))
    return re.compile("|".join((rf"\b(?:{words})(?!\w)", *other, *contexts)))


def foreign_brands(text: str, said: str, catalogue: tuple[str, ...] = ()) -> list[re.Match[str]]:
    """Brands named in a normalised text that the product's own text does not name.

    Args:
        text: the copy.
        said: folded text of all that the product says.
        catalogue: brands of the shop, as written.
    """
    named = [*_pattern(catalogue).finditer(text), *_chinese(text)]
    known = [match for match in named if not _own(match.group().lower(), said)]
    return known + [match for match in _NAMED.finditer(text) if _names_a_maker(match, said)]


@cache
def _further() -> re.Pattern[str]:
    return re.compile("|".join(sorted(table("brands_zh.yaml")["brands"].split(), key=len, reverse=True)))


def _chinese(text: str) -> Iterator[re.Match[str]]:
    """Brands in Chinese characters beyond the list that all copy is read with."""
    return iter(()) if text.isascii() else _further().finditer(text.lower())


_OF = re.compile(r"^(?:from|by) ")


def _own(named: str, said: str) -> bool:
    """Whether the product names the brand; a maker (``by HP``) must be a whole field, as its own brand is."""
    maker = _OF.sub("", named)
    return named in said or (maker != named and f"; {maker} ;" in said)


# `a Brooks bell` of a bell by another maker; days, feasts and peoples name none.
_NAMED = re.compile(
    r"\b(?:an?|any|your|with|like|than) (?P<maker>[A-Z][a-z]{2,}(?:'s)?) (?P<thing>[a-z]{3,})\b"
)
_PEOPLE = re.compile(
    r"(?:ish|ese|ian|can|ean|ican|day|mas|dutch|french|swiss|greek|thai|welsh|january|february|march|april|may|june|july|august|"
    r"september|october|november|december|easter|halloween|valentine|ramadan|hanukkah|diwali|eve|mum|mom|dad|grandma|nordic|zen)$"
)


def _names_a_maker(match: re.Match[str], said: str) -> bool:
    maker = match["maker"].lower().removesuffix("'s")
    own = re.search(rf"\b{re.escape(match['thing'])}s?\b", said)
    return own is not None and maker not in said and _PEOPLE.search(maker) is None
