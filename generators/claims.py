"""Claim rules by jurisdiction: versioned packs in `rules_*.yaml`, each rule with its law, its patterns and its examples.

A match is excused where it overlaps a match of one of the rule's exceptions, where it lies within the product's own name or
brand, or, for a rule that says so (`unless_said`), where the product says the same words. Where the product itself has an
offer or a deadline (`held`), copy may speak of it in its own words: dates and prices are read as facts. A body or a standard
that the product names supports its certificate (``certified to`` its standard). A pack's examples are tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal, get_args

from copybandit.generators.denials import denied
from copybandit.generators.normalising import has_chinese
from copybandit.generators.phrases import stems
from copybandit.generators.rejection import Rejection, Severity
from copybandit.generators.tables import table
from copybandit.generators.wordlists import filled
from copybandit.sim.types import DataError, Language

Pack = Literal["us", "eu", "cn", "health", "finance", "features"]
PACKS: tuple[Pack, ...] = get_args(Pack)
"""Names of the packs that ship with the package."""
_FURTHER = {"cn": ("cn_spoken",)}
"""Packs whose rules fill more than one file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule of one pack.

    Attributes:
        rule_id: unique among all packs.
        jurisdiction: name of its pack.
        severity: `hard`, or `soft` where a person may excuse a breach.
        citation: the law.
        reason: what is wrong, in words.
        languages: of the texts it reads.
        patterns: regular expressions over folded text.
        exceptions: regular expressions; a match that overlaps one of theirs is excused.
        unless_said: whether the product's own words excuse it.
        held: regular expressions; the rule does not read copy for a product whose text matches one.
        bad: texts that break it.
        good: texts that look like it and do not.
    """

    rule_id: str
    jurisdiction: str
    severity: Severity
    citation: str
    reason: str
    languages: tuple[Language, ...]
    patterns: tuple[str, ...]
    exceptions: tuple[str, ...]
    unless_said: bool
    bad: tuple[str, ...]
    good: tuple[str, ...]
    held: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.bad) < 3 or len(self.good) < 3:
            raise DataError(
                f"rule {self.rule_id}: needs at least 3 bad and 3 good examples, got {len(self.bad)} and "
                f"{len(self.good)}; add some"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compiled:
    rule: Rule
    pattern: re.Pattern[str]
    exceptions: re.Pattern[str] | None
    held: re.Pattern[str] | None


@cache
def pack(name: str) -> tuple[Rule, ...]:
    """The rules of one pack.

    Raises:
        DataError: there is no such pack.
    """
    if name not in PACKS:
        raise DataError(f"unknown rule pack {name!r}; choose from {', '.join(PACKS)}")
    tables = [table(f"rules_{part}.yaml") for part in (name, *_FURTHER.get(name, ()))]
    return tuple(
        _rule(row, raw["jurisdiction"], raw.get("words", {})) for raw in tables for row in raw["rules"]
    )


def _rule(row: dict[str, Any], jurisdiction: str, words: Mapping[str, str]) -> Rule:
    return Rule(
        rule_id=row["id"],
        jurisdiction=jurisdiction,
        severity=row["severity"],
        citation=row["citation"],
        reason=row["reason"],
        unless_said=row["unless_said"],
        languages=tuple(row["languages"]),
        patterns=tuple(filled(pattern, words) for pattern in row["patterns"]),
        exceptions=tuple(filled(pattern, words) for pattern in row["exceptions"]),
        bad=tuple(row["bad"]),
        good=tuple(row["good"]),
        held=tuple(row.get("held", ())),
    )


_WORDED = re.compile(r"\(*(?:\?:)?\(*[a-z\\]")


def _union(patterns: tuple[str, ...], *, ordered: bool = True) -> str:
    """One expression; patterns that begin with a Latin letter match whole words, all others anywhere.

    Without an order it is faster, and of several patterns that match at one place any may be the one that does.
    """
    words = [p for p in patterns if _WORDED.match(p)]
    other = [p for p in patterns if not _WORDED.match(p)]
    alike = "|".join if ordered else _by_letter
    return "|".join(([rf"(?<![a-z0-9])(?:{alike(words)})(?![a-z0-9])"] if words else []) + other)


def _by_letter(patterns: Sequence[str]) -> str:
    """The alternatives, those that begin with the same plain letter behind one test of it."""
    begun: dict[str, list[str]] = {}
    for pattern in patterns:
        plain = _BEGUN.match(pattern) is not None and not _parted(pattern)
        begun.setdefault(pattern[0] if plain else "", []).append(pattern)
    rest = begun.pop("", [])
    return "|".join([f"{letter}(?:{'|'.join(p[1:] for p in some)})" for letter, some in begun.items()] + rest)


_BEGUN = re.compile(r"[a-z](?![?*+{])")


def _parted(pattern: str) -> bool:
    """Whether a bar parts the whole pattern, not a group of it."""
    depth = 0
    for mark in re.sub(r"\\.|\[[^\]]*\]", "", pattern):
        depth += (mark == "(") - (mark == ")")
        if mark == "|" and not depth:
            return True
    return False


@lru_cache(maxsize=64)
def _compiled(packs: tuple[str, ...], chinese: bool) -> tuple[re.Pattern[str], tuple[_Compiled, ...]]:
    """A quick test for any rule at all, and the rules that read texts with, or without, Chinese characters."""
    wanted: set[Language] = {"en", "zh"} if chinese else {"en"}
    rules = [rule for name in packs for rule in pack(name) if wanted & set(rule.languages)]
    patterns = tuple(p for rule in rules for p in rule.patterns)
    every = _union(patterns, ordered=False) if patterns else r"(?!)"
    each = (
        _Compiled(
            rule=rule,
            pattern=re.compile(_union(rule.patterns)),
            exceptions=re.compile("|".join(rule.exceptions)) if rule.exceptions else None,
            held=re.compile("|".join(rule.held)) if rule.held else None,
        )
        for rule in rules
    )
    return re.compile(every), tuple(each)


def broken(
    text: str, said: str, names: tuple[str, ...], packs: tuple[str, ...] = PACKS
) -> Iterator[Rejection]:
    """Every rule that a text breaks.

    Args:
        text: the copy, normalised and folded; spans are places in it.
        said: all that the product says, folded.
        names: the product's name and brand, folded; matches inside them are the product's own words.
        packs: names of the packs to read with.
    """
    every, rules = _compiled(packs, has_chinese(text))
    if every.search(text) is None:
        return
    for compiled in rules:
        rule = compiled.rule
        for match in _breaches(compiled, text, said, names):
            reason = f"{match.group().strip()!r}: {rule.reason} ({rule.citation})"
            yield Rejection(rule=rule.rule_id, span=match.span(), reason=reason, severity=rule.severity)


def _breaches(compiled: _Compiled, text: str, said: str, names: tuple[str, ...]) -> Iterator[re.Match[str]]:
    for match in compiled.pattern.finditer(text):
        if compiled.held is not None and compiled.held.search(said):
            return
        if compiled.rule.unless_said and (_says(said, match.group()) or _attested(text, match, said)):
            continue
        if compiled.rule.jurisdiction == "features" and denied(text, match.start()):
            continue
        if not (_excepted(compiled.exceptions, text, match) or _named(names, text, match)):
            yield match


_ATTESTED = re.compile(r"\s?(?:to|by|under|as per|against|for) (?:the )?(?P<body>[\w-]{2,})")
_OF_PROOF = re.compile(r"(?:certifi|approv|tested|accredit|listed|label|rated)")


def _attested(text: str, match: re.Match[str], said: str) -> bool:
    """Whether a proof is by a body or to a standard that the product names: ``certified to en 71``."""
    body = _ATTESTED.match(text, match.end()) if _OF_PROOF.search(match.group()) else None
    return body is not None and re.search(rf"\b{re.escape(body['body'])}\b", said) is not None


def _excepted(exceptions: re.Pattern[str] | None, text: str, match: re.Match[str]) -> bool:
    """Whether an exception overlaps the match."""
    return exceptions is not None and any(
        found.start() < match.end() and match.start() < found.end() for found in exceptions.finditer(text)
    )


def _named(names: tuple[str, ...], text: str, match: re.Match[str]) -> bool:
    """Whether the match, less an article before it, lies within the product's name or brand."""
    article = re.match(r"(?:the|an?|our) ", match.group())
    start = match.start() + (article.end() if article else 0)
    return any(_holds(name, text, start, match.end()) for name in names if name)


