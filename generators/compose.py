"""Put a piece of copy together: part by part, one move each, no fact said twice.

The probability of a derivation is the product over parts of 1 / (moves that fitted) and over stores of 1 / (orders of its
words); `Composed.log_prob` is its logarithm, a lower bound of the text's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from copybandit.generators.answering import answer_values, answers_in
from copybandit.generators.chinese import measure_word
from copybandit.generators.kinds import Part, parts_of, voice_of
from copybandit.generators.limits import LIMITS, limit_for
from copybandit.generators.moves import Move, fill, fill_chinese, fill_list
from copybandit.generators.slots import Sayable, name_forms, sayable
from copybandit.sim.types import Brief, DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """A text, the moves it was made with, and the log probability of making it so."""

    text: str
    move_ids: tuple[str, ...]
    log_prob: float


def compose(brief: Brief, rng: np.random.Generator | None = None) -> Composed:
    """Write a text of the brief's kind; without `rng`, with the first moves that fit, in the files' order.

    A text that is too long for its kind is made again without the longest fact, as often as needed; then, where it need not
    name the product in full, with the moves that fit, and at last with a shorter name.

    Raises:
        DataError: the copy's language is not the product's, or the voice is unknown.
    """
    if brief.content_type == "answer":
        return _answer(brief, rng)
    left = sayable(brief, rng)
    limit = limit_for(brief.content_type, brief.placement, LIMITS)
    orders = -math.fsum(math.lgamma(len(words) + 1) for words in left.stores) if rng is not None else 0.0
    while True:
        done = _once(brief, left, rng, orders)
        if len(done.text) <= limit.characters:
            return done
        shorter = left.shorter()
        if shorter is None:
            return done if limit.named else _squeezed(brief, left, rng, orders, limit.characters)
        left = shorter


def _squeezed(
    brief: Brief, left: Sayable, rng: np.random.Generator | None, orders: float, most: int
) -> Composed:
    """The text with the longest form of the name that a move has room for; where none has, with the shortest."""
    for name in name_forms(left.singles["name"]):
        done = _once(brief, left.named(name), rng, orders, most)
        if len(done.text) <= most:
            break
    return done


def _once(
    brief: Brief, left: Sayable, rng: np.random.Generator | None, log_prob: float, most: int | None = None
) -> Composed:
    """One move for each part; where `most` is given, one of so many characters if there is any."""
    said: list[tuple[Move, str]] = []
    for part in parts_of(brief.content_type, brief.language):
        fitting = _fitting(part, brief, left)
        if not fitting:
            continue
        if most is not None:
            fitting = [move for move in fitting if len(_filled(move, brief, left)) <= most] or fitting
        move = fitting[0 if rng is None else int(rng.integers(len(fitting)))]
        log_prob -= math.log(len(fitting)) if rng is not None else 0.0
        said.append((move, _filled(move, brief, left)))
        left = left.without(move.slots)
    return Composed(
        text=("" if brief.language == "zh" else " ").join(text for _, text in said),
        move_ids=tuple(move.move_id for move, _ in said),
        log_prob=log_prob,
    )


def _fitting(part: Part, brief: Brief, left: Sayable) -> list[Move]:
    """Moves of a part that can be filled; those of the voice where there are any.

    Raises:
        DataError: none can, and the part is not optional.
    """
    voice, values = voice_of(brief), left.values
    able = [
        m for m in part.moves if m.slots <= values.keys() and (not m.ratings or brief.rating in m.ratings)
    ]
    if not able and not part.optional:
        kind = f"{brief.content_type} in {brief.language}"
        raise DataError(
            f"product {brief.product.product_id}: nothing to say in {kind}; give it facts or a category"
        )
    spoken = [move for move in able if not voice or not move.voices or voice in move.voices]
    return spoken or ([] if part.optional else able)


def _filled(move: Move, brief: Brief, left: Sayable) -> str:
    if brief.content_type == "tags":
        return fill_list(move, left.values)
    if brief.language == "zh":
        return fill_chinese(move, left.values, measure_word(brief.product.name))
    return fill(move, left.values)


def _answer(brief: Brief, rng: np.random.Generator | None) -> Composed:
    """An answer says what the listing says, or that it does not say."""
    language, values, voice = answers_in(brief), answer_values(brief), voice_of(brief)
    (part,) = parts_of("answer", language)
    able = [move for move in part.moves if move.slots == values.keys()]
    fitting = [move for move in able if not voice or not move.voices or voice in move.voices] or able
    move = fitting[0 if rng is None else int(rng.integers(len(fitting)))]
    named = {"name": brief.product.name, **values}
    text = fill_chinese(move, named, "款") if language == "zh" else fill(move, named)
    return Composed(
        text=text, move_ids=(move.move_id,), log_prob=-math.log(len(fitting)) if rng is not None else 0.0
    )


def variety(brief: Brief) -> Iterator[tuple[Part, Move]]:
    """Every part and move of the brief's kind."""
    language = answers_in(brief) if brief.content_type == "answer" else brief.language
    for part in parts_of(brief.content_type, language):
        for move in part.moves:
            yield part, move
