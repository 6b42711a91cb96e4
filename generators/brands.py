"""Brands in copy: the product's own, never another's."""

from __future__ import annotations

import re
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
    return [match for match in _pattern(catalogue).finditer(text) if match.group().lower() not in said]
