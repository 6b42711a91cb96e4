"""The editor: which copy may be shown. Facts are vetoes, not weights.

A number in copy must be one of the product's, a describing word one of its facts; the product must be named; the text
must be whole, short and clean.
It compares numbers, not what they measure: `350 g` passes for a product that holds 350 ml.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from copybandit.generators.languages import HAN
from copybandit.generators.limits import LIMITS, Limit, limit_for
from copybandit.sim.catalogue import lexicon
from copybandit.sim.types import Brief, Variant

_NUMBER = re.compile(r"(?<![\w.,])[.,]\d+|\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")
_SPELLED = frozenset(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands "
    "million millions billion dozen dozens half quarter twice thrice double triple quadruple percent".split()
)
_WORD = re.compile(r"[^\W\d_]+")
_CLAIM = re.compile(
    r"\b(?:guarantee\w*|free shipping|free delivery|discount\w*|sale|best[- ]?sell\w*|award\w*|certified|"
    r"cure\w*|clinically|risk[- ]free|limited time|last chance|customers say|reviews?|stars?)\b|\d+\s*%",
    re.IGNORECASE,
)
_STRANGE = re.compile(r"[<>|{}\\^~\x00-\x1f]|https?:|www\.|@")
_REPEAT = re.compile(r"\b(\w+)(?:(?:\W+\1\b){2,}| (?:and|or) \1\b)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """Why a text may not be shown: which rule, which part of the text, and the reason in words."""

    rule: str
    span: tuple[int, int]
    reason: str


def normalise(text: str) -> str:
    """NFKC, no invisible characters, single spaces."""
    if text.isascii() and text.isprintable():  # nothing to fold, nothing to hide
        return " ".join(text.split())
    spaced = " ".join(unicodedata.normalize("NFKC", text).split())
    return " ".join("".join(letter for letter in spaced if not _invisible(letter)).split())


def _invisible(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cf", "Cc", "Co", "Cs"}


def numbers(text: str) -> set[str]:
    """Numbers written in digits or words, digits in one spelling (``8,50`` and ``8.5`` agree)."""
    return {_value(match) for match in _numbers(text)}


def _numbers(text: str) -> Iterator[re.Match[str]]:
    yield from _NUMBER.finditer(text)
    yield from (match for match in _WORD.finditer(text) if match.group().lower() in _SPELLED)


def _value(match: re.Match[str]) -> str:
    found = match.group()
    return _canonical(found) if any(letter.isdecimal() for letter in found) else found.lower()


def _canonical(number: str) -> str:
    """ASCII digits without leading or trailing zeros; three digits after a separator are read as thousands."""
    plain = "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in number)
    if _THOUSANDS.fullmatch(plain):
        return re.sub(r"[.,]", "", plain)
    head, _, tail = plain.replace(",", ".").rpartition(".")
    if "." not in plain.replace(",", "."):
        return plain.lstrip("0") or "0"
    fraction, whole = tail.rstrip("0"), head.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction else whole


def check(brief: Brief, text: str) -> tuple[Rejection, ...]:
    """Every rule that a text breaks; empty means it may be shown.

    Numbers and claims are looked for in `normalise(text)`, so that odd spellings do not slip through; their spans are
    places there, all others places in `text`.
    """
    limit = limit_for(brief.content_type, brief.placement, LIMITS)
    found = [
        *_shape(text, _said(brief), limit),
        *_facts(brief, normalise(text)),
        *_attributes(brief, text),
    ]
    if limit.named and not names_product(brief, text):
        reason = f"does not name {brief.product.name!r}"
        found.append(Rejection(rule="unnamed", span=(0, len(text)), reason=reason))
    return tuple(found)


def _said(brief: Brief) -> str:
    """All that the shop, and of a review its author, says of the product, in the form numbers and claims are compared in."""
    product, price = brief.product, f"{brief.product.price:.2f}"
    told = (brief.notes, f"{brief.rating} star", "stars") if brief.content_type == "review" else ()
    return normalise(" ; ".join((product.name, product.title, product.brand, *product.facts, price, *told)))


def _shape(text: str, said: str, limit: Limit) -> list[Rejection]:
    found = []
    whole = text.rstrip()
    if not whole:
        found.append(Rejection(rule="empty", span=(0, len(text)), reason="says nothing"))
    elif limit.whole and whole[-1] not in ".!?\"'”’…。！？)）":
        span = (len(whole) - 1, len(whole))
        found.append(Rejection(rule="unfinished", span=span, reason="ends in mid-sentence"))
    if len(text) > limit.characters:
        reason = f"over {limit.characters} characters"
        found.append(Rejection(rule="too-long", span=(limit.characters, len(text)), reason=reason))
    found += [_rejection("strange", match, "markup, link or control") for match in _STRANGE.finditer(text)]
    found += [
        Rejection(rule="strange", span=(place, place + 1), reason="invisible character")
        for place, letter in enumerate(text)
        if letter > "\x1f" and _invisible(letter)
    ]
    repeat = _REPEAT.search(text)
    if repeat and repeat.group().lower() not in said.lower():
        found.append(_rejection("repeats", repeat, "says a word again at once"))
    return found


def _facts(brief: Brief, text: str) -> list[Rejection]:
    said = _said(brief)
    allowed = numbers(said)
    claimed = {match.group().lower() for match in _CLAIM.finditer(said)}
    found = [
        _rejection("number", match, f"{match.group()!r} is not among the product's numbers")
        for match in _numbers(text)
        if _value(match) not in allowed
    ]
    found += [
        _rejection("claim", match, f"{match.group()!r} is not among the product's facts")
        for match in _CLAIM.finditer(text)
        if match.group().lower() not in claimed
    ]
    return found


def _attributes(brief: Brief, text: str) -> list[Rejection]:
    """Words that describe products, said of neither this product nor the reader's interests."""
    known = set(_words(_said(brief)))
    known |= set(_words(" ".join(brief.segment.interests))) if brief.segment else set()
    foreign = attribute_words() - known
    return [
        _rejection("attribute", match, f"{match.group()!r} is not among the product's facts")
        for match in re.finditer(r"[^\W\d_][\w'-]*", text)
        if match.group().lower() in foreign
    ]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_][\w'-]*", text.lower())


@cache
def attribute_words() -> frozenset[str]:
    """Words with which the lexicon describes products, less the words that moves are made of."""
    from copybandit.generators.grammar import moves  # the grammar asks the editor how long a text may be

    words = lexicon()
    said = [
        *words.colours,
        *words.styles,
        *(w for c in words.categories for w in (*c.adjectives, *c.phrases)),
    ]
    harmless = {"gift", "needed", *_words(" ".join(move.text for move in moves()))}
    return frozenset(word for word in _words(" ".join(said)) if len(word) > 2) - harmless


def _rejection(rule: str, match: re.Match[str], reason: str) -> Rejection:
    return Rejection(rule=rule, span=match.span(), reason=reason)


def names_product(brief: Brief, text: str) -> bool:
    """Whether every word of the product's name stands in the text; a Chinese name must stand there in one piece."""
    if HAN.search(brief.product.name + text):
        return brief.product.name.lower() in text.lower()
    words = set(re.findall(r"\w+", text.lower()))
    return words.issuperset(re.findall(r"\w+", brief.product.name.lower()))


def first_approved(brief: Brief, proposals: Sequence[Variant]) -> Variant | None:
    """The first proposal that breaks no rule, or None."""
    return next((variant for variant in proposals if not check(brief, variant.text)), None)
