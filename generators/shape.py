"""The shape of copy: whole, short, clean and in the form its kind asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from copybandit.generators.limits import MAX_TAG, Limit
from copybandit.generators.normalising import disguised, has_chinese, hidden
from copybandit.generators.phrases import stems
from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.stuffing import permuted

_ENTITY = r"&(?:[a-z]{2,8}|#x?[0-9a-f]{1,6});"
_MARKDOWN = r"(?m:^#{1,6}\s)|\*\*|__|`"
_STRANGE = re.compile(rf"{_MARKDOWN}|[<>|{{}}\\^~\x00-\x1f]|https?:|www\.|@|{_ENTITY}")
_STRANGE_LINES = re.compile(_MARKDOWN + r"|[<>|{}\\^~\x00-\x09\x0b-\x1f]|https?:|www\.|@|" + _ENTITY)
_SLOT = re.compile(
    r"\[(?i:insert|your|first|last|full|product|brand|customer|company|shop|store|name|city|price|discount|link|user|recipient|item|"
    r"date|amount)\b[^\]]{0,30}\]|\[[A-Z]{2,}[A-Z_ ]*\]|%[A-Z_]{3,}%|\b(?:F|FIRST_|LAST_|USER_?)NAME\b"
    r"|\b(?i:lorem ipsum)\b|\[X+\]|_{3,}|\bXX+%"
)
_REPEAT = re.compile(r"\b(\w+)(?:(?:\W+\1\b){2,}| (?:and|or) \1\b)", re.IGNORECASE)
_LISTED = re.compile(r"\b(\w+), \1,? (?:and|or) \1\b", re.IGNORECASE)
"""Once more for effect: ``undo, undo and undo``."""
_IDIOMS = frozenset(f"{w} and {w}" for w in "through again over more on round up down by better so".split())
_REPEAT_ZH = re.compile(r"([\u4e00-\u9fff]{2,6})(?:[,，、。！!\s]?\1){2,}")
_ENDS = ".!?\"'”’…。！？」』）)"
_SENTENCE_END = re.compile(r"[.!?…]+(?=[\s\"'”’)]|$)|[。！？…]+")
_FLOOD = re.compile(r"[!！?？]{3,}|(?:[\U0001f300-\U0001faff\u2600-\u27bf]\ufe0f?\s?){4,}")
_CAPITALS = re.compile(r"\b[A-Z]{4,}\b")
_OPEN = ("，", "、", "：", "；", ",", "-", "—")


def misshapen(text: str, said: str, limit: Limit) -> list[Rejection]:
    """Everything wrong with the shape of a text as it stands.

    Args:
        text: the copy, as it would be shown.
        said: all that the product says, lower case; its repeats and capitals are its own.
        limit: what its kind allows.
    """
    return [*_length(text, limit), *_signs(text, limit), *_noise(text, said), *_form(text, limit)]


def _length(text: str, limit: Limit) -> Iterator[Rejection]:
    whole = text.rstrip()
    if not whole:
        yield Rejection(rule="empty", span=(0, len(text)), reason="says nothing")
    elif _unfinished(whole, limit):
        yield Rejection(rule="unfinished", span=(len(whole) - 1, len(whole)), reason="ends in mid-sentence")
    if len(text) > limit.characters:
        reason = f"over {limit.characters} characters"
        yield Rejection(rule="too-long", span=(limit.characters, len(text)), reason=reason)


def _unfinished(whole: str, limit: Limit) -> bool:
    """Chinese headlines need no full stop, but no text may end in a comma."""
    if whole.endswith(_OPEN):
        return True
    return limit.whole and whole[-1] not in _ENDS and not (has_chinese(whole[-2:]) and limit.sentences[0] < 2)


def _signs(text: str, limit: Limit) -> Iterator[Rejection]:
    strange = _STRANGE_LINES if limit.lines else _STRANGE
    yield from (reject("strange", match, "markup, link or control") for match in strange.finditer(text))
    yield from (reject("strange", match, "a slot that nobody filled") for match in _SLOT.finditer(text))
    yield from (
        Rejection(rule="strange", span=(i, i + 1), reason="invisible character") for i in hidden(text)
    )
    if (disguise := disguised(text)) is not None:
        yield reject("homoglyph", disguise, f"{disguise.group()!r} mixes letters that only look alike")


def _own(repeat: re.Match[str], said: str) -> bool:
    """Whether the product says the word twice running itself."""
    low, word = repeat.group().lower(), repeat.group(1).lower()
    return low in said or f"{word} {word}" in said


_PAIR = re.compile(r"(?=\b([a-z]{3,} [a-z]{3,})\b)")
_JOINS = frozenset(
    "the and for with that this your you are from not but its all one can into has have will our who when there is".split()
)
_STUFFED = 4
"""Times that copy may not say the same two words."""


def _stuffed(text: str) -> re.Match[str] | None:
    """The first of two words that a text says four times."""
    low = text.lower()
    pairs = [pair for pair in _PAIR.findall(low) if not _JOINS.issuperset(pair.split())]
    often = next((pair for pair in pairs if pairs.count(pair) >= _STUFFED), None) if len(pairs) > 6 else None
    return re.search(rf"{re.escape(often)}.*{re.escape(often)}", low) if often else None


_SENTENCE_END = re.compile(r"[.!?]+(?:\s+|$)|[。！？]+\s*|\n+")
_SENTENCE = 12
"""Characters of a sentence, at least, that a text may not say again."""


def _said_again(text: str) -> bool:
    """Whether a text says a whole sentence of some length twice."""
    said = [part.strip().lower() for part in _SENTENCE_END.split(text)]
    said = [part for part in said if len(part) >= _SENTENCE]
    return len(set(said)) < len(said)


_ITEM = re.compile(r"[,;|\n]+")
_ITEMS = 5
"""Items of a list, at least, that stuffing shows in."""
_SAME = 0.75
"""Share of the items that hold one word of a stuffed list."""


def _turned(text: str) -> bool:
    """Whether a list says the same words in another order again, or one word in most of its items."""
    items = [stems(item) for item in _ITEM.split(text.lower())]
    items = [item for item in items if item]
    if len(items) < _ITEMS or max(map(len, items)) > _ITEMS:
        return False
    again = len(items) - len(set(items))
    often = Counter(word for item in items for word in item).most_common(1)[0][1]
    return again >= 2 or (often > _ITEMS and often >= _SAME * len(items))


def _noise(text: str, said: str) -> Iterator[Rejection]:
    text = _LISTED.sub(lambda match: " " * len(match.group()), text)
    for pattern in (_REPEAT, _REPEAT_ZH) if not text.isascii() else (_REPEAT,):
        repeat = pattern.search(text)
        if repeat and not _own(repeat, said) and repeat.group().lower() not in _IDIOMS:
            yield reject("repeats", repeat, "says a word again at once")
    if stuffed := _stuffed(text):
        yield reject("repeats", stuffed, "stuffs in the same words")
    elif _said_again(text):
        yield Rejection(rule="repeats", span=(0, len(text)), reason="says a whole sentence twice")
    elif _turned(text):
        yield Rejection(rule="repeats", span=(0, len(text)), reason="stuffs a list with the same words")
    elif has_chinese(text) and (why := permuted(text)):
        yield Rejection(rule="repeats", span=(0, len(text)), reason=why)
    if flood := _FLOOD.search(text):
        yield reject("shouting", flood, "a flood of marks or emoji")
    capitals = [match for match in _CAPITALS.finditer(text) if match.group().lower() not in said]
    if len(capitals) > 2:
        yield reject("shouting", capitals[0], "words in capitals")


def _form(text: str, limit: Limit) -> Iterator[Rejection]:
    everything = (0, len(text))
    if limit.mark and not text.startswith(limit.mark):
        yield Rejection(rule="unmarked", span=(0, 0), reason=f"must begin with {' or '.join(limit.mark)}")
    if limit.sentences != (0, 99):
        count = len(_SENTENCE_END.findall(text)) or bool(text.strip())
        low, high = limit.sentences
        if not low <= count <= high:
            yield Rejection(
                rule="sentences", span=everything, reason=f"{count} sentences; {low} to {high} are wanted"
            )
    if limit.tags[1]:
        tags = [tag.strip().lower() for tag in re.split(r"[,，、]", text)]
        low, high = limit.tags
        if (
            not low <= len(tags) <= high
            or not all(tags)
            or len(set(tags)) < len(tags)
            or max(map(len, tags)) > MAX_TAG
        ):
            yield Rejection(
                rule="tags",
                span=everything,
                reason=f"must be {low} to {high} different tags of 1 to {MAX_TAG} characters",
            )
