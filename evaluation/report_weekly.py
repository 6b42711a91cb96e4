"""The part of the report page about the weekly loop; where no weeks were played it gives nothing."""

from __future__ import annotations

from collections.abc import Mapping

from copybandit.evaluation.markup import Html, el, section, table
from copybandit.evaluation.report_format import Report, number, share, span


def weekly(report: Report) -> Html:
    """Each week's lifts with and without refit, and how well the truth was known."""
    found = report.get("weekly")
    if not found or not found.get("weeks"):
        return Html()
    followed = found["followed"]
    intro = el(
        "p",
        f"The truth drifts from week to week, {number(found['paths'])} paths of it. One writer is tuned again each week on "
        f"a world refitted from the week's log, the frozen one was tuned once. From week 2 on the first is clicked "
        f"{share(followed['value'], 1)} more ({share(followed['ci_low'], 1)} to {share(followed['ci_high'], 1)}).",
    )
    rows = (
        (
            row["week"],
            *(cell for name in ("tuned", "frozen", "gain") for cell in _lift(row[name])),
            number(row["agreement"], 2),
            number(row["agreement_frozen"], 2),
            f"{number(row['doubt_before'], 3)} → {number(row['doubt_after'], 3)}",
        )
        for row in found["weeks"]
    )
    head = (
        "week",
        *("refitted, over SFT", "95%", "frozen, over SFT", "95%", "refitted over frozen", "95%"),
        "agrees with truth",
        "first belief",
        "doubt",
    )
    return section(
        "Week by week",
        intro,
        table("By the truth of each week", head, rows, numeric=(1, 3, 5, 7, 8)),
        anchor="weekly",
    )


def _lift(found: Mapping[str, float]) -> tuple[str, str]:
    return share(found["value"], 1), span((found["ci_low"], found["ci_high"]), lambda end: share(end, 1))
