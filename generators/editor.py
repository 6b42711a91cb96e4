"""The editor: which copy may be shown. Facts are vetoes, not weights.

A number in copy must be one of the product's; the product must be named; the text must be whole, short and clean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from copybandit.sim.types import Brief, Variant

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SPELLED = frozenset(
    "two three four five six seven eight nine ten eleven twelve dozen twenty thirty fifty hundred thousand million half "
    "twice double triple percent".split()
)
_CLAIM = re.compile(
    r"\b(guarantee\w*|free shipping|free delivery|discount|sale|best[- ]?sell\w*|award\w*|certified|cure\w*|clinically|"
    r"risk[- ]free|limited time|last chance|customers say|reviews?|\d+\s*%|stars?)\b",
    re.IGNORECASE,
)
_STRANGE = re.compile(r"[<>|{}\\^~\x00-\x1f]|https?:|www\.|@")
MAX_CHARACTERS = 140


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """Why a text may not be shown: which rule, which part of the text, and the reason in words."""

    rule: str
    span: tuple[int, int]
    reason: str


def normalise(text: str) -> str:
    """NFKC, no invisible characters, single spaces."""
    clean = unicodedata.normalize("NFKC", text)
    clean = "".join(letter for letter in clean if unicodedata.category(letter) not in {"Cf", "Cc"} or letter == " ")
    return " ".join(clean.split())


def numbers(text: str) -> set[str]:
    """Numbers written in digits or words, digits in one spelling (``8,50`` and ``8.5`` agree)."""
    digits = {_canonical(match) for match in _NUMBER.findall(text)}
    return digits | {word for word in re.findall(r"[a-z]+", text.lower()) if word in _SPELLED}


def _canonical(number: str) -> str:
    value = number.replace(",", ".")
    head, _, tail = value.rpartition(".")
    if not head:
        return value.lstrip("0") or "0"
    fraction = tail.rstrip("0")
    whole = head.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction else whole


def check(brief: Brief, text: str) -> tuple[Rejection, ...]:
    """Every rule that a text breaks; empty means it may be shown."""
    found = [*_shape(text), *_facts(brief, text)]
    if not names_product(brief, text):
        found.append(Rejection(rule="unnamed", span=(0, len(text)), reason=f"does not name {brief.product.name!r}"))
    return tuple(found)


def _shape(text: str) -> list[Rejection]:
    found = []
    if not text.strip():
        found.append(Rejection(rule="empty", span=(0, 0), reason="says nothing"))
    if len(text) > MAX_CHARACTERS:
        found.append(
            Rejection(rule="too-long", span=(MAX_CHARACTERS, len(text)), reason=f"over {MAX_CHARACTERS} characters")
        )
    if text.strip() and text.rstrip()[-1] not in ".!?\"'":
        found.append(Rejection(rule="unfinished", span=(len(text) - 1, len(text)), reason="ends in mid-sentence"))
    found += [_rejection("strange", match, "markup, link or control character") for match in _STRANGE.finditer(text)]
    repeat = re.search(r"\b(\w+)(?:\W+\1\b){2,}", text, re.IGNORECASE)
    if repeat:
        found.append(_rejection("repeats", repeat, "says one word three times running"))
    return found


def _facts(brief: Brief, text: str) -> list[Rejection]:
    product = brief.product
    said = f"{product.name} {product.title} {' '.join(product.facts)} {product.price:.2f}"
    allowed = numbers(said)
    found = [
        _rejection("number", match, f"{match.group()} is not among the product's numbers")
        for match in _NUMBER.finditer(text)
        if _canonical(match.group()) not in allowed
    ]
    found += [
        _rejection("number", match, f"{match.group()!r} is not among the product's numbers")
        for match in re.finditer(r"[A-Za-z]+", text)
        if match.group().lower() in _SPELLED - allowed
    ]
    found += [
        _rejection("claim", match, f"{match.group()!r} is not among the product's facts")
        for match in _CLAIM.finditer(text)
        if match.group().lower() not in said.lower()
    ]
    return found


def _rejection(rule: str, match: re.Match[str], reason: str) -> Rejection:
    return Rejection(rule=rule, span=match.span(), reason=reason)


def names_product(brief: Brief, text: str) -> bool:
    """Whether every word of the product's name stands in the text."""
    words = set(re.findall(r"\w+", text.lower()))
    return words.issuperset(re.findall(r"\w+", brief.product.name.lower()))


def first_approved(brief: Brief, proposals: Sequence[Variant]) -> Variant | None:
    """The first proposal that breaks no rule, or None."""
    return next((variant for variant in proposals if not check(brief, variant.text)), None)
