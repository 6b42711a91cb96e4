"""The editor: which copy may be shown. Facts, claims and safety are vetoes, not weights.

It reads a text in steps, each of which can be switched off: shape, facts (`copybandit.generators.facts`), claims by
jurisdiction (`copybandit.generators.claims`), safety (`copybandit.generators.safety`), and grammar
(`copybandit.generators.proofreading`, off unless asked for). `check` refuses; `edit` first repairs what can be repaired
without changing what is said, and lists each repair: by rules, and where asked for by a trained network, too
(`copybandit.generators.token_editor`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, partial

from copybandit.generators.allowed import blanked, declined
from copybandit.generators.attributes import attribute_words, foreign_attributes
from copybandit.generators.chinese_slips import chinese_slips
from copybandit.generators.claims import PACKS, broken
from copybandit.generators.effects import health_effects
from copybandit.generators.experience import cheerful, ungrounded
from copybandit.generators.facts import Said, numbers, said_of, unsupported
from copybandit.generators.garbled import garbled
from copybandit.generators.injection import cleaned_brief, echoes
from copybandit.generators.limits import LIMITS, MAX_CHARACTERS, Limit, limit_for
from copybandit.generators.normalising import folded, has_chinese, normalise
from copybandit.generators.proofreading import MISSING, installed, misspelt
from copybandit.generators.rejection import Rejection
from copybandit.generators.repairs import Edit, repaired
from copybandit.generators.safety import unsafe
from copybandit.generators.shape import misshapen
from copybandit.generators.slips import slips
from copybandit.generators.smuggled import smuggled
from copybandit.sim.currency import CURRENCIES
from copybandit.sim.types import Brief, DataError, Product

__all__ = [
    "MAX_CHARACTERS",
    "Edited",
    "Editor",
    "EditorSettings",
    "Rejection",
    "attribute_words",
    "check",
    "edit",
    "names_product",
    "normalise",
    "numbers",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class EditorSettings:
    """Which steps the editor takes, and with what.

    Attributes:
        facts: numbers, dates, materials, brands and attributes must be the product's.
        claims: claim rules of `packs`.
        safety: abuse, personal data, individual history, invented experience, orders to the writer and what they ordered.
        proofreading: grammar and spelling of English copy by Harper; the commonest slips are soft findings without it.
        token_edits: mend slips of English copy with the trained token editor, which needs torch.
        soft: whether soft rules (`Rejection.severity`) refuse, too.
        packs: names of claim packs.
        limits: per content type and placement.
        brands: of the whole shop, as written; copy for one product may not name another's.
        currency: ISO 4217 code of the shop's prices; empty lets copy write a price in any.

    Raises:
        DataError: a pack or the currency is unknown.
    """

    facts: bool = True
    claims: bool = True
    safety: bool = True
    proofreading: bool = False
    token_edits: bool = False
    soft: bool = True
    packs: tuple[str, ...] = PACKS
    limits: tuple[Limit, ...] = LIMITS
    brands: tuple[str, ...] = ()
    currency: str = ""

    def __post_init__(self) -> None:
        if unknown := [name for name in self.packs if name not in PACKS]:
            raise DataError(f"unknown rule pack {unknown[0]!r}; choose from {', '.join(PACKS)}")
        if self.currency and self.currency not in CURRENCIES:
            raise DataError(
                f"editor.currency must be an ISO 4217 code such as EUR, got {self.currency!r}; "
                "correct it, or leave it empty where copy may write a price in any"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Edited:
    """A text after the editor: what it is now, what was repaired, and why it may still not be shown."""

    text: str
    edits: tuple[Edit, ...]
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Editor:
    """Reads copy with one set of settings."""

    settings: EditorSettings = EditorSettings()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is switched on and cannot be done here, in words."""
        return (MISSING,) if self.settings.proofreading and not installed() else ()

    def check(self, brief: Brief, text: str) -> tuple[Rejection, ...]:
        """Every rule that a text breaks; empty means it may be shown.

        Facts, claims and safety read `normalise(text)`, so that odd spellings do not slip through; their spans are places
        there, all others places in `text`. What the screen drops from the brief supports nothing and may not come back.
        """
        clean = cleaned_brief(brief)
        brief = clean.brief
        settings, product = self.settings, brief.product
        limit = limit_for(brief.content_type, brief.placement, settings.limits)
        plain = normalise(text)
        said = said_of(product, _more(brief), settings.currency)
        found = misshapen(text, said.folded, limit)
        found += self._told(brief, blanked(brief, plain, limit), said)
        if settings.safety and clean.findings:
            found += smuggled(folded(plain), tuple(f.text for f in clean.findings), said.folded)
        if limit.named and not names_product(brief, text):
            reason = f"does not name {product.name!r}"
            found.append(Rejection(rule="unnamed", span=(0, len(text)), reason=reason))
        return tuple(r for r in found if settings.soft or r.severity == "hard")

    def _told(self, brief: Brief, plain: str, said: Said) -> list[Rejection]:
        """What is wrong with what the text says; `plain` is normalised."""
        settings, low, found = self.settings, folded(plain), []
        interests = " ".join(brief.segment.interests) if brief.segment else ""
        if settings.facts:
            told = declined(brief, plain)
            found += unsupported(
                said, told, interests=interests, brands=settings.brands, question=_asked(brief)
            )
            found += foreign_attributes(said, told, interests)
        if settings.claims:
            words = f"{said.folded} ; {interests.lower()}" if interests else said.folded
            names, told = _names(brief.product), folded(declined(brief, plain))
            found += broken(low, words, names, tuple(p for p in settings.packs if p != "features"))
            found += broken(told, words, names, ("features",)) if "features" in settings.packs else ()
            found += health_effects(low, words) if "health" in settings.packs else ()
        if settings.safety:
            drafted = brief.content_type == "review"
            found += unsafe(low, names=_names(brief.product), drafted=drafted)
            found += echoes(low, said.folded)
            if drafted:
                found += ungrounded(low, said.folded)
                found += cheerful(low, said.folded, brief.rating or _PRAISED)
        if brief.language == "en":
            found += garbled(plain, said.folded)
        if has_chinese(plain):
            found += chinese_slips(low) if settings.soft else ()
        elif brief.language == "en":
            own = said.words | set(interests.lower().split())
            found += slips(plain, own, said.folded) if settings.soft else ()
            found += misspelt(plain, own) if settings.proofreading else ()
        return found

    def edit(self, brief: Brief, text: str) -> Edited:
        """Repair spelling of characters, spaces, capitals and the last mark, mend slips where asked for, then check."""
        limit = limit_for(brief.content_type, brief.placement, self.settings.limits)
        done, edits = repaired(text, said_of(cleaned_brief(brief).brief.product).folded, limit)
        if self.settings.token_edits:
            from copybandit.generators.token_editor import shipped  # loads torch

            done, mended = shipped().edited(brief, done, partial(self.check, brief))
            edits += mended
        return Edited(text=done, edits=edits, rejections=self.check(brief, done))


