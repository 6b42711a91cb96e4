"""Numbers that follow from a product's at a rate: servings of a bag, days of a box, sheets of a book, the area of a cloth.

A portion goes into its whole floor(whole / portion) times; one a day makes as many days as there are things; a list of
four scents has four of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from copybandit.generators.agreement import LISTED, agrees
from copybandit.generators.counting import CODES, GENERIC, PARTS, kin
from copybandit.generators.quantity import Quantity
from copybandit.generators.units import UNITS, Unit

_FEWEST = 3
"""Portions of a whole, at least, that copy may count; two of anything go together by chance."""
_SHARED_OUT = frozenset({"mass", "volume", "time"})
_USED_UP = frozenset({"serving", "use", "recipe"})
"""Parts that a product is divided into as it is used."""
_LEAVES = frozenset({"sheet", "leaf", "leave"})
_DAYS = {"day": 1, "night": 1, "evening": 1, "morning": 1, "afternoon": 1, "breakfast": 1, "lunch": 1, "dinner": 1,
         "bedtime": 1, "week": 7, "sunday": 7, "weekend": 7, "month": 30}  # fmt: skip
_EVERY = re.compile(
    rf"\b(?:an?|one|1|single) (?:[a-z'-]+ ){{0,2}}?(?P<what>[a-z]+)? ?(?:an?|per|each|every|(?:in|at) the|at|for) "
    rf"(?P<period>{'|'.join(_DAYS)})\b"
    rf"|\b(?:an?|one) (?P<thing>[a-z]+) (?:each|daily|nightly|weekly)\b|\b(?:once|one) (?:daily|a day|each day|every day)\b"
)


def portioned(said: Quantity, held: tuple[Quantity, ...], sentence: str, told: str) -> bool:
    """Whether a quantity follows from the held ones at a rate.

    Args:
        said: the quantity in copy.
        held: all that the product holds.
        sentence: the words around it, folded.
        told: the product's text, folded.
    """
    if said.token or said.currency:
        return False
    if said.bare:
        return any(
            agrees(said, made) for made in (*_shares(said, held), *_counts(said, held, sentence, told))
        )
    if said.units[0].dimension == "area":
        return any(agrees(said, made) for made in _areas(held))
    if said.units[0].dimension in ("time", "months"):
        return any(agrees(said, made) for made in _spent(held, sentence, told))
    return False


def _counts(said: Quantity, held: tuple[Quantity, ...], sentence: str, told: str) -> Iterator[Quantity]:
    """Portions of a whole, evenings of an hour, sheets of two pages."""
    if said.noun in _LEAVES:
        yield from (_count(q, q.values[0] / 2) for q in held if q.noun == "page")
    if (
        said.values[0] < _FEWEST
        or not said.noun
        or said.noun in (GENERIC | PARTS | CODES) - _USED_UP - _DAYS.keys()
    ):
        return
    measured = [q for q in held if q.values[0] and q.units and q.units[0].dimension in _SHARED_OUT]
    for whole in measured:
        for part in measured:
            a, b = whole.units[0], part.units[0]
            if (
                a.dimension == b.dimension
                and (times := whole.values[0] * a.size / (part.values[0] * b.size)) >= 2
            ):
                yield from (_count(whole, float(int(times + more))) for more in (1e-6, 0.5))
    if said.noun in _DAYS:
        yield from (_count(q, q.values[0] * days) for q, days in _daily(held, sentence, told) if days == 1)


def _count(of: Quantity, value: float) -> Quantity:
    return replace(of, values=(value,), units=(), noun="", nouns=frozenset(), relation="", until=float("nan"))


def _spent(held: tuple[Quantity, ...], sentence: str, told: str) -> Iterator[Quantity]:
    """The time that things last which are used one a day, or one a week."""
    for q, days in _daily(held, sentence, told):
        yield replace(_count(q, q.values[0]), units=(Unit(dimension="time", size=86400.0 * days),))


def _daily(held: tuple[Quantity, ...], sentence: str, told: str) -> Iterator[tuple[Quantity, int]]:
    """Held quantities of which one is used in each period, with the days of that."""
    for match in (*_EVERY.finditer(sentence), *_EVERY.finditer(told)):
        days = _DAYS[match["period"]] if match["period"] else 1
        units = UNITS.get(match["what"] or match["thing"] or "", ())
        yield from (
            (q, days)
            for q in held
            if not q.token
            and not q.currency
            and (q.units[:1] == units[:1] if units else q.bare and q.noun not in CODES)
        )


def _shares(said: Quantity, held: tuple[Quantity, ...]) -> Iterator[Quantity]:
    """Fractions of what is told in percent: four fifths of 80%."""
    if 0 < said.values[0] < 1 and said.precision > _DECIMAL:
        yield from (
            _count(q, q.values[0] / 100) for q in held if q.units and q.units[0].dimension == "percent"
        )


def _areas(held: tuple[Quantity, ...]) -> Iterator[Quantity]:
    """Areas of two sides, in square metres."""
    sides = [q for q in held if q.units and q.units[0].dimension == "length"]
    for a, b in pairwise(sides):
        if 0 < b.span[0] - a.span[1] <= _BESIDE:
            area = a.values[0] * a.units[0].size * b.values[0] * b.units[0].size
            yield replace(a, values=(area,), units=(Unit(dimension="area", size=1.0),), until=float("nan"))


_BESIDE = 7
"""Characters between two sides of one thing, at most."""


_DECIMAL = 0.05
"""Precision of a share in decimals, which is no fraction."""
_ITEM = re.compile(r",\s?(?:and |or )?| and | & | plus ")
_WORDY = re.compile(r"[^\d,]{2,24}")
_OPEN = re.compile(r"\b(?:more|other|others|etc|such as|including|assorted|no|not)\b")
_KINDS = frozenset(
    kin(word)
    for word in "scent fragrance aroma flavour colour shade tint variety blend herb spice style pattern design finish note "
    "taste kind sort type mood tone fruit grain berry nut seed shape size tool ingredient material motif".split()
)
"""What a list may be a list of."""


def listed(facts: tuple[str, ...]) -> tuple[Quantity, ...]:
    """How many kinds the lists among a product's facts name.

    >>> [q.values for q in listed(("rose, mint and fig", "cotton lining"))]
    [(3.0,)]
    """
    lists = ([item.strip() for item in _ITEM.split(fact)] for fact in facts if not _OPEN.search(fact))
    return tuple(
        Quantity(values=(float(len(items)),), noun=LISTED, nouns=_KINDS)
        for items in lists
        if len(items) > 1 and all(_WORDY.fullmatch(item) for item in items)
    )
