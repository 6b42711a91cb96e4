"""What no shop may show a reader: abuse, personal data, a reader's own history, and invented experience.

Profanity is looked for in three spellings (as written, with signs and digits read as letters, with the gaps of s p a c e d
words closed) and shopping phrases that only look like it are set aside first. The lists are our own: on shop copy the
libraries' (better-profanity, alt-profanity-check) refuse ``nude lipstick``, ``cock tail shaker`` and ``balls of yarn``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from copybandit.generators.normalising import has_chinese, unleet
from copybandit.generators.personal import personal
from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.tables import table
from copybandit.generators.wordlists import filled


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lists:
    latin: re.Pattern[str]
    chinese: re.Pattern[str]
    allowed: re.Pattern[str]
    words: frozenset[str]
    starred: re.Pattern[str]
    company: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]


@cache
def _raw() -> dict[str, dict[str, list[Any]]]:
    raw: dict[str, dict[str, list[Any]]] = table("safety.yaml")
    return raw


@cache
def _families(kind: str) -> tuple[str, ...]:
    """Chinese patterns of one kind: `history`, `invented`, `insult` or `profanity`."""
    raw = table("safety_zh.yaml")
    return tuple(
        filled(pattern, raw["words"])
        for row in raw["families"]
        if row["kind"] == kind
        for pattern in row["patterns"]
    )


@cache
def _lists() -> _Lists:
    raw = _raw()
    words = [*raw["profanity"]["en"], *raw["slurs"]["en"]]
    phrases = [*raw["violence"]["en"], *raw["insult"]["en"]]
    chinese = [re.escape(w) for w in (*raw["profanity"]["zh"], *raw["slurs"]["zh"])]
    allowed = sorted((*raw["allowed"]["en"], *raw["allowed"]["zh"]), key=len, reverse=True)
    return _Lists(
        latin=re.compile(rf"\b(?:{'|'.join((*map(re.escape, words), *phrases))})(?:'s)?(?![a-z])"),
        chinese=re.compile(
            "|".join(
                (
                    *chinese,
                    *raw["violence"]["zh"],
                    *raw["insult"]["zh"],
                    *_families("insult"),
                    *_families("profanity"),
                )
            )
        ),
        allowed=re.compile(
            rf"\b(?:{'|'.join(re.escape(w) for w in allowed if w.isascii())})(?:s|es)?\b|"
            + "|".join(re.escape(w) for w in allowed if not w.isascii())
        ),
        words=frozenset(word for word in words if " " not in word and len(word) > 3),
        company=tuple(
            (re.compile(row["near"]), re.compile(rf"\b(?:{'|'.join(row['words'])})\b"))
            for row in raw["company"]["en"]
        ),
        starred=re.compile(r"\b[a-z]+[*#@$!%]+[a-z]+\b|\b[a-z]+\*+(?!\w)"),
    )


_SPACED = re.compile(r"(?<![a-z])(?:[a-z][\s.\-_*]){2,}[a-z](?![a-z])")
_STRETCHED = re.compile(r"([a-z])\1{2,}")


_NAME_WORD = re.compile(r"[a-z]{3,}")


def abusive(text: str, names: tuple[str, ...] = ()) -> Iterator[Rejection]:
    """Profanity, slurs, threats and insults in folded text, in plain or disguised spelling.

    Words that are innocent in their trade (tits at a bird feeder) pass in the company of its words, in text or names.
    """
    lists = _lists()
    if (
        next(_profane(text, lists), None) is not None
    ):  # rare: only then is it worth setting the allowed phrases aside
        told = " ".join((text, *names))
        for near, words in lists.company:
            if near.search(told):
                text = words.sub(lambda m: " " * len(m.group()), text)
        own = {word for name in names for word in _NAME_WORD.findall(name)}
        text = _NAME_WORD.sub(lambda m: " " * len(m.group()) if m.group() in own else m.group(), text)
        yield from _profane(lists.allowed.sub(lambda m: " " * len(m.group()), text), lists)


def _profane(calm: str, lists: _Lists) -> Iterator[Rejection]:
    for pattern in (lists.latin, lists.chinese) if has_chinese(calm) else (lists.latin,):
        for match in pattern.finditer(calm):
            yield reject("abusive", match, f"{match.group()!r} is abusive")
            return
    yield from _disguised(calm, lists)


def _disguised(calm: str, lists: _Lists) -> Iterator[Rejection]:
    for match in (*lists.starred.finditer(calm), *_SPACED.finditer(calm)):
        form = (
            re.sub(r"[*#@$!%]+", ".{1,3}", match.group())
            if match.re is lists.starred
            else re.sub("[^a-z]", "", match.group())
        )
        if any(re.fullmatch(form, word) for word in lists.words):
            yield reject("abusive", match, f"{match.group()!r} is abusive in disguise")
            return
    letters = _STRETCHED.sub(r"\1", unleet(calm))
    if letters != calm and (bad := lists.latin.search(letters)) and len(bad.group()) > 3:
        yield Rejection(rule="abusive", span=(0, len(calm)), reason=f"{bad.group()!r} is abusive in disguise")
    if has_chinese(calm):
        closed = re.sub(r"(?<=[\u4e00-\u9fff])[\s*.·_\-]+(?=[\u4e00-\u9fff])", "", calm)
        if closed != calm and (bad := lists.chinese.search(closed)):
            yield Rejection(
                rule="abusive", span=(0, len(calm)), reason=f"{bad.group()!r} is abusive in disguise"
            )


def history(text: str) -> Iterator[Rejection]:
    """What one reader did, bought or looked at; the interests of a segment are no history."""
    yield from (
        reject("history", m, f"{m.group()!r} speaks of one reader's history") for m in _found("history", text)
    )


def invented(text: str) -> Iterator[Rejection]:
    """Experience that a writer cannot have had, and stars, quotes and crowds that nobody counted (16 CFR 465.2)."""
    yield from (
        reject("invented", m, f"{m.group()!r} is an experience nobody had") for m in _found("invented", text)
    )


@cache
def _forms(kind: str, language: str) -> re.Pattern[str]:
    more = _families(kind) if language == "zh" else ()
    return re.compile("|".join((*_raw()[kind][language], *more)))


def _found(kind: str, text: str) -> Iterator[re.Match[str]]:
    for language in ("en", "zh") if has_chinese(text) else ("en",):
        yield from _forms(kind, language).finditer(text)


def unsafe(text: str, *, names: tuple[str, ...] = (), drafted: bool = False) -> list[Rejection]:
    """Everything unsafe in a text.

    Args:
        text: the copy, normalised and folded.
        names: the product's name and brand, folded; a mug may be called `i love london`.
        drafted: whether this is a review drafted for its buyer, which may speak of his experience.
    """
    told = [*personal(text), *history(text), *(() if drafted else invented(text))]
    own = [m.span() for name in names if name and told for m in re.finditer(re.escape(name), text)]
    kept = [r for r in told if not any(start <= r.span[0] and r.span[1] <= end for start, end in own)]
    return [*abusive(text, names), *kept]
