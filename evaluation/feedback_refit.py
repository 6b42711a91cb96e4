"""Learning from real feedback: a shop's fitted world, refitted from its online logs, with the ledger rows that say so.

    refit_rounds(fitted, read_logs([folder of a log], product ids), RefitSettings(), rng).world

is what `copybandit tune --from-feedback LOGS` tunes on: its reward's lower bound is narrower where data came in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from copybandit.evaluation.ledger import LedgerRow
from copybandit.evaluation.stage_fit import FittedShop
from copybandit.sim.refit import SHARED, Refit, RefitSettings, refit
from copybandit.sim.synthetic import Rounds
from copybandit.sim.world import World


@dataclass(frozen=True, kw_only=True)
class FeedbackFit:
    """A shop after its feedback.

    Attributes:
        shop: with the refitted world; segments stay.
        refit: how it came about.
        ledger: a row for each term that the log told of.
        doubt_before, doubt_after: mean standard deviation of the wording ensemble over the log's texts, in log-odds.
    """

    shop: FittedShop
    refit: Refit
    ledger: tuple[LedgerRow, ...]
    doubt_before: float
    doubt_after: float

    @property
    def world(self) -> World:
        """The refitted world."""
        return self.shop.world

    def report(self) -> dict[str, Any]:
        """What a run folder keeps of it: counts, weights, calibration before and after, doubt and ledger."""
        told = self.refit.report
        weights = asdict(told.weights)
        del weights["value"]
        return {
            "rows": told.n,
            "held_out_rows": told.n_held,
            "clicks": told.clicks,
            "weights": weights,
            "before": asdict(told.before),
            "after": asdict(told.after),
            "doubt_before": self.doubt_before,
            "doubt_after": self.doubt_after,
            "ledger": [asdict(row) for row in self.ledger],
        }


def refit_rounds(
    fitted: FittedShop, rounds: Rounds, settings: RefitSettings, rng: np.random.Generator
) -> FeedbackFit:
    """Refit a shop's world from a log; match is the leaning of a shopper's segment, as in the first fit.

    Raises:
        DataError: a log that cannot be learned from.
    """
    found = refit(fitted.world, rounds, settings, rng, fitted.label)

    def doubt(world: World) -> float:
        return float(world.encode(rounds.texts, rounds.product).wording.std(axis=0).mean())

    before, after = doubt(fitted.world), doubt(found.world)
    return FeedbackFit(
        shop=replace(fitted, world=found.world),
        refit=found,
        ledger=_ledger(found, before, after),
        doubt_before=before,
        doubt_after=after,
    )


def _ledger(found: Refit, before: float, after: float) -> tuple[LedgerRow, ...]:
    told = found.report
    source = (
        f"online log, {told.n:,} rows weighted by inverse propensity, worth {told.weights.effective:,.0f} "
        f"({told.weights.clipped:,} weights cut), with the earlier fit as prior"
    )
    rows = [
        LedgerRow(
            term=f"change of {name}" if name == "base" else name,
            value=one.value,
            kind="fitted",
            source=source,
            interval=(one.low, one.high),
        )
        for name, one in zip(SHARED, found.shared, strict=True)
    ]
    wording = f"{source}; it was {before:.3f} before"
    return (*rows, LedgerRow(term="doubt of wording (mean sd)", value=after, kind="fitted", source=wording))
