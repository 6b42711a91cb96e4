"""Patterns over named lists of words: ``{buyer}都说`` stands for any word of the list `buyer`, then 都说."""

from __future__ import annotations

import re
from collections.abc import Mapping

from copybandit.sim.types import DataError

_SLOT = re.compile(r"\{([a-z_]+)\}")


def filled(pattern: str, words: Mapping[str, str]) -> str:
    """The pattern with each slot as an alternation of its words, the longest first.

    Args:
        pattern: a regular expression with slots.
        words: of each slot its words, which may be expressions, with spaces between them.

    Raises:
        DataError: a slot names no list.

    >>> filled("{who}都{say}", {"who": "顾客 老顾客", "say": "说"})
    '(?:老顾客|顾客)都(?:说)'
    """

    def alternation(slot: re.Match[str]) -> str:
        if slot[1] not in words:
            raise DataError(f"slot {slot.group()} of {pattern!r} names no list of words; add the list")
        return f"(?:{'|'.join(sorted(words[slot[1]].split(), key=len, reverse=True))})"

    return _SLOT.sub(alternation, pattern)
