"""Is a product's own text a text, or an order to the writer? The screen stands before the prompt.

A field is read sentence by sentence, each in several spellings: as it is, with digits read as letters, with its gaps
closed, and with base64, rot13, percent codes and reversed letters undone. `cleaned` drops a sentence that any of them
convicts and keeps the reason. It decides on form alone: what is true, allowed or polite is for the editor.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Literal

from copybandit.generators.disguises import hidden_in, odd, readings
from copybandit.generators.normalising import folded
from copybandit.generators.rejection import Rejection
from copybandit.generators.signals import Kind, threshold, weigh
from copybandit.generators.tables import table
from copybandit.sim.types import Brief, Product

_SENTENCE = re.compile(r"[^.!?。！？\n;；]*(?:[.!?](?!\s|$)[^.!?。！？\n;；]*)*[.!?。！？\n;；]*\s*")
_WORKS = re.compile(
    r"\b(?:e?books?|novels?|comics?|films?|movies?|dvds?|blu-?rays?|music|vinyls?|cds?|albums?|games?|gaming|toys?|puzzles?|posters?"
    r"|prints?|art|cards?|stationery|gifts?|fashion|clothing|apparel|t-?shirts?|shirts|signs?|kids|media|audio ?books?"
    r"|magazines?|theat\w+|software|apps?)\b|书|影|音像|音乐|唱片|游戏|玩具|绘本|漫画|文具|文创|服饰|服装|贺卡|海报|艺术"
)
"""Categories whose products bear the names of works, or sentences in print."""
_IN_COMPANY = 0.6
"""Share of its threshold that is enough for a sentence beside one that is convicted."""
_DISGUISE = 0.4
"""What it weighs that a text says more once its disguise is off."""
_TOGETHER = 0.2
"""What two sentences must weigh together above the threshold, where neither is an order alone."""


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
    """A brief whose product and own fields are clean.

    Attributes:
        brief: the clean one.
        asked: the one that came in; the editor is told of it, so that nothing dropped comes back.
        findings: what was dropped.
    """

    brief: Brief
    asked: Brief
    findings: tuple[Finding, ...]


@cache
def _rules() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    raw = table("injection.yaml")
    return tuple((row["id"], row["reason"], re.compile(p)) for row in raw["rules"] for p in row["patterns"])


@cache
def _weighing() -> frozenset[str]:
    """The rules that weigh in an input and convict in copy."""
    return frozenset(table("injection.yaml")["weighed"])


@cache
def _decisive() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """The rules that convict a sentence of an input alone."""
    return tuple(row for row in _rules() if row[0] not in _weighing())


@cache
def _of_whole() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Those that convict a whole text, cut into sentences by its own disguise: open calls as well."""
    return (*_decisive(), *(row for row in _rules() if row[0] == "instruction"))


@cache
def _any_rule() -> re.Pattern[str]:
    """One quick test for all rules without back-references."""
    return re.compile("|".join(f"(?:{p.pattern})" for _, _, p in _rules() if "\\1" not in p.pattern))


_CHEAP = re.compile(r"\b(\w{3,})\b.*\b\1\b|([\u4e00-\u9fff]{2}).*\2")
"""What every rule with a back-reference needs."""


def echoes(text: str, said: str = "") -> Iterator[Rejection]:
    """Prompts, role markers, orders and chatter of a model in copy, in any spelling; at most one.

    Args:
        text: the copy, normalised and folded.
        said: what the clean product says, folded: a book about prompts may be called so, by words that only weigh.
    """
    for reading in readings(text):
        spelling, how = reading.text, reading.how
        if _any_rule().search(spelling) is None:
            continue
        for rule, reason, pattern in _rules():
            match = pattern.search(spelling)
            if match is None or (rule in _weighing() and match.group().strip() in said):
                continue
            yield Rejection(
                rule="echo",
                span=(0, len(text)) if how else match.span(),
                reason=f"{match.group().strip()!r} reads as {reason} ({rule}{how})",
            )
            return


@lru_cache(maxsize=4096)
def screen(product: Product) -> tuple[Finding, ...]:
    """Every sentence of the product's name, title, brand and facts that reads as an order; empty for a clean product."""
    fields = tuple(_fields(product))
    found = {name: screen_text(text, name, category=product.category) for name, text in fields}
    if any(found.values()):  # a listing with one order in it is read again, with less patience
        found = {
            name: was or screen_text(text, name, category=product.category, company=True)
            for (name, text), was in zip(fields, found.values(), strict=True)
        }
    return tuple(finding for name, _ in fields for finding in found[name])


