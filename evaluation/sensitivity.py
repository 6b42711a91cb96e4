"""Does the conclusion survive? Results measured again at the ends of each assumed range.

Only the gold world changes; copy was written before and stays as it is. Terms of the writers' lift are tried on the judge
split; fatigue, drift and places act on a season alone (writers are judged rested, in the first place) and are tried there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.cells import Cells
from copybandit.evaluation.headline import TARGET_SHARE
from copybandit.evaluation.intervals import lift_interval
from copybandit.sim.oracle import STYLE_SHARE, Sample, pinned
from copybandit.sim.wording import Idiosyncratic
from copybandit.sim.world import World

RANGES = {"b_match": (0.0, 0.15, 0.3, 0.6), "b_interest": (0.25, 0.5, 1.0)}
"""Assumed sizes of gold terms, in log-odds per standard deviation."""
STYLE_SHARES = (0.3, STYLE_SHARE, 1.0)
"""Assumed parts of the wording's spread that carry over from product to product."""
SEASON_RANGES = {"fatigue": (0.0, 0.15, 0.3), "drift": (0.0, 0.1, 0.2), "position_eta": (0.0, 0.5, 1.0)}
"""Assumed sizes of the gold terms that a season alone feels, in log-odds; position_eta is an exponent."""


@dataclass(frozen=True, kw_only=True)
class SensitivityRow:
    """Tuned copy against copy before tuning in one variant of the gold world.

    Attributes:
        term: what was changed.
        value: to what.
        lift, ci_low, ci_high: relative lift of the click rate with its 95% interval.
        conclusion: `holds` or `flips`: whether the interval lies on the same side of zero as in the gold world itself.
    """

    term: str
    value: float
    lift: float
    ci_low: float
    ci_high: float
    conclusion: str


def sensitivity(
    gold: World,
    judge: Cells,
    sample: Sample,
    tuned: Sequence[Sequence[str]],
    before: Sequence[Sequence[str]],
    replicates: int,
    seed: int,
) -> list[SensitivityRow]:
    """Judge the same copy in variants of the gold world.

    Args:
        gold: the gold world.
        judge: the cells that the copy is for.
        sample: earlier copy that wording is pinned on.
        tuned: one row of texts per tuning seed.
        before: the same of the writer before tuning.
        replicates: of the bootstrap.
        seed: draws the bootstrap and the wording that does not carry over.
    """

    def lift(world: World) -> tuple[float, float, float]:
        ours, theirs = (judge.rates(world, texts) for texts in (tuned, before))
        found = lift_interval(ours, theirs, judge.product, replicates, np.random.default_rng([seed, 9]))
        return found.value, found.ci_low, found.ci_high

    side = _side(lift(gold))
    rows = []
    for term, value, world in variants(gold, sample, seed):
        found = lift(world)
        conclusion = "holds" if _side(found) == side else "flips"
        rows.append(
            SensitivityRow(
                term=term,
                value=value,
                lift=found[0],
                ci_low=found[1],
                ci_high=found[2],
                conclusion=conclusion,
            )
        )
    return rows


@dataclass(frozen=True, kw_only=True)
class SeasonRow:
    """The named policy's season in one variant of the gold world.

    Attributes:
        term: what was changed.
        value: to what.
        gap_closed: share of the gap between choosing at random and choosing perfectly.
        conclusion: `holds` or `flips`: whether the target share is reached as in the gold world itself.
    """

    term: str
    value: float
    gap_closed: float
    conclusion: str


def season_sensitivity(gold: World, play: Callable[[World], float], gap_closed: float) -> list[SeasonRow]:
    """Play the season again at the ends of the season's assumed ranges.

    Args:
        gold: the gold world.
        play: the season of the named policy in a world; returns the share of the gap it closed.
        gap_closed: that share in the gold world itself.
    """
    rows = []
    for term, values in SEASON_RANGES.items():
        for value in (values[0], values[-1]):
            share = play(replace(gold, coefficients=replace(gold.coefficients, **{term: value})))
            same = (share >= TARGET_SHARE) == (gap_closed >= TARGET_SHARE)
            conclusion = "holds" if same else "flips"
            rows.append(SeasonRow(term=term, value=value, gap_closed=share, conclusion=conclusion))
    return rows


def variants(gold: World, sample: Sample, seed: int) -> list[tuple[str, float, World]]:
    """Term, value and gold world of every assumed value that is tried."""
    found = [
        (term, value, replace(gold, coefficients=replace(gold.coefficients, **{term: value})))
        for term, values in RANGES.items()
        for value in values
    ]
    if isinstance(gold.wording, Idiosyncratic):
        inner = gold.wording.inner
        for share in STYLE_SHARES:
            wording = pinned(inner, sample, np.random.default_rng([seed, 10]), share)
            found.append(("style share of wording", share, replace(gold, wording=wording)))
    return found


def _side(interval: tuple[float, float, float]) -> int:
    """1 above zero, -1 below, 0 across."""
    _, low, high = interval
    return int(low > 0) - int(high < 0)
