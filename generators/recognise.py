"""Read copy back: which move of the grammar wrote it, and what filled its slots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from copybandit.generators.grammar import Move, fill, fillers, moves, slot_values
from copybandit.sim.types import Brief, Product, Segment

_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A move and what filled its slots, so that `fill(move, values)` is the text."""

    move: Move
    values: Mapping[str, str]

    @property
    def interests(self) -> tuple[str, ...]:
        """Interest words that the text speaks of, in its own order."""
        return tuple(self.values[slot] for slot in ("interest", "interest2") if slot in self.move.slots)


def recognise(product: Product, text: str, interests: Sequence[str]) -> Reading | None:
    """The first move that gives the text for the product, or None.

    Args:
        product: whose copy it is.
        text: the copy.
        interests: what may fill an interest slot.
    """
    segment = Segment(segment_id=0, interests=tuple(interests), size=1)
    brief = Brief(product=product, segment=segment)
    first = slot_values(brief)
    words = set(_WORDS.findall(text.lower()))
    may = {slot: found for slots, found in fillers(brief).items() for slot in slots}
    may |= {slot: tuple(interests) for slot in ("interest", "interest2")}
    for move in moves():
        if _own_words(move) <= words:
            for values in _choices(move, may, text):
                whole = {"name": first["name"], "price": first["price"], **values}
                if fill(move, whole) == text:
                    return Reading(move=move, values=whole)
    return None


@cache
def _own_words(move: Move) -> frozenset[str]:
    """Words that stand in every text of the move."""
    return frozenset(_WORDS.findall(re.sub(r"\{\w+\}", " ", move.text).lower()))


def _choices(move: Move, may: Mapping[str, Sequence[str]], text: str) -> Iterator[dict[str, str]]:
    """Ways to fill a move with words that the text holds; two slots of one kind get two words."""
    low = text.lower()
    held = {slot: [word for word in may[slot] if word.lower() in low] for slot in move.slots & may.keys()}
    yield from _assign(sorted(held), held, {})


def _assign(
    slots: Sequence[str], held: Mapping[str, Sequence[str]], chosen: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    if not slots:
        yield dict(chosen)
        return
    for word in held[slots[0]]:
        if word not in (chosen[slot] for slot in chosen if slot[:3] == slots[0][:3]):  # of one kind
            yield from _assign(slots[1:], held, {**chosen, slots[0]: word})
