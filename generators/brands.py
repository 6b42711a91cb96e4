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
    firsts = sorted({form[0] for form in latin})  # by first letter: most places in a text are left at once
    words = "|".join(
        f"{first}(?:{'|'.join(re.escape(form[1:]) for form in reversed(latin) if form[0] == first)})"
        for first in firsts
    )
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
    if text.islower():
        return known
    makers = [match for match in _NAMED.finditer(text) if _names_a_maker(match, said)]
    return (
        known
        + makers
        + [
            match
            for match in _MADE_BY.finditer(text)
            if _foreign_maker(match["maker"] or match["seal"] or match["rival"], said)
        ]
    )


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


# `a Brooks bell` of a bell by another maker, in the midst of a sentence; days, feasts and peoples name none.
_NAMED = re.compile(
    r"(?<=[a-z0-9,] )(?P<maker>[A-Z][a-z]{2,}(?:'s)?(?: [A-Z][a-z]+)?) (?P<thing>[a-z]{3,})\b"
    r"|(?:^|[.!?] )(?:Your|Any|Another|An?|The) (?P<whose>[A-Z][a-z]{2,}(?: [A-Z][a-z]+)?) (?P<which>[a-z]{3,})\b"
)
# Who is said to have made it.
_MADE_BY = re.compile(
    r"\b(?:made|built|designed|crafted|manufactured|produced|licensed|engineered|supplied|powered) "
    r"by (?P<maker>[A-Z][\w&'-]+)"
    r"|\b(?i:rivals?|beats?|outsells|alternative to|dupe (?:for|of)|compatible with|as good as|borrowed from|"
    r"partner\w* with|works with|(?:better|cheaper|softer|sharper|lighter) than|stolen from|"
    r"inspired by) (?:an? |any )?(?P<rival>[A-Z][a-z]{2,})"
    r"|\b(?i:genuine|official|authentic|licensed) (?P<seal>[A-Z][a-z]{2,}) [a-z]"
)
_PEOPLE = re.compile(
    r"(?:ish|ese|ian|can|ean|ican|day|mas|dutch|french|swiss|greek|thai|welsh|january|february|march|april|may|june|july|august|"
    r"september|october|november|december|easter|halloween|valentine|ramadan|hanukkah|diwali|eve|mum|mom|dad|grandma|nordic|zen|world|earth|moon|hand|artisan|nature|santa|monday|friday|sunday|night|morning|north|south|east|west|northern|southern|mr|mrs)$"
)


def _names_a_maker(match: re.Match[str], said: str) -> bool:
    maker, thing = match["maker"] or match["whose"], match["thing"] or match["which"]
    own = thing not in _FUNCTION and re.search(
        rf"\b{re.escape(thing)}s?\b|\b{re.escape(thing.rstrip('s'))}\b", said
    )
    return bool(own) and _foreign_maker(maker, said)


def _foreign_maker(maker: str, said: str) -> bool:
    low = maker.lower().removesuffix("'s")
    return low.split()[0] not in said and not any(_PEOPLE.search(word) for word in low.split())


_FUNCTION = frozenset(
    "with from that this into when your over under only than them they for and the are has can you per".split()
)
