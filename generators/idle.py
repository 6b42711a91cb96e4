"""Numbers that measure nothing of a product: times of day, figures of speech, what a reader does (`idle.yaml`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from copybandit.generators.numerals import Numeral
from copybandit.generators.tables import table


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    before: re.Pattern[str] | None
    after: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    word: bool
    most: float
    half: bool
    among: frozenset[int]


def _pattern(text: str | None, end: str = "") -> re.Pattern[str] | None:
    return re.compile(f"(?:{text}){end}", re.IGNORECASE) if text else None


@cache
def _rows() -> tuple[_Row, ...]:
    return tuple(
        _Row(
            before=_pattern(row.get("before"), "$"),
            after=_pattern(row.get("after")),
            unless=_pattern(row.get("unless")),
            word=number.get("word", False),
            most=number.get("most", float("inf")),
            half=number.get("half", False),
            among=frozenset(number.get("among", ())),
        )
        for row in table("idle.yaml")["rows"]
        for number in (row.get("number", {}),)
    )


def idle(text: str, numeral: Numeral) -> bool:
    """Whether a number of a normalised text is a time of day, a figure of speech or an order of the reader's."""
    word, value = numeral.kind in ("spelled", "han"), numeral.values[0]
    start, end = numeral.span
    return any(
        (word or not row.word)
        and value <= row.most
        and (not row.among or value in row.among)
        and (value == 0.5 if row.half else value == int(value))
        and (row.after is None or row.after.match(text, end) is not None)
        and (row.before is None or row.before.search(text, max(0, start - _BEFORE), start) is not None)
        and (row.unless is None or row.unless.search(text) is None)
        for row in _rows()
    )


_BEFORE = 24
"""Characters before a number that are read."""
