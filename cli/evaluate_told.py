"""What `copybandit evaluate` prints: lines or JSON, and the figures that gates can name."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from copybandit.evaluation.card import Card, Figure, Measure
from copybandit.evaluation.comparison import Comparison, comparison_figures
from copybandit.evaluation.comparison_page import rank_words, verdict
from copybandit.evaluation.diff_page import brief, surely
from copybandit.evaluation.policy_card import PolicyCard, gate_figures
from copybandit.evaluation.policy_page import amount, ends, told_verdict
from copybandit.evaluation.run_diff import RunDiff, diff_figures
from copybandit.evaluation.storage import plain

TOLD_FIGURES = 40
"""Figures of a difference that the terminal shows; the rest is on the page and in JSON."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found.

    Attributes:
        lines: for a reader.
        record: for JSON.
        figures: by the names that gates have for them.
        notes: for stderr.
        failed: whether gates of a card failed.
    """

    lines: tuple[str, ...]
    record: object
    figures: Mapping[str, float | None]
    notes: tuple[str, ...] = ()
    failed: bool = False


def tell(answer: Answer, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(json.dumps(plain(answer.record), ensure_ascii=False, indent=2, sort_keys=True))
    else:
        for line in answer.lines:
            print(line)
    for note in answer.notes:
        print(f"note: {note}", file=sys.stderr)


def quick_answer(measure: Measure) -> Answer:
    """Lifts of tuned copy."""
    lines = [
        f"{one.name}: {_lift(one.value)} (95% interval {_lift(one.ci_low)} to {_lift(one.ci_high)})"
        for one in measure.figures
        if one.unit == "lift" and one.value is not None
    ]
    return Answer(lines=tuple(lines), record=measure, figures=_measured((measure,)))


def _lift(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:+.1f}%"


def card_answer(card: Card, folder: Path) -> Answer:
    """The card's gates."""
    words, lines = {True: "passed", False: "FAILED", None: "not judged"}, list[str]()
    for measure in card.measures:
        lines.append(f"{measure.number:>2} {measure.name:<24} {words[measure.passed]}")
        for gate in measure.gates:
            if gate.passed is False:
                lines.append(f"     {gate.name}: {gate.value:.4g}, allowed {gate.allowed}")
            elif gate.passed is None:
                lines.append(f"     {gate.name}: not judged, {gate.note}")
    notes = list[str]()
    if len(card.readings) > 1:
        notes.append(f"the judge split has been read {len(card.readings)} times now")
    if unknown := sum(not one.checked for one in card.checkpoints):
        notes.append(f"nothing tells what {unknown} checkpoints were tuned on")
    lines.append(f"{len(card.failed)} gates failed, {len(card.open)} not judged")
    lines.append(f"card: {folder / 'card.html'}")
    return Answer(
        lines=tuple(lines),
        record=card,
        figures=_measured(card.measures),
        notes=tuple(notes),
        failed=bool(card.failed),
    )


def _measured(measures: tuple[Measure, ...]) -> dict[str, float | None]:
    """Figures of measures by words joined with _, e.g. ``clicks_gold_world.ci_low``."""
    found: dict[str, float | None] = {}
    for measure in measures:
        for one in measure.figures:
            found |= _figure(re.sub(r"\W+", "_", one.name).strip("_"), one)
    return found


def _figure(name: str, one: Figure) -> dict[str, float | None]:
    name = name if re.match(r"[A-Za-z_]", name) else f"_{name}"
    fields = {
        "": one.value,
        ".value": one.value,
        ".ci_low": one.ci_low,
        ".ci_high": one.ci_high,
        ".before": one.before,
    }
    return {name + field: value for field, value in fields.items()}


def policy_answer(card: PolicyCard, folder: Path) -> Answer:
    """A policy's seasons."""
    lines = [f"{card.policy}: {told_verdict(card.figures[0], card.against)}".replace("−", "-")]
    for one in card.figures:
        ours, theirs = amount(one.ours.value, one.unit), amount(one.theirs.value, one.unit)
        gap = f"{amount(one.difference.value, one.unit, signed=True)} ({ends(one.difference, one.unit, signed=True)})"
        lines.append(f"{one.words}: {ours} against {theirs}, difference {gap}".replace("−", "-"))
    lines += [f"page: {folder / 'evaluation.html'}"]
    return Answer(lines=tuple(lines), record=card, figures=gate_figures(card), notes=card.cautions)


def comparison_answer(found: Comparison, folder: Path) -> Answer:
    """Ranks."""
    reference, lines = found.ranking.reference, [verdict(found)]
    for row in found.ranking.rows:
        gap = f"{amount(row.difference.value, found.unit, signed=True)} ({ends(row.difference, found.unit, signed=True)})"
        told = f"{rank_words(row):<12} {row.name}: {amount(row.mean.value, found.unit)}"
        lines.append(told if row.name == reference else f"{told}, less {reference} {gap}".replace("−", "-"))
    lines.append(f"page: {folder / 'comparison.html'}")
    return Answer(lines=tuple(lines), record=found, figures=comparison_figures(found), notes=found.cautions)


def diff_answer(found: RunDiff, folder: Path | None) -> Answer:
    """What differs between two runs; figures beyond chance first."""
    lines = [f"{row.name}: {row.first} -> {row.second}" for row in (*found.settings, *found.versions)]
    rows = sorted(found.figures, key=lambda row: not surely(row))
    for row in rows[:TOLD_FIGURES]:
        gap = brief(row.difference, signed=True)
        lines.append(f"{row.name}: {brief(row.first)} -> {brief(row.second)}, {gap}".replace("−", "-"))
    if len(rows) > TOLD_FIGURES:
        lines.append(f"and {len(rows) - TOLD_FIGURES} figures more; --json or --out has all")
    known = sum(surely(row) for row in rows)
    lines.append(
        f"{len(rows)} figures differ, {known} of them beyond their intervals; {found.same} are equal"
    )
    lines += [f"page: {folder / 'diff.html'}"] if folder else []
    return Answer(lines=tuple(lines), record=found, figures=diff_figures(found))
