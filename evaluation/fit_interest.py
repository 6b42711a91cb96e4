"""The interest models of `copybandit fit`, each fitted at two times, early to calibrate and late to judge and to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.fit_inputs import ShopLog
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
    """The factorised model at both times.

    Attributes:
        early: fitted to `early_part`.
        repeat: the model fitted to `known_part` with own purchases beside it, weighed on the calibration window.
    """

    early: InterestModel
    repeat: RepeatInterest

    @property
    def text(self) -> InterestModel:
        """The factorised model fitted to `known_part`."""
        return self.repeat.text


@dataclass(frozen=True, kw_only=True)
class FittedSequence:
    """The sequence model at both times."""

    early: SequenceModel
    late: SequenceModel


def fit_factorised(shop: ShopLog, split: Split, seed: tuple[int, int]) -> FittedInterest:
    """Fit the factorised model early and late, both drawing from the same seed, and weigh own purchases beside it."""
    early, late = (
        fit_interest(part, shop.products, split.fit, split.select, np.random.default_rng(seed))[0]
        for part in _parts(shop)
    )
    x = early.features.products(shop.products)
    rng = np.random.default_rng([*seed, 1])
    repeat = fit_repeat(early, x, early_part(shop.events), split.select, rng)
    return FittedInterest(early=early, repeat=replace(repeat, text=late))


def train_sequence(
    shop: ShopLog,
    split: Split,
    x: Floats,
    seed: tuple[int, int],
    begin: Callable[[int], Callable[[], None]],
) -> FittedSequence:
    """Train the sequence model early and late.

    Args:
        shop: the log.
        split: of its shoppers.
        x: shape (m, d), features of the catalogue.
        seed: of everything random, the same at both times.
        begin: told how many passes there are; what it returns is called after each.

    Raises:
        DataError: torch is not installed.
    """
    try:
        from copybandit.agents.sequence_trainer import SequenceSettings, fit_sequence
    except ModuleNotFoundError as error:
        raise DataError(
            f"the sequence model needs {error.name}, which is not installed; "
            "run: pip install 'copybandit[train]', or pass --no-sequence"
        ) from None
    settings = SequenceSettings()
    advance = begin(2 * settings.epochs)
    early, late = (
        fit_sequence(part, x, split.fit, np.random.default_rng(seed), settings, advance)
        for part in _parts(shop)
    )
    return FittedSequence(early=early, late=late)


def judge_models(
    shop: ShopLog,
    split: Split,
    interest: FittedInterest,
    x: Floats,
    sequence: FittedSequence | None,
    rng: np.random.Generator,
) -> tuple[JudgedInterest, ...]:
    """Every interest model, simple ones too, on later time; `x` holds the catalogue's features, shape (m, d)."""
    texts = interest.early, interest.text
    sequences = (sequence.early, sequence.late) if sequence else (None, None)
    early, late = (
        _scorers(part, split, replace(interest.repeat, text=text), x, own)
        for part, text, own in zip(_parts(shop), texts, sequences, strict=True)
    )
    rows = {name: Origins(early=early[name], late=late[name]) for name in late}
    return judge_interest(shop.events, split, rows, rng)


def _parts(shop: ShopLog) -> tuple[EventTable, EventTable]:
    """What the early and the late models see."""
    return early_part(shop.events)[0], known_part(shop.events)[0]


def _scorers(
    events: EventTable, split: Split, repeat: RepeatInterest, x: Floats, sequence: SequenceModel | None
) -> Mapping[str, Scorer]:
    """Every row to judge; `events` is the part of the log that the models were fitted to."""
    rows: dict[str, Scorer] = {
        "own purchases": OwnPurchases(),
        "item-kNN": ItemKnn.fit(events, split.fit),
        "factorised": Factorised(model=repeat.text, products=x),
        "factorised + own purchases": RepeatScorer(model=repeat, products=x),
    }
    if sequence is not None:
        rows["sequence"] = SequenceScorer(model=sequence, x=x)
        rows["sequence + own purchases"] = WithOwnPurchases(inner=rows["sequence"])
    return rows
