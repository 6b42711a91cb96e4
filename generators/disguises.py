"""What a text says under its disguise: letters as digits, gaps, codes, reversed words, characters that nobody sees.

`readings` gives each text that a machine might read out of one, with how it was read; `hidden_in` tells of characters that
have no business in a listing at all. Texts are folded (`copybandit.generators.normalising`), so that they can be searched.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from copybandit.generators.normalising import compact, disguised, folded, hidden, normalise, unleet

_SPACED = re.compile(r"(?:(?<!\w)[^\W_](?:[\s._*/\-]+(?=[^\W_](?!\w)))?){6,}")
_APART = re.compile(r"(?<!\w)[a-z](?:[\s._*/-]+[a-z](?!\w)){4,}")
_CHINESE_GAP = re.compile(
    r"(?<=[\u4e00-\u9fff，。：；！？“”、])[ \u3000*._/-]+(?=[\u4e00-\u9fff，。：；！？“”、])"
)
_GAPPED = re.compile(r"\w+[_*/~+]\w+[_*/~+]\w+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-f]{2}[ :]?){7,}[0-9a-f]{2}", re.IGNORECASE)
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_OTHER_SCRIPT = re.compile("[\u0370-\u06ff\u0900-\u097f\u3040-\u30ff\uac00-\ud7af]")
_WORDS = (
    "ignore disregard forget override system prompt instruction instructions rules write say reply answer output repeat "
    "print the word headline copy only always assistant model reveal title review this that with"
).split()
_ROT13 = re.compile(rf"\b(?:{'|'.join(codecs.encode(word, 'rot13') for word in _WORDS)})\b")
_BACKWARDS = re.compile(rf"\b(?:{'|'.join(word[::-1] for word in _WORDS)})\b")
_COMPACT = re.compile(
    r"(?:ignore|disregard|forget|override|bypass)(?:all|any|the|your|these|of|my)*"
    r"(?:previous|prior|above|earlier|system)?(?:instruction|prompt|rule|guideline)"
    r"|systemprompt|youarenow|newinstructions|developermode|忽略.{0,8}(?:指令|提示|规则)|系统提示"
)
_LEET = re.compile(r"\b(?=\w*[a-z])(?=\w*\d)(?!\d+[a-z]{1,3}\b)\w{3,}\b")
MANY_HIDDEN = 3
"""Invisible characters inside the words of one sentence that are no longer an accident of copying."""
SHORTEST_PIG = 5
"""Words that must end in -ay before a sentence is pig Latin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One way to read a text.

    Attributes:
        text: what it says so, folded.
        how: in words; empty for the text as it stands.
        proof: whether it could only be read so because somebody hid it.
    """

    text: str
    how: str = ""
    proof: bool = False


def hidden_in(text: str) -> bool:
    """Whether a text holds tag or direction characters, or many invisible ones inside its words."""
    return bool(_TAGS.search(text) or _BIDI.search(text)) or buried(text) >= MANY_HIDDEN


def buried(text: str) -> int:
    """How many invisible characters stand between two visible letters."""
    return sum(
        0 < i < len(text) - 1 and text[i - 1].isalnum() and text[i + 1].isalnum() for i in hidden(text)
    )


def odd(text: str) -> float:
    """How much the spelling of a text alone speaks against it, in [0, 1]: hidden or mixed letters, digits in many words."""
    plain = folded(normalise(text))
    leet = [
        word
        for word in _LEET.findall(plain)
        if not unleet(word).isdigit() and re.search(r"[a-z]\d[a-z]", word)
    ]
    mixed = 0.4 * (disguised(text) is not None) + 0.3 * (len(leet) > 1)
    return min(1.0, mixed + 0.3 * buried(text) + 0.5 * (_APART.search(plain) is not None))


def readings(text: str) -> Iterator[Reading]:
    """The text as it is and as its disguises would have it."""
    seen = normalise(text)
    plain = folded(seen)
    yield Reading(text=plain)
    if _OTHER_SCRIPT.search(seen):
        yield Reading(text=seen.lower())
    yield from _apart(plain)
    for way, undone in (("an HTML code", html.unescape(text)), ("percent codes", unquote(text))):
        if undone != text:
            yield Reading(text=folded(normalise(undone)), how=f", in {way}")
    for token in (*_BASE64.findall(text), *_HEX.findall(text)):
        if (told := _decoded(token)) is not None:
            yield Reading(text=folded(normalise(told)), how=", encoded", proof=True)
    if _ROT13.search(plain):
        yield Reading(text=codecs.decode(plain, "rot13"), how=", in rot13")
    if _BACKWARDS.search(plain):
        yield Reading(text=plain[::-1], how=", backwards")
    if (pig := _unpigged(plain)) is not None:
        yield Reading(text=pig, how=", in pig Latin", proof=True)


def _apart(plain: str) -> Iterator[Reading]:
    """Digits read as letters, and gaps closed."""
    if (letters := unleet(plain)) != plain:
        yield Reading(text=letters, how=", digits for letters")
    if (closed := _CHINESE_GAP.sub("", plain)) != plain:
        yield Reading(text=closed, how=", letters apart")
    if _SPACED.search(plain) or _GAPPED.search(plain):
        if found := _COMPACT.search(unleet(compact(plain)[0])):
            yield Reading(text=f"ignore all previous instructions: {found.group()}", how=", letters apart")
        yield Reading(text=re.sub(r"[_*/~+.-]+", " ", plain), how=", words joined by signs")


def _unpigged(plain: str) -> str | None:
    """Words of pig Latin without their endings, or None."""
    words = re.findall(r"[a-z]+", plain)
    ends = [word for word in words if word.endswith("ay") and len(word) > 3]
    if len(ends) < SHORTEST_PIG or len(ends) < 0.7 * len(words):
        return None
    return " ".join(word.removesuffix("ay").removesuffix("w") for word in words)


def _decoded(token: str) -> str | None:
    """What a base64 or hexadecimal token says, if it says something in letters."""
    tries = []
    if _HEX.fullmatch(token):
        tries.append(bytes.fromhex(re.sub(r"[ :]", "", token)))
    try:
        padded = token.rstrip("=").replace("-", "+").replace("_", "/")
        tries.append(base64.b64decode(padded + "=" * (-len(padded) % 4)))
    except (binascii.Error, ValueError):
        pass
    for raw in tries:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
        letters = sum(letter.isalpha() or letter == " " for letter in text)
        if text.isprintable() and len(text) > 3 and letters >= 0.7 * len(text):
            return text
    return None
