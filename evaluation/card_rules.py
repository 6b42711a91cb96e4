"""Measures 8 and 9: facts that the product does not support, and claims that a law forbids, in what writers propose.

Both are read by an editor with every step and every pack on, whatever the run's own lets pass, on first proposals: what is
shown has been through an editor already, so only drafts say what the writer has learned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from copybandit.evaluation.card import Figure, Measure, gate
from copybandit.evaluation.card_figures import compared, plain
from copybandit.evaluation.card_personal import facts_named, mentions
from copybandit.evaluation.card_subject import Subject
from copybandit.generators.claims import PACKS, pack
from copybandit.generators.editor import Editor, EditorSettings
from copybandit.sim.types import Brief, Floats, Product, Segment

FACTS = frozenset({"number", "unit", "price", "percent", "date", "material", "brand", "attribute"})
"""Rules about what the product does not say."""
SAFETY = frozenset({"abusive", "personal-data", "history", "invented", "echo", "smuggled"})
"""Rules about what no reader may be shown."""
HALLUCINATED, REFUSED_CLEAN = 0.005, 0.03
"""Most texts with an unsupported fact, and most clean texts that claim rules may refuse."""
SURE = 3.0
"""-log(0.05): with so many expected, at least one is seen with 95% probability."""


@cache
def rule_packs() -> Mapping[str, str]:
    """Pack of every claim rule."""
    found = {rule.rule_id: name for name in PACKS for rule in pack(name)}
    return {**found, "health-effect": "health"}


def strict(editor: Editor) -> Editor:
    """The same shop's editor with all of facts, claims and safety on, soft rules left out."""
    own = editor.settings
    return Editor(
        settings=EditorSettings(soft=False, brands=own.brands, currency=own.currency, limits=own.limits)
    )


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Hard rules that each first proposal breaks, per seed: rows of n sets."""

    ours: tuple[tuple[frozenset[str], ...], ...]
    theirs: tuple[tuple[frozenset[str], ...], ...]

    def rate(self, rules: frozenset[str]) -> tuple[list[Floats], list[Floats]]:
        """Whether each text breaks one of some rules, shape (n,) per seed: tuned, and before."""
        ours, theirs = (
            [np.array([float(bool(found & rules)) for found in row]) for row in rows]
            for rows in (self.ours, self.theirs)
        )
        return ours, theirs


def read_drafts(subject: Subject) -> Readings:
    """Let the strict editor read all first proposals."""
    editor, briefs = strict(subject.reward.editor), subject.cells.briefs

    def rules(rows: Sequence[Sequence[str]]) -> tuple[tuple[frozenset[str], ...], ...]:
        return tuple(
            tuple(
                frozenset(found.rule for found in editor.check(brief, text))
                for brief, text in zip(briefs, row, strict=True)
            )
            for row in rows
        )

    return Readings(ours=rules(subject.ours.first), theirs=rules(subject.theirs.first))


def facts(subject: Subject, read: Readings) -> Measure:
    """Unsupported facts and how much of the product copy tells."""

    def broken(name: str, rules: frozenset[str]) -> Figure:
        return compared(subject.draws, name, *read.rate(rules), subject.cells.product, "share")

    found = broken("texts with an unsupported fact", FACTS)
    each = [broken(f"of these: {rule}", frozenset({rule})) for rule in sorted(FACTS)]
    refused = float(refused_clean(clean_copy(), FACTS).mean())
    texts = sum(map(len, subject.ours.first))
    needed = (
        f"A share of {HALLUCINATED:.1%} needs {SURE / HALLUCINATED:,.0f} texts to show with 95% probability"
    )
    seen = f"{needed}; {texts:,} were read."
    return Measure(
        number=8,
        name="Facts",
        question="Does copy state what the product does not say?",
        figures=(
            found,
            *(one for one in each if one.value or one.before),
            mentions(subject, "facts that a text states", facts_named),
            plain(
                f"clean copy refused for its facts, {len(clean_copy())} texts by other hands",
                refused,
                unit="share",
            ),
        ),
        gates=(gate("texts with an unsupported fact", found.value, high=HALLUCINATED),),
        notes=("Of first proposals, by the editor's rules; what is shown has none by the same rules.", seen),
    )


def policy(subject: Subject, read: Readings) -> Measure:
    """Hard claims by pack, and what the rules refuse of clean copy."""
    product, clean = subject.cells.product, clean_copy()
    wrong = float(refused_clean(clean, frozenset(rule_packs())).mean())
    figures, gates = [], []
    for name in PACKS:
        own = frozenset(rule for rule, where in rule_packs().items() if where == name)
        ours, theirs = read.rate(own)
        hits = sum(float(row.sum()) for row in ours)
        figures.append(
            compared(subject.draws, f"texts that break pack {name}", ours, theirs, product, "share")
        )
        gates.append(gate(f"hard hits, pack {name}", hits, high=0.0))
    return Measure(
        number=9,
        name="Policy",
        question="Does copy make claims that a law forbids, and are the rules fair to clean copy?",
        figures=(
            *figures,
            plain(f"clean copy refused, {len(clean)} texts by other hands", wrong, unit="share"),
        ),
        gates=(*gates, gate("clean copy refused", wrong, high=REFUSED_CLEAN)),
        notes=(
            "Packs: us, eu and cn are jurisdictions; health, finance and features are topics that all share.",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class CleanText:
    """A text that people labelled clean, for its brief."""

    brief: Brief
    text: str


@cache
def clean_copy() -> tuple[CleanText, ...]:
    """The clean set that ships with the package: English copy by three authors that was set aside when rules were made.

    Rules of quantities and of parts were widened after it had been read (a quart, a quarter off, Gbit/s, a zipper): its
    figure for facts is kind to them, and blind only for the third author's 68 texts, which nothing was changed for.
    """
    return tuple(
        CleanText(
            brief=Brief(
                product=product_of(row),
                segment=Segment(segment_id=0, interests=tuple(row["interests"]), size=20)
                if row["interests"]
                else None,
                content_type=row["content_type"],
            ),
            text=row["text"],
        )
        for row in shipped("card_clean_copy.json")
    )


def refused_clean(clean: Sequence[CleanText], rules: frozenset[str]) -> Floats:
    """Whether some of the editor's hard rules refuse each clean text, shape (n,)."""
    editor = Editor(settings=EditorSettings(soft=False))
    return np.array([float(any(r.rule in rules for r in editor.check(one.brief, one.text))) for one in clean])


def shipped(name: str) -> list[dict[str, Any]]:
    """Rows of a JSON file beside this module."""
    text = files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def product_of(row: Mapping[str, Any]) -> Product:
    """The product of a shipped row."""
    said = row["product"]
    return Product(
        product_id=row["id"],
        name=said["name"],
        title=said["title"],
        category=said["category"],
        brand=said["brand"],
        price=said["price"],
        facts=tuple(said["facts"]),
    )
