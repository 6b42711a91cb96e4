"""Numbers of copy that stand for each other: the two factors of a product's number, and what copy counts a second time."""

from __future__ import annotations

import re
from dataclasses import replace

from copybandit.generators.agreement import agrees
from copybandit.generators.counting import CODES, GENERIC, PARTS
from copybandit.generators.quantity import Quantity

_RATE = re.compile(
    r"\b(?:an?|per|each|every) (?:time|day|night|evening|morning|afternoon|week|month|cup|pot|mug|glass|bowl|serving|scoop|"
    r"go|person|head|guest|player|page|piece|row|meal|breakfast|round|batch|sitting|use|wash|shot|brew)\b|\b(?:each|apiece|daily)\b"
)
_ADDS = re.compile(r"\b(?:with|and|plus|has|have|includes?|including|its|fits?|holds?|for|up to) (?:the )?$")
_REACH = 12
"""Characters before a number that show what it adds."""


def equated(
    quantity: Quantity,
    open_: list[Quantity],
    found: tuple[Quantity, ...],
    held: tuple[Quantity, ...],
    sentence: str,
    low: str,
) -> bool:
    """Whether a number of copy says a held one in other words.

    Args:
        quantity: one that no held quantity supports.
        open_: all such.
        found: every quantity of the copy.
        held: all that the product holds.
        sentence: the sentence around it, folded.
        low: the copy, folded.
    """
    return _echoes(quantity, open_, found, sentence, low) or _multiplies(quantity, open_, held, sentence)


def _echoes(
    quantity: Quantity, open_: list[Quantity], found: tuple[Quantity, ...], sentence: str, low: str
) -> bool:
    """Whether a supported number of the sentence is said again of what is done with it: ``two ports, two phones``."""
    start = quantity.span[0]
    if not quantity.bare or quantity.token or quantity.noun in PARTS | GENERIC | CODES:
        return False
    if _ADDS.search(low, max(0, start - _REACH), start):
        return False
    place = low.find(sentence, max(0, start - len(sentence)))
    return any(
        other.bare
        and other not in open_
        and other.values == quantity.values
        and other.span[1] <= start
        and place <= other.span[0]
        for other in found
    )


def _multiplies(quantity: Quantity, open_: list[Quantity], held: tuple[Quantity, ...], sentence: str) -> bool:
    """Whether two numbers of a sentence make a held one at a rate: three hours an evening, fifteen evenings of 45 hours."""
    if _RATE.search(sentence) is None or quantity.token or quantity.currency:
        return False
    for other in open_:
        if other is quantity or other.token or other.currency or bool(other.units) == bool(quantity.units):
            continue
        measure, times = (quantity, other) if quantity.units else (other, quantity)
        whole = replace(measure, values=(measure.values[0] * times.values[0],), relation="", per="")
        if times.noun not in CODES and any(h.units and agrees(whole, h) for h in held):
            return True
    return False
