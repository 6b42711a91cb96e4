"""Repairs that change how a text is written and not what it says, each on record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from copybandit.generators.limits import Limit
from copybandit.generators.normalising import has_chinese, normalise

_BEFORE_MARK = re.compile(r"\s+([,.!?;:])(?!\d)")
_DOUBLED = re.compile(r"([!?,;:])\1+|(?<!\.)\.\.(?!\.)|([。！？，])\2+")
_AFTER_MARK = re.compile(r"([,;!?])(?=[A-Za-z])|(?<=[a-z]{2})\.(?=[A-Z][a-z])")
_TWICE = re.compile(r"\b(the|a|an|of|to|for|and|with|in|is)\s+\1\b", re.IGNORECASE)
_SHOUTED = re.compile(r"\b[A-Z]{4,}\b")
_LOWER_START = re.compile(r"^([\"“']?)([a-z])(?![A-Z])|([.!?] )([a-z])(?![A-Z])")  # a name such as iPad stays


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One repair: what kind, and the whole text before and after."""

    kind: str
    before: str
    after: str

    @property
    def span(self) -> tuple[int, int]:
        """The part of the text before that is another after."""
        return self._outside[0], len(self.before) - self._outside[1]

    @property
    def new_span(self) -> tuple[int, int]:
        """The part of the text after that was another before."""
        return self._outside[0], len(self.after) - self._outside[1]

    @property
    def _outside(self) -> tuple[int, int]:
        """Characters at both ends that are the same."""
        most = min(len(self.before), len(self.after))
        head = next((i for i in range(most) if self.before[i] != self.after[i]), most)
        ends = range(most - head)
        return head, next((i for i in ends if self.before[-1 - i] != self.after[-1 - i]), most - head)


def repaired(text: str, said: str, limit: Limit) -> tuple[str, tuple[Edit, ...]]:
    """Return the repaired text and its edits; repairing twice changes nothing more.

    Args:
        text: the copy.
        said: all that the product says, lower case; its capitals are left alone.
        limit: whether line breaks stay and the text must end like a sentence.
    """
    edits = []
    for kind, step in _steps(said, limit):
        done = step(text)
        if done != text:
            edits.append(Edit(kind=kind, before=text, after=done))
            text = done
    return text, tuple(edits)


def _steps(said: str, limit: Limit) -> tuple[tuple[str, Callable[[str], str]], ...]:
    return (
        ("characters and spaces", _by_line if limit.lines else normalise),
        ("space before a mark", lambda text: _BEFORE_MARK.sub(r"\1", text)),
        ("doubled mark", lambda text: _DOUBLED.sub(lambda m: m[1] or m[2] or ".", text)),
        ("space after a mark", lambda text: _AFTER_MARK.sub(lambda m: f"{m.group()} ", text)),
        ("doubled word", lambda text: _TWICE.sub(r"\1", text)),
        ("capitals", lambda text: _calm(text, said)),
        ("first letter", lambda text: _LOWER_START.sub(_upper, text) if not limit.tags[1] else text),
        ("last mark", lambda text: _ended(text) if limit.whole else text),
    )


def _by_line(text: str) -> str:
    return "\n".join(normalise(line) for line in text.strip().splitlines())


def _calm(text: str, said: str) -> str:
    """Lower words in capitals where a text shouts: more than two of them, none the product's own."""
    shouted = [m.group() for m in _SHOUTED.finditer(text) if m.group() not in said.upper().split()]
    return (
        _SHOUTED.sub(lambda m: m.group().lower() if m.group() in shouted else m.group(), text)
        if len(shouted) > 2
        else text
    )


def _upper(match: re.Match[str]) -> str:
    return (match[1] or match[3] or "") + (match[2] or match[4]).upper()


def _ended(text: str) -> str:
    if not text or not (text[-1].isalnum() or text[-1] in ",;:，；："):
        return text
    if has_chinese(text):
        return text.rstrip("，；：,;:") + ("。" if text[-1] in "，；：,;:" else "")
    return text.rstrip(",;:") + "."