def _holds(name: str, text: str, start: int, end: int) -> bool:
    """Whether the name stands in the text around these places: it begins where it still reaches the end, or later."""
    return text.find(name, max(0, end - len(name)), start + len(name)) >= 0


_SAME_WORDS = (
    (re.compile(r"[\s-]+"), " "),
    (re.compile(r"(?<![a-z])wi fi(?![a-z])"), "wifi"),
    (re.compile(r"(洗碗机|微波炉|烤箱|洗衣机|电磁炉)(?:可用|适用|安全|通用)"), r"\1"),
    (re.compile(r"\bthe "), ""),
    (re.compile(r" ?per ?cent\b"), "%"),
    (re.compile(r"certificat(?:ion|e)"), "certified"),
)
_DENIED = re.compile(r"\s*[:：]\s*(?:no|none|not|false|否|无|不)(?![a-z])|不[可能适支宜]|禁用|除外")
_NO_USE = re.compile(r"(?:[不勿未无非]|禁止?)[可能适宜支要得]?[用持合入进放于]{0,2}$")


def _says(said: str, words: str) -> bool:
    """Whether the product says these words: hyphens and spaces are alike, and ``vegan: no`` says nothing of the kind."""
    if _same_stems(said, words):
        return True
    words, said = _alike(words).strip(), _alike(said)
    place = said.find(words)
    while place >= 0:
        if not (_DENIED.match(said, place + len(words)) or _NO_USE.search(said[max(0, place - 6) : place])):
            return True
        place = said.find(words, place + 1)
    return False


_NOT = re.compile(r"\b(?:no|not|never|non|without|free)\b|[:：]")
_STEMS = lru_cache(maxsize=8192)(stems)
_IDLE = stems("the a an with of for in on by and or to is are it its our your this that comes with")


def _same_stems(said: str, words: str) -> bool:
    """Whether forms of all words stand in the product's text (``guaranteed``, ``lifetime guarantee``), none denied there."""
    wanted = stems(words) - _IDLE
    if not wanted or not words.isascii() or any(c.isdigit() for c in words) or max(map(len, wanted)) < _LONG:
        return False
    fields = (field for field in said.split(" ; ") if wanted <= _STEMS(field))
    return any(not _NOT.search(field) or field == words for field in fields)


_LONG = 5
"""Letters of a word that tells something."""


@lru_cache(maxsize=8192)
def _alike(text: str) -> str:
    for pattern, same in _SAME_WORDS:
        text = pattern.sub(same, text)
    return text
