"""Make a card: prepare, measure all twelve, and show some of the copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from copybandit.evaluation.card import Card, Measure, Shown
from copybandit.evaluation.card_drift import distance
from copybandit.evaluation.card_fluency import fluency
from copybandit.evaluation.card_frontier import frontier
from copybandit.evaluation.card_length import length
from copybandit.evaluation.card_personal import personal
from copybandit.evaluation.card_prepare import prepare
from copybandit.evaluation.card_request import CardRequest
from copybandit.evaluation.card_robust import robust
from copybandit.evaluation.card_rules import facts, policy, read_drafts
from copybandit.evaluation.card_safety import injections, safety
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.card_trail import overoptimised, walk
from copybandit.evaluation.card_value import value
from copybandit.evaluation.card_variety import variety
from copybandit.evaluation.frontier import draw_frontier
from copybandit.evaluation.progress import Progress

T = TypeVar("T")
SHOWN = 8
"""Products whose copy the card shows."""


def make_card(request: CardRequest, progress: Progress) -> Card:
    """Measure all twelve.

    Raises:
        DataError: see `prepare`.
    """
    prepared = prepare(request, progress)
    subject = prepared.subject
    return Card(
        run=request.run.resolve().name,
        part=request.part,
        cells=len(subject.cells),
        products=len(np.unique(subject.cells.product)),
        against=request.against,
        checkpoints=prepared.checkpoints,
        readings=prepared.readings,
        semi_synthetic=prepared.semi_synthetic,
        measures=measures(subject, progress),
        copies=_copies(subject),
    )


def measures(subject: Subject, progress: Progress) -> tuple[Measure, ...]:
    """The twelve, in order."""
    progress.stage("measure", total=15)
    trails = _told(progress, lambda: walk(subject))
    drawn = _told(
        progress,
        lambda: draw_frontier(subject.before, subject.reward, subject.gold, trails.rows, subject.rng(3)),
    )
    read = _told(progress, lambda: read_drafts(subject))
    work: tuple[Callable[[], Measure], ...] = (
        lambda: value(subject),
        lambda: overoptimised(subject, trails),
        lambda: frontier(subject, trails, drawn),
        lambda: distance(subject),
        lambda: length(subject),
        lambda: variety(subject),
        lambda: personal(subject),
        lambda: facts(subject, read),
        lambda: policy(subject, read),
        lambda: safety(subject, read, injections()),
        lambda: fluency(subject),
        lambda: robust(subject, trails),
    )
    return tuple(_told(progress, one) for one in work)


def _told(progress: Progress, work: Callable[[], T]) -> T:
    found = work()
    progress.advance()
    return found


def quick(request: CardRequest, progress: Progress) -> Measure:
    """Measure 1 alone."""
    return value(prepare(request, progress).subject)


def _copies(subject: Subject) -> tuple[Shown, ...]:
    """Products evenly spaced, two segments each, copy of the first seed."""
    cells, products = subject.cells, np.unique(subject.cells.product)
    picked = products[np.linspace(0, len(products) - 1, min(SHOWN, len(products))).round().astype(np.int64)]
    rows = [int(row) for product in picked for row in np.flatnonzero(cells.product == product)[:2]]
    return tuple(
        Shown(
            product=cells.briefs[row].product.name,
            readers=", ".join(segment.interests) if (segment := cells.briefs[row].segment) else "",
            before=subject.theirs.shown[0][row],
            after=subject.ours.shown[0][row],
        )
        for row in rows
    )
