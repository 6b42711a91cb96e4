"""Words under a denial or in a contrast claim nothing: ``keep it away from the dishwasher``, ``unlike plastic``.

The denial must stand in the same clause, at most three words before. ``Not only waterproof`` denies nothing.
"""

from __future__ import annotations

import re

_REACH = 44
"""Characters before a word in which its denial stands."""
_WORDS = r"(?:[\w'-]+ ){0,3}$"
_CONTRAST = (
    r"unlike|against|instead of|rather than|goodbye to|farewell to|tired of|no more|enough of|skip(?:s|ping)? the|"
    r"ditch(?:es|ing)? the|beats?|replac(?:es?|ing)|where other"
)
_DENIED = re.compile(
    rf"\b(?:no|not|never|nor|neither|none|nothing|without|cannot|hardly|\w+n't|away from|"
    rf"ke(?:ep|eps|pt) (?:\w+ )?out of|{_CONTRAST})"
    rf"(?! (?:only|just|other|another|another's|to mention|least|merely)\b) {_WORDS}"
)
_CONTRASTED = re.compile(rf"\b(?:{_CONTRAST}) {_WORDS}")


def denied(text: str, start: int) -> bool:
    """Whether what begins at `start` of folded text stands under a denial or in a contrast.

    >>> [denied(f"{said}waterproof", len(said)) for said in ("this is not ", "not only ", "don't go out, ")]
    [True, False, False]
    """
    return _DENIED.search(text, max(0, start - _REACH), start) is not None


def contrasted(text: str, start: int) -> bool:
    """Whether it is only what the product is compared with.

    >>> contrasted("unlike plastic", 7), contrasted("no plastic", 3)
    (True, False)
    """
    return _CONTRASTED.search(text, max(0, start - _REACH), start) is not None
