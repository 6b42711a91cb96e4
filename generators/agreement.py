"""When a quantity in copy follows from one that the product holds.

- The same dimension and equal values in base units; across customary and metric units within half of one unit in the last
  digit of either, and within 3%.
- A count agrees with a count of the same thing, or of things unnamed (``12-pack``, ``pack of 12``, ``12 mugs``), but parts
  are not things: 12 pockets are not 12 pieces.
- A count of parts agrees with the same parts under more words (``two pockets``, ``two zip pockets``).
- 60 days are two months, 365 days are 12.
- A bare number agrees with any number of the same value.
- ``under $20`` follows from 19.99, ``over 300 pages`` from 320, each within a half.
"""

from __future__ import annotations

from copybandit.generators.counting import CODES, PARTS
from copybandit.generators.quantity import Quantity
from copybandit.generators.units import Unit

CLOSE = 0.03
"""Largest relative error of a rounded conversion between customary and metric units."""
EXACT = 1e-6
"""Relative error of exact conversions, whose factors are rounded themselves."""
LISTED = "listed"
"""Noun of a count that a product makes by naming each: it counts its kinds alone."""
MANY = 20
"""A count, at least, that a product holds of nothing else by chance: 200 squares of 200 sheets."""
DEGREES = 3.4
"""Degrees Celsius between two scales when both are told in tens."""
SLACK = 1.5
"""How far, as a ratio, a bound in copy may lie from the number it bounds."""


def agrees(said: Quantity, held: Quantity) -> bool:
    """Whether the quantity `said` in copy follows from the one that the product `held`."""
    if said.token or held.token:
        return said.token == held.token
    if said.currency and held.currency:
        return (said.noun or not held.noun) and _same_price(said, held)
    if said.per and held.per and said.per != held.per:  # 12 l a day are not 12 l an hour
        return False
    if said.units:
        return any(_same_measure(said, a, held, b) for a in said.units for b in held.units)
    if said.currency:
        return False
    return _same_count(said, held) and same_thing(said, held)


def _same_count(said: Quantity, held: Quantity) -> bool:
    if said.relation in _BOUNDS and said.relation != held.relation:
        return _bounds(said.relation, said.values[0], held.values[0])
    return _same_value(said, held)


_BOUNDS = frozenset({">", ">=", "<"})


def _bounds(relation: str, bound: float, value: float) -> bool:
    """Whether a bound in copy holds of the value and lies no further than a half from it."""
    if relation == "<":
        return value * (1 + EXACT) < bound <= SLACK * value
    low = bound * (1 - EXACT) if relation == ">=" else bound * (1 + EXACT)
    return low < value <= SLACK * bound


def _same_value(said: Quantity, held: Quantity) -> bool:
    """Equal in the first reading; a bare ``1.000`` is a thousand unless the other is written as a fraction, too."""
    return _equal(said.values[0], held.values[0]) or (len(said.values) > 1 and said.values == held.values)


def _equal(a: float, b: float) -> bool:
    return abs(a - b) <= EXACT * max(1e-12, abs(a), abs(b))


def _same_price(said: Quantity, held: Quantity) -> bool:
    if said.relation == "<":
        return any(h < s <= SLACK * h for s in said.values for h in held.values)
    if said.relation in (">", ">=") and said.relation != held.relation:
        return False
    known = "?" in (said.currency, held.currency) or said.currency == held.currency
    return known and any(abs(s - h) < 0.005 for s in said.values for h in held.values)


def _same_measure(said: Quantity, a: Unit, held: Quantity, b: Unit) -> bool:
    if {a.dimension, b.dimension} <= {"degree", "celsius", "fahrenheit"}:
        return _same_degrees(said, a, held, b)
    if {a.dimension, b.dimension} == {"months", "time"}:
        return any(_equal(s * _days(a), h * _days(b)) for s in said.values for h in held.values)
    if {a.dimension, b.dimension} == {"months", "age"}:  # 18个月 is 一岁半
        in_months = 1.0 in {
            u.size for u in (a, b) if u.dimension == "months"
        }  # years are those of a warranty
        return in_months and any(
            _equal(s * _months(a), h * _months(b)) for s in said.values for h in held.values
        )
    if a.dimension != b.dimension:
        return False
    if a.dimension == "percent" and said.noun and held.noun and said.noun != held.noun:
        return False
    if said.relation in _BOUNDS and said.relation != held.relation:
        return any(_bounds(said.relation, s * a.size, h * b.size) for s in said.values for h in held.values)
    return any(_close(s * a.size, said.precision * a.size, h * b.size, held.precision * b.size, a.customary != b.customary)
               for s in said.values for h in held.values)  # fmt: skip


def _close(a: float, half_a: float, b: float, half_b: float, rounded: bool) -> bool:
    """Equal, or for a rounded conversion |a - b| <= max(half a, half b) and <= 3% of b."""
    if not rounded:
        return _equal(a, b)
    return abs(a - b) <= min(max(half_a, half_b) * (1 + 1e-9), CLOSE * b)


def _days(unit: Unit) -> float:
    """Days in one unit of time; a month has 30, a year 365."""
    if unit.dimension == "time":
        return unit.size / 86400
    return unit.size * 30 + 5 * (unit.size // 12)


def _months(unit: Unit) -> float:
    """Months in one unit of age or time."""
    return unit.size * 12 if unit.dimension == "age" else unit.size


def _same_degrees(said: Quantity, a: Unit, held: Quantity, b: Unit) -> bool:
    if a.dimension == b.dimension or "degree" in (a.dimension, b.dimension):
        return any(_equal(s, h) for s in said.values for h in held.values)
    near = DEGREES if said.precision > 1 and held.precision > 1 else 1.0  # 350 °F of 180 °C, both round
    return any(abs(_celsius(s, a) - _celsius(h, b)) <= near for s in said.values for h in held.values)


def _celsius(value: float, unit: Unit) -> float:
    return (value - 32) / 1.8 if unit.dimension == "fahrenheit" else value


def same_thing(said: Quantity, held: Quantity) -> bool:
    """Whether two counts of equal value count the same; a number without a noun may be anything."""
    if held.noun == LISTED:
        return bool(said.nouns & held.nouns)
    if said.noun in ("", held.noun):
        return True
    if held.units or held.currency:
        return False
    if said.nouns & held.nouns:
        return True
    if said.noun in PARTS:
        return held.noun == ""
    if said.noun in CODES or (PARTS & (held.nouns | {held.noun}) and said.values[0] < MANY):
        return False
    return held.noun not in CODES or held.noun == "in-one"  # a 24-in-1 screwdriver has 24 bits
