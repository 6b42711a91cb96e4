"""Readings under which a word in Chinese copy states nothing of the product: denied, likened, or only looked like.

``不是实木``, ``无塑料`` and ``告别塑料`` deny the word; ``像丝绸一样`` likens the thing to it; ``大理石纹`` and
``檀木香`` name a look or a scent. ``不仅防水`` and ``谁说不防水`` state what they seem to deny.
"""

from __future__ import annotations

import re

_DENIED = re.compile(
    r"(?:(?<![除仅只光但])[不没无非未](?:是|算|有|能|可|带|含|支持|具备|会|要|用|加|添加|属于|做|到)?(?:真的?|任何|一点|半点|全)?"
    r"|并非|而非|告别|拒绝|代替|取代|替代|胜过|好过)$"
)
_DOUBLE = re.compile(r"(?:谁说|哪能|怎[会能么]|难道|从来?没有|没有不)[^,。!?]{0,3}$")
_LIKE = re.compile(r"(?:像|如同?|似|宛如|犹如|仿佛|好比|比)[^,。!?]{0,3}$")
_AS = re.compile(r"(?:般|一样|一般|似的|那样)")
_LOOK = re.compile(r"(?:花?纹|纹理|色|感|味|香(?!皂|薰|炉)|调|风(?!格?衣)|绿|灰(?!尘)|白(?!瓷))")
_NEAR = 8
"""Characters before a word in which it is denied_in_chinese or likened."""


def denied_in_chinese(text: str, start: int) -> bool:
    """Whether the word that begins at `start` is denied_in_chinese.

    >>> denied_in_chinese("这不是实木的", 3), denied_in_chinese("这不仅防水", 3)
    (True, False)
    """
    before = text[max(0, start - _NEAR) : start]
    return _DENIED.search(before) is not None and _DOUBLE.search(before[:-1]) is None


def likened(text: str, span: tuple[int, int]) -> bool:
    """Whether the thing is only likened to the word (``像丝绸一样滑``, ``丝绸般``).

    >>> likened("像丝绸一样滑", (1, 3)), likened("丝绸般滑", (0, 2)), likened("丝绸很滑", (0, 2))
    (True, True, False)
    """
    start, end = span
    after = _AS.match(text, end)
    if after is not None and after.group() == "般":
        return True
    return _LIKE.search(text[max(0, start - 4) : start]) is not None


def looked_like(text: str, end: int) -> bool:
    """Whether a material that ends here names a look or a scent alone (``大理石纹``, ``檀木香``, ``胡桃木色``)."""
    return _LOOK.match(text, end) is not None
