"""The grammar of copy: rhetorical moves filled with what the product says and, where a move asks, an interest word.

It is the corpus that `tiny` learns from and the style space of the baselines. A move says nothing that the product
does not say; an interest word speaks of the reader, never of the product. English headlines without a voice are one
move each, drawn here; every other kind of copy is put together in `copybandit.generators.compose`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from copybandit.generators.compose import compose
from copybandit.generators.limits import MAX_CHARACTERS
from copybandit.generators.moves import Move, article, fill, is_plural, move_named, moves
from copybandit.generators.slots import distinct, is_adjective
from copybandit.sim.types import Brief

__all__ = [
    "Move",
    "article",
    "fill",
    "fillers",
    "is_adjective",
    "is_plain_headline",
    "is_plural",
    "move_named",
    "moves",
    "slot_values",
    "write",
]


def is_plain_headline(brief: Brief) -> bool:
    """Whether a brief asks for an English headline in no particular voice, at no particular place."""
    kind = (brief.content_type, brief.language)
    return kind == ("headline", "en") and not (brief.voice or brief.placement)


def fillers(brief: Brief) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """What may fill each group of slots, in the brief's own order; an adjective of the name is not said twice."""
    product = brief.product
    named = set(product.name.lower().split())
    adjectives = [fact for fact in product.facts if is_adjective(fact) and fact.lower() not in named]
    return {
        ("adj", "adj2"): distinct(adjectives),
        ("phrase",): distinct(fact for fact in product.facts if not is_adjective(fact)),
        ("interest", "interest2"): distinct(brief.segment.interests[:3] if brief.segment else ()),
    }


def slot_values(brief: Brief, rng: np.random.Generator | None = None) -> dict[str, str]:
    """What fills each slot, drawn by `rng` or, without one, taken in the brief's own order.

    A slot the brief cannot fill is absent.
    """
    values = {"name": brief.product.name, "price": f"{brief.product.price:.2f}"}
    for slots, words in fillers(brief).items():
        order: Iterable[int] = range(len(words)) if rng is None else rng.permutation(len(words)).tolist()
        values |= {slot: words[index] for slot, index in zip(slots, order, strict=False)}
    return values


def write(brief: Brief, rng: np.random.Generator, move: Move | None = None) -> str:
    """Write one text of the brief's kind, with moves drawn evenly from those the brief can fill.

    Args:
        brief: what is asked for.
        rng: source of randomness.
        move: the move of an English headline to use instead of a draw. One that the brief cannot fill, or that becomes
            too long to show, falls back to the name alone.

    Raises:
        DataError: the brief's language cannot be written about its product, or its voice is unknown.
    """
    if move is None and not is_plain_headline(brief):
        return compose(brief, rng).text
    values = slot_values(brief, rng)
    if move is None:
        fitting = [candidate for candidate in moves() if candidate.slots <= values.keys()]
        move = fitting[rng.integers(len(fitting))]
    text = fill(move, values) if move.slots <= values.keys() else ""
    return text if 0 < len(text) <= MAX_CHARACTERS else fill(move_named("only-name"), values)