_PRAISED = 5
"""Stars that forbid no praise."""


def _more(brief: Brief) -> str:
    """Further facts: the shelf for tags, a buyer's own notes and stars for his review draft only."""
    if brief.content_type == "tags":
        return brief.product.category
    if brief.content_type != "review":
        return ""
    return f"{brief.notes} ; {brief.rating} stars ; {brief.rating} star ; {brief.rating}星"


def _asked(brief: Brief) -> str:
    """The question of an answer, normalised."""
    return normalise(brief.question) if brief.content_type == "answer" else ""


@lru_cache(maxsize=4096)
def _names(product: Product) -> tuple[str, ...]:
    return (folded(normalise(product.name)), folded(normalise(product.brand)))


def names_product(brief: Brief, text: str) -> bool:
    """Whether every word of the product's name stands in the text; in Chinese the name must stand there in one piece."""
    name, low = brief.product.name.lower(), text.lower()
    if has_chinese(name) or has_chinese(text):
        return re.sub(r"\s", "", name) in re.sub(r"\s", "", low)
    return set(re.findall(r"\w+", low)).issuperset(re.findall(r"\w+", name))


_DEFAULT = Editor()


def check(brief: Brief, text: str) -> tuple[Rejection, ...]:
    """`Editor.check` with the default settings."""
    return _DEFAULT.check(brief, text)


def edit(brief: Brief, text: str) -> Edited:
    """`Editor.edit` with the default settings."""
    return _DEFAULT.edit(brief, text)
