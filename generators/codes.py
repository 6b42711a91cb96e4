"""Codes: numbers joined to letters, as ``x80ck`` and ``1440p``, which name a thing and do not measure it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from copybandit.generators.facts import Said

CODE = re.compile(r"(?=[^\s;]*\d)(?=[^\s;]*[a-z])[a-z\d](?:[\w./+-]*\w)?")
_LINES = re.compile(r"(\d{3,4})p")
_RANK = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")
_FEW = 9
"""The 24th of 24 things is one of them; a low rank may be a place in a race."""
_LONGEST = 24
"""Characters of a code before its number."""


def token_said(said: Said, token: str) -> bool:
    """Whether a code follows: ``1440p`` of 2560 x 1440, ``30th`` of 30 June."""
    if lines := _LINES.fullmatch(token):
        return any(q.values[0] == float(lines[1]) for q in said.quantities)
    rank = _RANK.fullmatch(token)
    if rank is None:
        return False
    return any(date.day == int(rank[1]) for date in said.dates) or any(
        q.bare and q.values[0] == float(rank[1]) and q.values[0] > _FEW for q in said.quantities
    )


def code_at(low: str, span: tuple[int, int]) -> str:
    """The whole of a code that a number is part of (``x80ck``, ``7.2ch``), else nothing."""
    for match in CODE.finditer(low, max(0, span[0] - _LONGEST)):
        if match.start() <= span[0] and span[1] <= match.end():
            return match.group()
        if match.start() > span[0]:
            break
    return ""