def screen_text(
    text: str, field: str = "text", *, category: str = "", company: bool = False
) -> tuple[Finding, ...]:
    """The same for one text, such as a shopper's question or a buyer's notes; at most one finding a sentence.

    Args:
        text: what the field holds.
        field: which one, as a `Finding` names it; any other is judged like a title.
        category: the product's; names of books, games and prints are given more room, as are names of unknown things.
        company: whether something beside it was convicted already, so that less is enough.
    """
    pieces = [piece for piece in _SENTENCE.finditer(text) if piece.group().strip()]
    kind = _kind(field, category)
    told = [_convict(piece.group(), kind, company) for piece in pieces]
    if any(told) and not all(told):
        told = [was or _convict(piece.group(), kind, True) for was, piece in zip(told, pieces, strict=True)]
    if not any(told) and len(pieces) > 1:
        told = _together([piece.group() for piece in pieces], text, kind)
    return tuple(
        Finding(field=field, rule=why[0], span=piece.span(), reason=why[1], text=piece.group().strip())
        for why, piece in zip(told, pieces, strict=True)
        if why
    )


def _together(sentences: list[str], text: str, kind: Kind) -> list[_Verdict | None]:
    """Verdicts on sentences none of which is an order alone: the order may run over a sentence's end."""
    if (whole := _convict(text, kind, False, strong_only=True)) is not None:
        return [whole] * len(sentences)
    told: list[_Verdict | None] = [None] * len(sentences)
    for i, (one, two) in enumerate(itertools.pairwise(sentences)):
        pair = _weighed(one + " " + two, kind)
        if pair is not None and pair[0] >= threshold(kind) + _TOGETHER:
            told[i] = told[i + 1] = pair[1]
    return told


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


@lru_cache(maxsize=8192)
def cleaned_brief(brief: Brief) -> CleanedBrief:
    """The brief with each convicted sentence dropped from its product and from its own fields."""
    product = cleaned(brief.product)
    own = [f for name in _BRIEF for f in screen_text(getattr(brief, name), name)]
    if not own and not product.findings:
        return CleanedBrief(brief=brief, asked=brief, findings=())
    question, notes, voice = (_without(getattr(brief, name), name, own) for name in _BRIEF)
    clean = replace(brief, product=product.product, question=question, notes=notes, voice=voice)
    return CleanedBrief(brief=clean, asked=brief, findings=(*product.findings, *own))


_BRIEF: tuple[Literal["question", "notes", "voice"], ...] = ("question", "notes", "voice")


def _fields(product: Product) -> Iterator[tuple[str, str]]:
    yield from (("name", product.name), ("title", product.title), ("brand", product.brand))
    yield from ((f"facts[{i}]", fact) for i, fact in enumerate(product.facts))


def _without(text: str, field: str, findings: tuple[Finding, ...] | list[Finding]) -> str:
    for start, end in sorted((f.span for f in findings if f.field == field), reverse=True):
        text = text[:start] + text[end:]
    return text.strip(" ;；\n")


_Verdict = tuple[str, str]
"""Rule and reason."""


def _kind(field: str, category: str) -> Kind:
    """Which kind of field it is; names in a category of works (``books``) may be any sentence."""
    for own in _BRIEF:
        if field == own:
            return own
    if field.startswith("facts"):
        return "facts"
    return "title" if not category or _WORKS.search(folded(category)) else "name"


def _convict(text: str, kind: Kind, company: bool, *, strong_only: bool = False) -> _Verdict | None:
    """Rule and reason, if any reading of a sentence holds what no listing holds, or weighs enough."""
    if not text.strip():
        return None
    if hidden_in(text):
        return "hidden", "characters that a reader cannot see"
    for reading in readings(text):
        if reading.proof:
            return "encoded", f"a text in code{reading.how}"
        if _any_rule().search(reading.text) or _CHEAP.search(reading.text):
            for rule, reason, pattern in _of_whole() if strong_only else _decisive():
                if pattern.search(reading.text):
                    return rule, reason + reading.how
    if strong_only:
        return None
    heaviest = _weighed(text, kind)
    enough = threshold(kind) * (_IN_COMPANY if company else 1.0) - 1e-9
    return heaviest[1] if heaviest is not None and heaviest[0] >= enough else None


def _weighed(text: str, kind: Kind) -> tuple[float, _Verdict] | None:
    """Weight and verdict of the heaviest reading; a disguise that adds to it weighs itself."""
    best: tuple[float, _Verdict] | None = None
    for reading in readings(text):
        weighed = weigh(reading.text, kind)
        if best is None:
            best = weighed.score, (weighed.rule, weighed.reason)
            continue
        score = weighed.score + _DISGUISE
        if weighed.score > best[0]:
            best = score, (weighed.rule, weighed.reason + reading.how)
    if best is not None and (more := odd(text)):
        best = best[0] + more, (best[1][0], best[1][1] + ", oddly spelled")
    return best
