"""What the weekly loop was worth: each week's lift with and without refit, by the truth of that week, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from copybandit.evaluation.intervals import Interval, lift_interval
from copybandit.evaluation.markup import Html, el, section, table
from copybandit.evaluation.report_format import number, share, span
from copybandit.evaluation.weekly_loop import Week
from copybandit.sim.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class WeekRow:
    """One week, over all paths.

    Attributes:
        week: 1 is the first, before anything was refitted.
        tuned, frozen: lift over SFT of the writer that is tuned again each week, and of the one that is not.
        gain: lift of the one over the other.
        agreement, agreement_frozen: mean correlation of true wording with what is believed, and with the first belief.
        clicks, effective: mean clicks of the log, and its effective sample size.
        doubt_before, doubt_after: mean doubt of wording before and after the week's refit, in log-odds.
        slope_before, slope_after: mean calibration slope on held-out shoppers' rows before and after it.
    """

    week: int
    tuned: Interval
    frozen: Interval
    gain: Interval
    agreement: float
    agreement_frozen: float
    clicks: float
    effective: float
    doubt_before: float
    doubt_after: float
    slope_before: float
    slope_after: float


@dataclass(frozen=True, kw_only=True)
class WeeklyReport:
    """All weeks; `followed` is the gain of all but the first, when both writers are one."""

    paths: int
    weeks: tuple[WeekRow, ...]
    followed: Interval
    tuned: Interval
    frozen: Interval


def weekly_report(
    paths: Sequence[Sequence[Week]], product: Ints, replicates: int, rng: np.random.Generator
) -> WeeklyReport:
    """Put paths together.

    Args:
        paths: weeks of each path, equally many.
        product: shape (n,), product of each judge cell.
        replicates: of the bootstrap over paths and products.
        rng: draws them.
    """
    rows = []
    for weeks in zip(*paths, strict=True):
        sft, frozen, tuned = (
            np.stack([getattr(one, name) for one in weeks]) for name in ("sft", "frozen", "tuned")
        )
        rows.append(
            WeekRow(
                week=weeks[0].week,
                tuned=lift_interval(tuned, sft, product, replicates, rng),
                frozen=lift_interval(frozen, sft, product, replicates, rng),
                gain=lift_interval(tuned, frozen, product, replicates, rng),
                agreement=float(np.mean([one.agreement for one in weeks])),
                agreement_frozen=float(np.mean([one.agreement_frozen for one in weeks])),
                clicks=float(np.mean([one.refit.refit.report.clicks for one in weeks])),
                effective=float(np.mean([one.refit.refit.report.weights.effective for one in weeks])),
                doubt_before=float(np.mean([one.refit.doubt_before for one in weeks])),
                doubt_after=float(np.mean([one.refit.doubt_after for one in weeks])),
                slope_before=float(np.mean([one.refit.refit.report.before.slope.value for one in weeks])),
                slope_after=float(np.mean([one.refit.refit.report.after.slope.value for one in weeks])),
            )
        )
    sft, frozen, tuned = (_later(paths, name) for name in ("sft", "frozen", "tuned"))
    owner = np.tile(product, sft.shape[1] // len(product))
    return WeeklyReport(
        paths=len(paths),
        weeks=tuple(rows),
        followed=lift_interval(tuned, frozen, owner, replicates, rng),
        tuned=lift_interval(tuned, sft, owner, replicates, rng),
        frozen=lift_interval(frozen, sft, owner, replicates, rng),
    )


def _later(paths: Sequence[Sequence[Week]], name: str) -> Floats:
    """Rates of all weeks but the first, of each path side by side, shape (paths, weeks * n); of the only week if it is one."""
    return np.stack(
        [np.concatenate([getattr(week, name) for week in weeks[min(1, len(weeks) - 1) :]]) for weeks in paths]
    )


def weekly(report: Mapping[str, Any]) -> Html:
    """The part of the report page; nothing where no weeks were played."""
    found = report.get("weekly")
    if not found or not found.get("weeks"):
        return Html()
    followed = found["followed"]
    intro = el(
        "p",
        f"The truth drifts from week to week, {number(found['paths'])} paths of it. One writer is tuned again each week on a "
        f"world refitted from the week's log, the frozen one was tuned once. From week 2 on the first is clicked "
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
