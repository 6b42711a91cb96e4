"""Quantities said in two parts are one: ``三米六``, ``一斤二两``, ``an hour and a half``, ``a metre forty``, ``九块九``.

A part belongs to the quantity right before it when it has a smaller unit of the same dimension, or no unit at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from copybandit.generators.numerals import read_han
from copybandit.generators.quantity import Quantity
from copybandit.generators.units import UNIT_AFTER

_GAP = re.compile(r"\s?(?:,?\s?and\s)?|零|又")
_HALVES = frozenset({0.5, 0.25, 0.75, 1 / 3})
_NEXT = {"length": {1.0: 0.01, 0.3048: 0.0254}, "time": {3600.0: 60.0}}
"""Per dimension and unit, the unit of a number that follows without one: a metre forty, five foot six, an hour ten."""
_UNSAID = frozenset({"", "leg"})
"""Nouns of a number that stands alone; `leg` is what a foot before it counts."""
_MOST = {"length": 99.0, "time": 59.0}
_TAIL = re.compile(
    r"(?P<tail>[一二三四五六七八九]{1,2}|[1-9]\d?(?![\d.]))(?P<cents>[毛角](?:[一二三四五六七八九\d]分)?)?"
    r"(?![\d.十百千万半一二三四五六七八九])(?!\s?(?:个|件|只|支|条|片|张|本|套|包|盒|袋|瓶|罐|枚|颗|粒|块|卷|把|台|根|双|对|装|款|杯|层|格|档|种|口|人|位|x|X|×))"
)
_TAILED = frozenset("米尺斤两钱元块升")
"""Chinese units whose tenths may follow as a digit alone."""


def joined(text: str, found: Iterable[Quantity]) -> list[Quantity]:
    """The quantities of a text, each with the parts that follow it.

    Args:
        text: normalised.
        found: from left to right.
    """
    whole: list[Quantity] = []
    for quantity in found:
        last = whole[-1] if whole else None
        if (
            last is not None and quantity.span[0] < last.span[1]
        ):  # the digit of `1米8` was read with its metre
            continue
        quantity = _tailed(text, quantity)
        if last is not None and (both := _both(text, last, quantity)) is not None:
            whole[-1] = both
        else:
            whole.append(quantity)
    return whole


def _both(text: str, first: Quantity, second: Quantity) -> Quantity | None:
    """One quantity of two neighbours, None where they are two."""
    gap = text[first.span[1] : second.span[0]]
    if _GAP.fullmatch(gap) is None or second.token or second.relation:
        return None
    span = (first.span[0], second.span[1])
    if first.currency and second.bare and not second.noun:  # nineteen pounds fifty
        cents = second.values[0]
        spelled = text[first.span[1] - 1].isalpha() and gap == " " and 10 <= cents < 100
        return (
            replace(first, values=(first.values[0] + cents / 100,), units=(), span=span) if spelled else None
        )
    for a in first.units:
        if second.bare and second.values[0] in _HALVES and "and" in gap:
            return _plus(first, a.size * second.values[0], a.size, span)
        for b in second.units:
            if a.dimension == b.dimension and b.size < a.size and second.values[0] * b.size < a.size:
                return replace(_plus(first, second.values[0] * b.size, a.size, span), units=(a,))
        part = _NEXT.get(a.dimension, {}).get(a.size)
        if (
            part
            and second.bare
            and second.noun in _UNSAID
            and (gap == " " or text[first.span[1] - 1] == "'")
            and 1 < second.values[0] <= _MOST[a.dimension]
        ):
            return _plus(first, second.values[0] * part, a.size, span)
    return None


def _plus(first: Quantity, more: float, size: float, span: tuple[int, int]) -> Quantity:
    """`first` with more of its base unit."""
    return replace(first, values=tuple(value + more / size for value in first.values), span=span)


def _tailed(text: str, quantity: Quantity) -> Quantity:
    """Add the tenths of ``三米六`` and ``九块九``, the hundredths of ``一米六五``."""
    end = quantity.span[1]
    if text[end - 1] not in _TAILED or not (quantity.currency or quantity.units):
        return quantity
    tail = _TAIL.match(text, end)
    if tail is None or (not tail["cents"] and UNIT_AFTER.match(text, tail.end())):
        return quantity
    digit = read_han(tail["tail"]) if not tail["tail"].isdigit() else float(tail["tail"])
    tenths = (digit or 0.0) / 10 ** len(tail["tail"])
    return replace(
        quantity,
        values=tuple(value + tenths for value in quantity.values),
        span=(quantity.span[0], tail.end()),
    )
