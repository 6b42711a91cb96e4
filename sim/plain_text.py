"""Plain text out of what shops keep in their cells: no markup, no emoji, nothing that a reader cannot see."""

from __future__ import annotations

import html
import re
import unicodedata

_TAG = re.compile(r"<(?!/?(?:bos|eos|pad|unk|sys)>)[a-zA-Z/!][^<>]*>", re.IGNORECASE)
"""Tags, but not the marks of language models: whoever looks for orders to a model must see them."""
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u20e3]")
_HIDDEN = frozenset(("Cf", "Cc", "Co", "Cs"))


def plain_text(text: str) -> str:
    """The text without tags, entities, emoji and invisible or control characters, and with single spaces.

    Signs such as ® and ° stay; a tag leaves a space, since ``<br>`` parts words.

    >>> plain_text("Mug&nbsp;<b>blue</b><br>350&thinsp;ml \U0001f600")
    'Mug blue 350 ml'
    >>> plain_text("mug <eos> a bad mug")
    'mug <eos> a bad mug'
    """
    if text.isascii() and text.isprintable() and "<" not in text and "&" not in text:
        return " ".join(text.split())
    if "&" in text:
        text = html.unescape(text)
    text = unicodedata.normalize("NFC", _EMOJI.sub(" ", _TAG.sub(" ", text)))
    seen = (" " if letter.isspace() else letter for letter in text if _shown(letter))
    return " ".join("".join(seen).split())


def _shown(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) not in _HIDDEN
