"""Is a product's own text a text, or an order to the writer? The screen stands before the prompt.

A field is read sentence by sentence, each in several spellings: as it is, with digits read as letters, with its gaps
closed, and with base64, rot13, percent codes and reversed letters undone. `cleaned` drops a sentence that any of them
convicts and keeps the reason. It decides on form alone: what is true, allowed or polite is for the editor.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from urllib.parse import unquote

from copybandit.generators.normalising import compact, folded, hidden, normalise, unleet
from copybandit.generators.rejection import Rejection
from copybandit.generators.tables import table
from copybandit.sim.types import Brief, Product

_SENTENCE = re.compile(r"[^.!?。！？\n;；]*(?:[.!?](?!\s|$)[^.!?。！？\n;；]*)*[.!?。！？\n;；]*\s*")
_SPACED = re.compile(r"(?:(?<!\w)[^\W_](?:[\s._*/\-]+(?=[^\W_](?!\w)))?){6,}")
_GAPPED = re.compile(r"\w+[_*/~+]\w+[_*/~+]\w+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){10,}", re.IGNORECASE)
_COMPACT = re.compile(
    r"(?:ignore|disregard|forget|override|bypass)(?:all|any|the|your|these|of|my)*"
    r"(?:previous|prior|above|earlier|system)?(?:instruction|prompt|rule|guideline)"
    r"|systemprompt|youarenow|newinstructions|developermode|忽略.{0,8}(?:指令|提示|规则)|系统提示"
)
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
MANY_HIDDEN = 3
"""Invisible characters inside the words of one sentence that are no longer an accident of copying."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One sentence of one field that reads as an order: which rule, where in that field, and the reason in words."""

    field: str
    rule: str
    span: tuple[int, int]
    reason: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """A product (or a brief) without the sentences that `findings` convict."""

    product: Product
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanedBrief:
    """A brief whose product and own fields are clean."""

    brief: Brief
    findings: tuple[Finding, ...]


@cache
def _rules() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    raw = table("injection.yaml")
    return tuple((row["id"], row["reason"], re.compile(p)) for row in raw["rules"] for p in row["patterns"])


@cache
def _any_rule() -> re.Pattern[str]:
    """One quick test for all rules without back-references."""
    return re.compile("|".join(f"(?:{p.pattern})" for _, _, p in _rules() if "\\1" not in p.pattern))


def echoes(text: str) -> Iterator[Rejection]:
    """Prompts, role markers, orders and chatter of a model in copy, in any spelling; at most one.

    Args:
        text: the copy, normalised and folded.
    """
    for how, spelling in _spellings(text):
        if _any_rule().search(spelling) is None:
            continue
        rule, reason, match = next(
            (rule, reason, m) for rule, reason, p in _rules() if (m := p.search(spelling)) is not None
        )
        said = match.group().strip()
        yield Rejection(
            rule="echo",
            span=(0, len(text)) if how else match.span(),
            reason=f"{said!r} reads as {reason} ({rule}{how})",
        )
        return


@lru_cache(maxsize=4096)
def screen(product: Product) -> tuple[Finding, ...]:
    """Every sentence of the product's name, title, brand and facts that reads as an order; empty for a clean product."""
    return tuple(finding for name, text in _fields(product) for finding in screen_text(text, name))


def screen_text(text: str, field: str = "text") -> tuple[Finding, ...]:
    """The same for one text, such as a shopper's question or a buyer's notes; at most one finding a sentence."""
    whole = _convict(text)
    found = [
        finding for piece in _SENTENCE.finditer(text) if (finding := _sentence(piece, field)) is not None
    ]
    if whole and not found:  # the order runs over a sentence's end
        found = [Finding(field=field, rule=whole[0], span=(0, len(text)), reason=whole[1], text=text)]
    return tuple(found)


def cleaned(product: Product) -> Cleaned:
    """Return the product with each convicted sentence dropped; a name or title that is left empty is replaced.

    An empty name becomes the clean title or, without one, the category, so that copy can still name something.
    """
    findings = screen(product)
    if not findings:
        return Cleaned(product=product, findings=())
    kept = {name: _without(text, name, findings) for name, text in _fields(product)}
    facts = tuple(kept[f"facts[{i}]"] for i in range(len(product.facts)))
    name = kept["name"] or kept["title"] or product.category or f"item {product.product_id}"
    clean = replace(
        product,
        name=name,
        title=kept["title"] or name,
        brand=kept["brand"],
        facts=tuple(fact for fact in facts if fact),
    )
    return Cleaned(product=clean, findings=findings)


