"""What numbers beside each other share: the unit of ``10 x 15 cm`` and ``six, eight and ten inches``, a range."""

from __future__ import annotations

import re
from dataclasses import replace

from copybandit.generators.quantity import Quantity

_COMMA = re.compile(r"(?P<list>,\s|、)(?P<times>(?!))?(?P<range>(?!))?")
_LINK = re.compile(
    r"\s?(?P<times>x|X|×|\*|乘)\s?|\s?(?P<range>to|-|–|~|至|到)\s?|\s?(?P<list>and|,? ?or|和|或|、)\s?|\s?(?:by|/)\s?"
)
# In these dimensions, 12 x 330 counts things; elsewhere it multiplies sides.
_PER_THING = frozenset({"volume", "mass", "power", "energy"})

_OPEN = frozenset({"", "x", "by", "to", "size"})
"""Nouns of a number that takes its unit from the next."""


def linked(text: str, found: list[Quantity]) -> list[Quantity]:
    """Give the numbers of ``10 x 15 cm`` and ``3-5 hours`` the unit of the last; those of ``12 x 330 ml`` count things.

    The sides of ``five feet by seven`` have one unit, too; a range is told where it ends.
    """
    later: Quantity | None = None
    done: list[Quantity] = []
    listed = False
    for quantity in reversed(found):
        link = _link(text[quantity.span[1] : later.span[0]], listed) if later else None
        listed = link is not None and link["list"] is not None
        if later and link and quantity.bare and not quantity.token and quantity.noun in _OPEN:
            if later.units and link["times"] and later.units[0].dimension in _PER_THING:
                quantity = replace(quantity, noun="pack")
            elif later.units:
                quantity = replace(quantity, units=later.units, noun="")
            elif later.currency:
                quantity = replace(quantity, currency=later.currency)
            elif link["times"] and later.noun not in _OPEN:  # 5 x 500 sheets
                quantity = replace(quantity, noun="pack", nouns=frozenset())
            else:
                quantity = replace(quantity, noun=later.noun or quantity.noun, nouns=later.nouns)
        elif later and link and _is_side(quantity, later, link):
            done[-1] = replace(later, units=quantity.units)
        if later and link and link["range"]:
            quantity = replace(quantity, until=later.values[0])
        done.append(quantity)
        later = quantity
    return done[::-1]


def _link(gap: str, listed: bool) -> re.Match[str] | None:
    """What joins two numbers; a comma does in a list that ends in `and` or `or`."""
    return _LINK.fullmatch(gap) or (_COMMA.fullmatch(gap) if listed else None)


def _is_side(first: Quantity, second: Quantity, link: re.Match[str]) -> bool:
    """Whether the second of two numbers is a length because the first one is."""
    return (
        second.bare
        and not second.token
        and second.noun in _OPEN
        and bool(first.units)
        and first.units[0].dimension == "length"
        and link.group().strip() in _SIDES
    )


_SIDES = frozenset({"by", "x", "X", "×", "*", "乘"})
