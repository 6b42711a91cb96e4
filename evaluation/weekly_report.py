"""What the weekly loop was worth: each week's lift with and without refit, by the truth of that week, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from copybandit.evaluation.intervals import Interval, lift_interval
from copybandit.sim.types import Floats, Ints

if TYPE_CHECKING:
    from copybandit.evaluation.weekly_loop import Week


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
    """Rates of all weeks but the first, of each path side by side, shape (paths, weeks * n); of one week itself."""
    return np.stack(
        [np.concatenate([getattr(week, name) for week in weeks[min(1, len(weeks) - 1) :]]) for weeks in paths]
    )
