"""The interest models of `copybandit fit`, each fitted at two times, early to calibrate and late to judge and to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.fit_inputs import FitRequest, ShopLog
from copybandit.evaluation.progress import Progress
from copybandit.sim.events import EventTable
from copybandit.sim.interest import InterestModel, fit_interest
from copybandit.sim.interest_judge import JudgedInterest, Origins, early_part, judge_interest, known_part
from copybandit.sim.interest_repeat import RepeatInterest, RepeatScorer, fit_repeat
from copybandit.sim.interest_scorers import Factorised, ItemKnn, OwnPurchases, Scorer, WithOwnPurchases
from copybandit.sim.sequence import SequenceModel, SequenceScorer
from copybandit.sim.split import Split
from copybandit.sim.types import DataError, Floats


@dataclass(frozen=True, kw_only=True)
class FittedInterest:
    """What was fitted to one part of a log.

    Attributes:
        text: the factorised model.
        x: its product vectors, shape (m, d), which depend on the catalogue alone.
        repeat: the factorised model with own purchases beside it, weighed on the calibration window.
        sequence: None where it was not asked for.
    """

    text: InterestModel
    x: Floats
    repeat: RepeatInterest
    sequence: SequenceModel | None

    def scorers(self, events: EventTable, split: Split) -> Mapping[str, Scorer]:
        """Every row to judge; `events` is the part of the log that it was fitted to."""
        rows: dict[str, Scorer] = {
            "own purchases": OwnPurchases(),
            "item-kNN": ItemKnn.fit(events, split.fit),
            "factorised": Factorised(model=self.text, products=self.x),
            "factorised + own purchases": RepeatScorer(model=self.repeat, products=self.x),
        }
        if self.sequence is not None:
            rows["sequence"] = SequenceScorer(model=self.sequence, x=self.x)
            rows["sequence + own purchases"] = WithOwnPurchases(inner=rows["sequence"])
        return rows


def fit_interests(
    request: FitRequest, shop: ShopLog, split: Split, progress: Progress
) -> tuple[FittedInterest, tuple[JudgedInterest, ...]]:
    """Fit early and late, and judge.

    Returns:
        What was fitted to the known part of the log, and how it does on the later part.
    """
    progress.stage("interest")
    parts = early_part(shop.events)[0], known_part(shop.events)[0]
    texts = [_text(request, shop, split, part) for part in parts]
    x = texts[1].features.products(shop.products)
    rng = np.random.default_rng([request.seed, 11])
    repeat = fit_repeat(texts[0], x, early_part(shop.events), split.select, rng)
    sequences = _sequences(request, split, parts, x, progress)
    fits = [
        FittedInterest(text=text, x=x, repeat=replace(repeat, text=text), sequence=sequence)
        for text, sequence in zip(texts, sequences, strict=True)
    ]
    progress.stage("calibration")
    early, late = (fit.scorers(part, split) for fit, part in zip(fits, parts, strict=True))
    rows = {name: Origins(early=early[name], late=late[name]) for name in late}
    return fits[1], judge_interest(shop.events, split, rows, rng)


def _text(request: FitRequest, shop: ShopLog, split: Split, part: EventTable) -> InterestModel:
    rng = np.random.default_rng([request.seed, 7])
    return fit_interest(part, shop.products, split.fit, split.select, rng)[0]


def _sequences(
    request: FitRequest, split: Split, parts: tuple[EventTable, ...], x: Floats, progress: Progress
) -> tuple[SequenceModel | None, ...]:
    """A sequence model of each part, or None for each."""
    if not request.sequence:
        return (None,) * len(parts)
    try:
        from copybandit.agents.sequence_trainer import SequenceSettings, fit_sequence
    except ModuleNotFoundError as error:
        raise DataError(
            f"the sequence model needs {error.name}, which is not installed; "
            "run: pip install 'copybandit[train]', or pass --no-sequence"
        ) from None
    settings = SequenceSettings()
    progress.stage("sequence", total=len(parts) * settings.epochs)
    return tuple(
        fit_sequence(part, x, split.fit, np.random.default_rng([request.seed, 8]), settings, progress.advance)
        for part in parts
    )
