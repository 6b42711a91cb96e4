"""Words that are no words: what a small writer leaves where it lost its thread (``Virtualualualual``, ``Pro 掉 Up``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from copybandit.generators.rejection import Rejection, reject

_STUTTER = re.compile(r"\b[^\W\d_]*?([a-z]{2,4})\1\1[^\W\d_]*", re.IGNORECASE)
_LAUGHS = re.compile(r"(?:ha|he|ho|la|na|da|cha|bla|tra)+[hn]?", re.IGNORECASE)
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
_FEW = 0.2
"""Share of Chinese characters up to which a text is English with something strewn in."""
MOST_MISSPELT = 1
"""Misspelt words that a person may leave in a text; with more of them it is none of a person's."""


def garbled(text: str, said: str) -> Iterator[Rejection]:
    """Syllables that stutter and Chinese strewn into English copy.

    Args:
        text: English copy, normalised.
        said: what the product says, folded; its own words are right.
    """
    for match in _STUTTER.finditer(text):
        if match.group().lower() not in said and not _LAUGHS.fullmatch(match.group()):
            yield reject("garbled", match, f"{match.group()!r} is no word")
    strewn = list(_CHINESE.finditer(text))
    few = sum(map(len, (match.group() for match in strewn))) <= _FEW * len(text)
    for match in strewn if few else ():
        if match.group() not in said:
            yield reject(
                "garbled", match, f"{match.group()!r} stands in English copy, and not in the product's"
            )


def misspelt_throughout(places: Iterable[tuple[int, int]], text: str) -> Iterator[Rejection]:
    """One rejection where more than `MOST_MISSPELT` different words are in no dictionary; names begin with a capital.

    Args:
        places: of misspelt words in the copy.
        text: the copy.
    """
    spans = {text[slice(*place)]: place for place in places if text[slice(*place)].islower()}
    if len(spans) > MOST_MISSPELT:
        span = min(start for start, _ in spans.values()), max(stop for _, stop in spans.values())
        told = ", ".join(map(repr, spans))
        yield Rejection(rule="garbled", span=span, reason=f"{told} are no words")
