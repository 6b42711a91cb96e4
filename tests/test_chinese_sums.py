"""Numbers of Chinese copy as its readers reckon them: uses, seats, shares of a pack, areas, ages, speeds, heights."""

from __future__ import annotations

from pathlib import Path

import pytest

from copybandit.generators.editor import Editor, EditorSettings
from copybandit.sim.types import Brief, ContentType, Product

EDITOR = Editor(settings=EditorSettings(currency="CNY"))
FORM = {"empty", "unfinished", "too-long", "unnamed", "sentences", "unmarked"}


def rules(facts: str, text: str, *, question: str = "", notes: str = "") -> set[str]:
    name, *told = facts.split(" ; ")
    product = Product(
        product_id="p", name=name, title=" ".join((name, *told)), category="家居", brand="", price=66.0, facts=tuple(told)
    )  # fmt: skip
    kind: ContentType = "answer" if question else "review" if notes else "description"
    brief = Brief(
        product=product,
        language="zh",
        content_type=kind,
        question=question,
        notes=notes,
        rating=4 if notes else None,
    )
    return {rejection.rule for rejection in EDITOR.check(brief, text)} - FORM


def cases(verdict: str) -> list[tuple[str, str, str, str]]:
    """The cases of `chinese_sums.txt` with one verdict: facts, copy, question, a buyer's notes."""
    lines = Path(__file__).with_name("chinese_sums.txt").read_text(encoding="utf-8").splitlines()
    rows = [[field.strip() for field in line.split("|")] for line in lines]
    padded = [(*row, "", "")[1:5] for row in rows if row[0] == verdict]
    return [(facts, text, question, notes) for facts, text, question, notes in padded]


@pytest.mark.parametrize(("facts", "text", "question", "notes"), cases("pass"))
def test_these_pass(facts: str, text: str, question: str, notes: str) -> None:
    assert rules(facts, text, question=question, notes=notes) == set()


@pytest.mark.parametrize(("facts", "text", "question", "notes"), cases("refuse"))
def test_these_are_refused(facts: str, text: str, question: str, notes: str) -> None:
    assert rules(facts, text, question=question, notes=notes) != set()
