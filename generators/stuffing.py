"""Stuffing in Chinese: the same few characters over and over, as in tags that permute one search word.

Of n Chinese characters d are different; ordinary copy of 20 and more keeps d/n above .6, permuted keywords fall to .2.
"""

from __future__ import annotations

import re

_HAN = re.compile(r"[\u3400-\u9fff]")
SHORTEST = 20
"""Chinese characters that a text needs before their variety tells something."""
VARIETY = 0.45
"""Share of different characters below which a text is stuffed."""
_TAG = re.compile(r"[^,，、;；\s]+")
_SHARED = 4
"""Tags that may not share the same two characters, when they are most of the tags."""


def permuted(text: str) -> str:
    """Why a text is stuffed, or nothing.

    >>> permuted("帽子女，女帽子，帽子女款，女款帽子，女士帽子女，帽子女士新款，新款女帽子")
    'says 6 characters over and over'
    >>> permuted("白帽子，渔夫帽，遮阳，春游")
    ''
    """
    letters = _HAN.findall(text)
    if len(letters) >= SHORTEST and len(set(letters)) < VARIETY * len(letters):
        return f"says {len(set(letters))} characters over and over"
    tags = _TAG.findall(text)
    if len(tags) <= _SHARED or "。" in text:
        return ""
    pairs = [{tag[i : i + 2] for i in range(len(tag) - 1)} for tag in tags]
    often = max(sum(pair in own for own in pairs) for pair in {"", *set().union(*pairs)})
    return f"{often} of {len(tags)} parts hold the same word" if often > max(_SHARED, 0.7 * len(tags)) else ""
