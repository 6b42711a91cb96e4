"""The provenance ledger: where each coefficient of a run's worlds comes from."""

from __future__ import annotations

from dataclasses import dataclass

from copybandit.evaluation.sensitivity import SEASON_RANGES, STYLE_SHARES
from copybandit.evaluation.settings import RunSettings
from copybandit.sim.oracle import STYLE_SHARE


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """Where one coefficient comes from: fitted (interval), literature (source) or assumed (range tried)."""

    term: str
    value: float
    kind: str
    source: str
    interval: tuple[float, float] | None = None
    range: tuple[float, ...] | None = None


def tried(term: str, value: float, source: str, values: tuple[float, ...]) -> LedgerRow:
    """An assumed coefficient, with the values at which results are repeated."""
    return LedgerRow(term=term, value=value, kind="assumed", source=source, range=values)


def assumed(settings: RunSettings) -> list[LedgerRow]:
    """Rows that every run has: what no data identifies, and the base rate."""
    terms = settings.terms
    return [
        LedgerRow(
            term="base CTR", value=terms.base_ctr, kind="literature", source="Upworthy arms click at 1.2-1.5%"
        ),
        tried("fatigue", terms.fatigue, "no public data", SEASON_RANGES["fatigue"]),
        tried("drift", terms.drift, "no public data", SEASON_RANGES["drift"]),
        tried(
            "style share of wording (gold)", STYLE_SHARE, "style ranks few Upworthy pairs right", STYLE_SHARES
        ),
        tried("position_eta (gold)", terms.position_eta, "no public data", SEASON_RANGES["position_eta"]),
    ]
