"""The gates of `copybandit fit`: each number of the validation report with the bound it is held to, set in advance.

Bounds: calibration slopes .8 to 1.25 and calibration error .03 (a shop's coefficients would else be off by a quarter),
Kolmogorov-Smirnov .1 and Jensen-Shannon .05 bits per marginal, Kendall's tau .7.

Own-price elasticity of groceries: -4 to -1.5 of sales. Bijmolt, van Heerde and Pieters (Journal of Marketing Research
42(2), 2005) find a mean of -2.62 over 1,851 elasticities, in which every brand counts alike; so the gate holds the mean
over brands, not a mean weighted by sales, and all sizes of a brand move together. (Sizes replace each other more than
brands do: size by size the mean of Catsup is -3.4.) It is that of a price that lasts: a regression of sales on price holds
no habit fixed, and neither does a season that is simulated. Panels whose every trip buys tell only which brand is bought,
not whether or how much: of the elasticity of sales, brand choice is 75 per cent on average over 173 brands of 13
categories (Bell, Chiang and Padmanabhan, Marketing Science 18(4), 1999), so that both ends of their gate are three
quarters of those above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.fit_attack import FittedAttack
from copybandit.evaluation.fit_parts import FittedDemand
from copybandit.evaluation.fit_wording import FittedWording
from copybandit.evaluation.policy_ranking import PolicyRanking
from copybandit.sim.interest_judge import JudgedInterest
from copybandit.sim.realism import LogElasticity, MarginalGap

SLOPE = (0.8, 1.25)
WORDING_SLOPE = (0.8, 1.2)
ECE = 0.03
KS, JS = 0.1, 0.05
TAU = 0.7
ELASTICITY = (-4.0, -1.5)
CHOICE_SHARE = 0.75
"""Of the elasticity of sales, what is the choice of brand."""
FLAGGED = 2.0
"""Times alpha, of human copy that is flagged."""
MARGIN = 0.02
"""AUC above popularity alone, where negatives are matched to it."""
OWN_MODELS = ("factorised", "factorised + own purchases", "sequence")
RIVALS = ("popularity", "own purchases", "item-kNN")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the validation report.

    Attributes:
        name: what is measured.
        value: NaN where it could not be.
        gate: the bound, in words; empty where there is none.
        passed: None where there is no gate.
    """

    name: str
    value: float
    gate: str = ""
    passed: bool | None = None


def gates(
    *,
    judged: Sequence[JudgedInterest],
    marginals: Sequence[MarginalGap],
    elasticity: LogElasticity | None,
    grocery: bool,
    ranking: PolicyRanking,
    demand: Sequence[FittedDemand],
    wording: FittedWording | None,
    attack: FittedAttack | None = None,
) -> tuple[Line, ...]:
    """Every line in the order of the report."""
    lines = [*_interest(judged), *(line for gap in marginals for line in _marginal(gap))]
    if elasticity is not None:
        name = "price elasticity within products and weeks of the log"
        lines.append(
            _within(name, elasticity.value, ELASTICITY)
            if grocery
            else Line(name=name, value=elasticity.value)
        )
    name = f"Kendall's tau of {len(ranking.policies)} policies between shops of two halves of the log"
    lines.append(_least(name, ranking.tau, TAU))
    for part in demand:
        lines += _demand(part)
    if wording is not None:
        lines += _wording(wording)
    if attack is not None:
        lines += _attacks(attack)
    return tuple(lines)


def _interest(judged: Sequence[JudgedInterest]) -> list[Line]:
    lines = []
    base = {row.negatives: row.report for row in judged if row.model == "popularity"}
    for row in judged:
        if row.model not in OWN_MODELS:
            continue
        name, report = f"interest, {row.model}, {row.negatives} negatives", row.report
        gain = report.auc - base[row.negatives].auc
        bound = MARGIN if row.negatives == "matched" else 0.0
        lines += [
            _least(f"{name}: AUC above popularity alone", gain, bound),
            _least(
                f"{name}: log-loss below popularity alone",
                base[row.negatives].log_loss - report.log_loss,
                0.0,
            ),
            _within(f"{name}: calibration slope", report.slope, SLOPE),
            _most(f"{name}: calibration error", report.ece, ECE),
        ]
    return [*lines, *_against_rivals(judged)]


def _against_rivals(judged: Sequence[JudgedInterest]) -> list[Line]:
    """The best of ours against the best simple rival, where negatives are matched."""
    matched = [row for row in judged if row.negatives == "matched"]
    ours = [row for row in matched if row.model.startswith(OWN_MODELS)]
    rivals = [row for row in matched if row.model in RIVALS]
    if not ours or not rivals:
        return []
    best, rival = (max(rows, key=lambda row: row.report.auc) for rows in (ours, rivals))
    name = f"interest, {best.model}, matched negatives: AUC above the best simple rival ({rival.model})"
    return [_least(name, best.report.auc - rival.report.auc, 0.0)]


def _marginal(gap: MarginalGap) -> list[Line]:
    name = gap.name.replace("_", " ")
    return [
        _most(f"{name}, simulated against real: KS", gap.ks, KS),
        _most(f"{name}, simulated against real: JS in bits", gap.js, JS),
    ]


def _demand(part: FittedDemand) -> list[Line]:
    told = part.summary
    scale = CHOICE_SHARE if told.conditional else 1.0
    what = "own-price elasticity of choice" if told.conditional else "own-price elasticity"
    response = told.response
    weighted = {
        "given habits": float(response.short_run @ response.sales),
        "in the long run": float(response.long_run @ response.sales),
    }
    return [
        _least(
            f"demand, {told.name}: log-loss below market shares",
            told.share_log_loss - told.report.log_loss,
            0.0,
        ),
        _most(f"demand, {told.name}: calibration error", told.report.ece, ECE),
        _within(
            f"demand, {told.name}: {what} in the long run, mean over brands",
            told.elasticity,
            (scale * ELASTICITY[0], scale * ELASTICITY[1]),
        ),
        *(
            Line(name=f"demand, {told.name}: {what} {when}, weighted by sales", value=value)
            for when, value in weighted.items()
        ),
    ]


def _wording(found: FittedWording) -> list[Line]:
    told = found.report
    return [
        _within("wording: calibration slope on held-out tests", told.pairs.calibration_slope, WORDING_SLOPE),
        _least("wording: pairs ordered rightly", told.pairs.pair_accuracy, 0.5),
        _least("wording: clicks won by its favourite over a random pick", told.favourite_gain, 0.0),
        Line(name="wording: correlation with length within tests", value=told.correlation_with_length),
    ]


def _attacks(found: FittedAttack) -> list[Line]:
    """No attack may do better than the median human copy, and the guard must leave human copy alone."""
    rows = [row for row in found.attacks.rows if row.kind == "attack"]
    name = "attack, {}: lower bound of the gain over the median human copy, in log-odds"
    return [
        *(_most(name.format(row.name), row.gain_bound, 0.0) for row in rows),
        _most("attack: share of human copy flagged", found.cost.flagged, FLAGGED * found.cost.alpha),
    ]


def _least(name: str, value: float, bound: float) -> Line:
    return Line(name=name, value=value, gate=f"above {bound:g}", passed=bool(value > bound))


def _most(name: str, value: float, bound: float) -> Line:
    return Line(name=name, value=value, gate=f"at most {bound:g}", passed=bool(value <= bound))


def _within(name: str, value: float, bounds: tuple[float, float]) -> Line:
    right = bool(np.isfinite(value) and bounds[0] <= value <= bounds[1])
    return Line(name=name, value=value, gate=f"{bounds[0]:g} to {bounds[1]:g}", passed=right)