def screen_brief(brief: Brief) -> tuple[Finding, ...]:
    """Findings in the product, the question, the notes and the voice of a brief."""
    return (*screen(brief.product), *(f for name in _BRIEF for f in screen_text(getattr(brief, name), name)))


def cleaned_brief(brief: Brief) -> CleanedBrief:
    """The brief with each convicted sentence dropped from its product and from its own fields."""
    product = cleaned(brief.product)
    own = [f for name in _BRIEF for f in screen_text(getattr(brief, name), name)]
    if not own and not product.findings:
        return CleanedBrief(brief=brief, findings=())
    question, notes, voice = (_without(getattr(brief, name), name, own) for name in _BRIEF)
    clean = replace(brief, product=product.product, question=question, notes=notes, voice=voice)
    return CleanedBrief(brief=clean, findings=(*product.findings, *own))


_BRIEF = ("question", "notes", "voice")


def _fields(product: Product) -> Iterator[tuple[str, str]]:
    yield from (("name", product.name), ("title", product.title), ("brand", product.brand))
    yield from ((f"facts[{i}]", fact) for i, fact in enumerate(product.facts))


def _without(text: str, field: str, findings: tuple[Finding, ...] | list[Finding]) -> str:
    for start, end in sorted((f.span for f in findings if f.field == field), reverse=True):
        text = text[:start] + text[end:]
    return text.strip(" ;；\n")


def _sentence(piece: re.Match[str], field: str) -> Finding | None:
    told = _convict(piece.group())
    if told is None:
        return None
    return Finding(field=field, rule=told[0], span=piece.span(), reason=told[1], text=piece.group().strip())


def _convict(text: str) -> tuple[str, str] | None:
    """Rule and reason of the first spelling of a sentence that any rule matches."""
    if not text.strip():
        return None
    if _TAGS.search(text) or _BIDI.search(text) or _buried(text) >= MANY_HIDDEN:
        return "hidden", "characters that a reader cannot see"
    for how, spelling in _spellings(text):
        for rule, reason, pattern in _rules():
            if pattern.search(spelling):
                return rule, reason + how
    return None


def _buried(text: str) -> int:
    """How many invisible characters stand between two visible letters."""
    return sum(
        0 < i < len(text) - 1 and text[i - 1].isalnum() and text[i + 1].isalnum() for i in hidden(text)
    )


def _spellings(text: str) -> Iterator[tuple[str, str]]:
    """The sentence as it is and as its disguises would have it, with how each was read."""
    plain = folded(normalise(text))
    yield "", plain
    if (letters := unleet(plain)) != plain:
        yield ", digits for letters", letters
    if _SPACED.search(plain) or _GAPPED.search(plain):
        if found := _COMPACT.search(unleet(compact(plain)[0])):
            yield ", letters apart", f"ignore all previous instructions: {found.group()}"
        yield ", words joined by signs", re.sub(r"[_*/~+.-]+", " ", plain)
    for way, undone in (("an HTML code", html.unescape(text)), ("percent codes", unquote(text))):
        if undone != text:
            yield f", in {way}", folded(normalise(undone))
    for token in (*_BASE64.findall(text), *_HEX.findall(text)):
        if (hidden_text := _decoded(token)) is not None:
            yield ", encoded", folded(normalise(hidden_text))
    if len(plain.split()) > 2:
        yield ", in rot13", codecs.decode(plain, "rot13")
        yield ", backwards", plain[::-1]


def _decoded(token: str) -> str | None:
    """What a base64 or hexadecimal token says, if it says something in letters and spaces."""
    tries = []
    if _HEX.fullmatch(token):
        tries.append(bytes.fromhex(token))
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
        if sum(letter.isprintable() for letter in text) == len(text) and any(
            c.isspace() or c > "\u2e80" for c in text
        ):
            return text
    return None
