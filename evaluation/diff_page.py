"""diff.html: what differs between two runs, as one self-contained page."""

from __future__ import annotations

import math
from pathlib import Path

from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.markup import Html, el, section, table
from copybandit.evaluation.page import page
from copybandit.evaluation.report_format import DASH
from copybandit.evaluation.run_diff import Changed, FigureDiff, RunDiff
from copybandit.evaluation.storage import save_json, write_bytes

JSON, HTML = "diff.json", "diff.html"


def write_diff(found: RunDiff, folder: Path) -> None:
    """Write diff.json and diff.html into a folder that exists."""
    save_json(folder / JSON, found)
    write_bytes(folder / HTML, render(found).encode())


def render(found: RunDiff) -> str:
    """The page as text."""
    told = [row for row in found.figures if surely(row)]
    known = sum(row.difference is not None and math.isfinite(row.difference.ci_low) for row in found.figures)
    text = (
        f"{len(found.settings)} settings, {len(found.versions)} versions and {len(found.figures)} figures differ; "
        f"{found.same} figures are equal. Of {known} differences with an interval {len(told)} leave out 0."
    )
    parts = (
        section("In one sentence", el("p", el("strong", text)), anchor="verdict"),
        _changes("Settings", found.settings, found),
        _changes("Versions", found.versions, found),
        _figures("Figures beyond chance", told, found),
        _figures("All figures that differ", found.figures, found),
    )
    footer = (
        "Intervals are 95%, of each figure on its own; a difference has that of two independent runs (Zou and Donner 2008). "
        "With many figures some leave out 0 by chance."
    )
    return page("Difference of two runs", f"{found.first} and {found.second}", parts, footer)


def surely(row: FigureDiff) -> bool:
    """Whether the interval of its difference leaves out 0."""
    return row.difference is not None and (row.difference.ci_low > 0 or row.difference.ci_high < 0)


def brief(one: Interval | None, *, signed: bool = False) -> str:
    """A figure with its interval.

    >>> brief(Interval(value=0.5, ci_low=0.25, ci_high=0.75)), brief(None)
    ('0.5 (0.25 to 0.75)', '–')
    """
    if one is None:
        return DASH
    form = "+.4g" if signed else ".4g"
    text = f"{one.value:{form}}"
    if math.isfinite(one.ci_low) and math.isfinite(one.ci_high):
        text += f" ({one.ci_low:{form}} to {one.ci_high:{form}})"
    return text.replace("-", "−")


def _changes(title: str, rows: tuple[Changed, ...], found: RunDiff) -> Html:
    if not rows:
        return section(title, el("p", "The same in both."), anchor=title.lower())
    cells = ((row.name, row.first, row.second) for row in rows)
    return section(
        title,
        table("Those that differ", (title.lower(), found.first, found.second), cells),
        anchor=title.lower(),
    )


def _figures(title: str, rows: list[FigureDiff] | tuple[FigureDiff, ...], found: RunDiff) -> Html:
    anchor = title.lower().replace(" ", "-")
    if not rows:
        return section(title, el("p", "None."), anchor=anchor)
    cells = (
        (row.name, brief(row.first), brief(row.second), brief(row.difference, signed=True)) for row in rows
    )
    head = ("figure in report.json", found.first, found.second, "second less first")
    return section(title, table("With 95% intervals", head, cells, numeric=(1, 2, 3)), anchor=anchor)
