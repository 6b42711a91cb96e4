"""Judges interest models side by side: new shoppers, later time, two ways to draw what was not bought.

The last fifth of the log is kept for judging. A model is a way to fit, carried out at two times (rolling origin, Tashman,
International Journal of Forecasting 16(4), 2000): early, on the fit shoppers before the calibration window, and late, on
the fit shoppers before the judged one. The early fit scores what the select shoppers bought in the calibration window,
given their history before it, and these pairs set the calibration; it is judged on the late fit's scores of what the judge
shoppers bought later. Both windows hold as many rows. A calibration of scores whose model has seen the window is too sure
of them: on Online Retail, within the known part, slopes were .56 so and 1.1 this way.

Popularity tells a purchase from a product drawn uniformly, so every model's calibration may use log popularity beside its
own score; against products drawn as often as they are bought it is of no use, and what is left is personal. A catalogue
turns over, so that purchases count half after `HALF_LIFE` days: chosen among 5, 10, 20 and 40 days and no decay by
log-loss on the select shoppers of Online Retail, Ta-Feng and Instacart, all three before the judged time (mean of the
factorised model .480, without decay .500).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from copybandit.sim.calibration import CalibrationReport, Platt, fit_platt, judge_calibration
from copybandit.sim.events import EventTable
from copybandit.sim.interest_pairs import Negatives, Pairs, cut_in_time, purchase_pairs
from copybandit.sim.interest_scorers import Popularity, Scorer
from copybandit.sim.split import Split
from copybandit.sim.types import Floats

SCHEMES: tuple[Negatives, ...] = ("uniform", "matched")
KNOWN_SHARE = 0.8
EARLY_SHARE = 0.75
"""Of the known part, what lies before the calibration window, which is as long as the judged one."""
HALF_LIFE = 10.0
"""Days after which a purchase counts half in the popularity of a product."""


@dataclass(frozen=True, kw_only=True)
class JudgedInterest:
    """One model under one scheme.

    Attributes:
        model: name of the row.
        negatives: how what was not bought was drawn.
        calibration: of score and log popularity, fitted on the select shoppers.
        report: on the judge shoppers.
    """

    model: str
    negatives: Negatives
    calibration: Platt
    report: CalibrationReport


@dataclass(frozen=True, kw_only=True)
class Origins:
    """One way to fit a scorer, carried out at two times.

    Attributes:
        early: fitted to `early_part`.
        late: fitted to `known_part`.
    """

    early: Scorer
    late: Scorer


def known_part(events: EventTable) -> tuple[EventTable, EventTable]:
    """The part of a log that models may see, and the later part that they are judged on."""
    return cut_in_time(events, KNOWN_SHARE)


def early_part(events: EventTable) -> tuple[EventTable, EventTable]:
    """The known part of a log before the calibration window, and that window."""
    return cut_in_time(known_part(events)[0], EARLY_SHARE)


def judge_interest(
    events: EventTable, split: Split, scorers: Mapping[str, Origins], rng: np.random.Generator
) -> tuple[JudgedInterest, ...]:
    """Judge scorers that were fitted on the fit shoppers, early and late.

    Args:
        events: the whole log.
        split: of the shoppers.
        scorers: name to scorers; popularity is added under its own name.
        rng: draws the negatives.

    Returns:
        One record for each scheme and scorer.

    Raises:
        DataError: when select or judge shoppers bought nothing in their later parts.
    """
    (known, later), (before, after) = known_part(events), early_part(events)
    early, late = (Popularity.fit(part.take(split.fit[part.shopper]), HALF_LIFE) for part in (before, known))
    rows = {"popularity": Origins(early=early, late=late), **scorers}
    m, found = len(events.product_ids), []
    for scheme in SCHEMES:
        tune = purchase_pairs(after, split.select, m, rng, scheme=scheme)
        test = purchase_pairs(later, split.judge, m, rng, scheme=scheme)
        for name, scorer in rows.items():
            calibration = fit_platt(_inputs(scorer.early, early, before, tune), tune.label)
            logit = calibration.logit(_inputs(scorer.late, late, known, test))
            report = judge_calibration(logit, test.label)
            found.append(JudgedInterest(model=name, negatives=scheme, calibration=calibration, report=report))
    return tuple(found)


def _inputs(scorer: Scorer, popularity: Popularity, history: EventTable, pairs: Pairs) -> Floats:
    """What the calibration sees: the scores, and log popularity where that is not the score; shape (n, k)."""
    score = scorer.score(history, pairs.shopper, pairs.product)
    if scorer is popularity:
        return score[:, None]
    return np.column_stack([score, popularity.score(history, pairs.shopper, pairs.product)])
