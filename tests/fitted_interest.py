"""One small shop with every interest model of it, fitted early and late, shared by the tests of interest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from copybandit.agents.sequence_trainer import SequenceSettings, fit_sequence
from copybandit.sim.events import SEARCH, EventTable
from copybandit.sim.interest import InterestModel, InterestReport, fit_interest
from copybandit.sim.interest_judge import early_part, known_part
from copybandit.sim.interest_repeat import RepeatInterest, RepeatScorer, fit_repeat
from copybandit.sim.interest_scorers import Factorised, ItemKnn, Scorer
from copybandit.sim.retail import RetailData, load_retail
from copybandit.sim.sequence import SequenceModel, SequenceScorer
from copybandit.sim.split import Split, split_groups
from copybandit.sim.types import Floats
from tests.slices import write_retail

FAST = SequenceSettings(width=16, epochs=6, batch_size=32, negatives=64)


@dataclass(frozen=True, kw_only=True)
class Fits:
    """One small shop and both models of it."""

    shop: RetailData
    events: EventTable
    split: Split
    x: Floats
    factorised: InterestModel
    report: InterestReport
    sequence: SequenceModel
    repeat: RepeatInterest
    early: dict[str, Scorer]


@cache
def fits() -> Fits:
    with TemporaryDirectory() as folder:
        shop = load_retail(write_retail(Path(folder) / "r.csv", n_customers=900), min_lines=5)
    events = _searched(shop.events)
    split = split_groups(np.array(events.shopper_ids), 0)
    known, _ = known_part(events)
    model, report = fit_interest(known, shop.products, split.fit, split.select, np.random.default_rng(0))
    x = model.features.products(shop.products)
    sequence = fit_sequence(known, x, split.fit, np.random.default_rng(1), FAST)
    before, _ = early_part(events)
    first, _ = fit_interest(before, shop.products, split.fit, split.select, np.random.default_rng(0))
    first_sequence = fit_sequence(before, x, split.fit, np.random.default_rng(1), FAST)
    repeat = fit_repeat(first, x, early_part(events), split.select, np.random.default_rng(4))
    return Fits(
        shop=shop,
        events=events,
        split=split,
        x=x,
        factorised=model,
        report=report,
        sequence=sequence,
        repeat=replace(repeat, text=model),
        early=rows(before, split, x, first, first_sequence, repeat),
    )


def rows(
    part: EventTable,
    split: Split,
    x: Floats,
    factorised: InterestModel,
    sequence: SequenceModel,
    repeat: RepeatInterest,
) -> dict[str, Scorer]:
    return {
        "item-kNN": ItemKnn.fit(part, split.fit),
        "factorised": Factorised(model=factorised, products=x),
        "sequence": SequenceScorer(model=sequence, x=x),
        "factorised + own purchases": RepeatScorer(model=repeat, products=x),
    }


def _searched(events: EventTable) -> EventTable:
    """The same log, the first 40 events of which are searches."""
    kind, product, query = events.kind.copy(), events.product.copy(), events.query.astype("<U20")
    kind[:40], product[:40], query[:40] = SEARCH, -1, "red retrospot mug"
    return replace(events, kind=kind, product=product, query=query)
