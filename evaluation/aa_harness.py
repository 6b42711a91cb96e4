"""A/A test of whoever declares winners: all variants are the same, so every winner is false.

Simulated campaigns are looked at after every batch by a `Watch`. One judge declares a winner once the confidence sequence
leaves out 0, the other once the normal interval does, as if it were looked at once; both stop at their first winner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.campaign_watch import Watch
from copybandit.sim.types import DataError


@dataclass(frozen=True, kw_only=True)
class AASettings:
    """Simulated campaigns: every variant has the same click rate and the same share of the traffic."""

    campaigns: int = 1000
    batches: int = 50
    rows: int = 200
    variants: int = 2
    rate: float = 0.05
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if min(self.campaigns, self.batches, self.rows) < 1 or not 0 <= self.rate <= 1:
            raise DataError(
                f"AASettings: counts must be at least 1 and rate in [0, 1], got {self}; correct the setting"
            )


@dataclass(frozen=True, kw_only=True)
class AAReport:
    """How often a winner was declared among equals.

    Attributes:
        settings: what was simulated.
        sequence: share of campaigns with a false winner by confidence sequences, looked at after every batch.
        naive: share by the normal interval, looked at after every batch.
        naive_once: share by the normal interval, looked at once, at the end.
    """

    settings: AASettings
    sequence: float
    naive: float
    naive_once: float

    @property
    def passed(self) -> bool:
        """Whether confidence sequences kept their word."""
        return self.sequence <= self.settings.alpha

    @property
    def naive_passed(self) -> bool:
        """Whether the normal interval would have."""
        return self.naive <= self.settings.alpha

    @property
    def sentence(self) -> str:
        """For reports."""
        s = self.settings
        verdicts = ["passes" if passed else "FAILS" for passed in (self.passed, self.naive_passed)]
        return (
            f"{s.campaigns:,} A/A campaigns, {s.batches} looks each: confidence sequences declare a false winner in "
            f"{self.sequence:.1%} ({verdicts[0]} at {s.alpha:.0%}), the normal interval in {self.naive:.1%} "
            f"({verdicts[1]}); looked at once, at the end, in {self.naive_once:.1%}."
        )


def run_aa(settings: AASettings, rng: np.random.Generator) -> AAReport:
    """Simulate the campaigns, look after every batch, and count false winners."""
    s = settings
    shape = (s.campaigns, s.rows)
    watch = Watch.start(s.campaigns, variants=s.variants, least_prob=1 / s.variants)
    sequence = naive = once = np.zeros(s.campaigns, dtype=bool)
    for _ in range(s.batches):
        action = rng.integers(s.variants, size=shape)
        click = (rng.random(shape) < s.rate).astype(float)
        watch = watch.update(action, click, np.full(shape, 1 / s.variants))
        once = np.any(watch.differ_naive(s.alpha), axis=1)
        sequence = sequence | np.any(watch.differ(s.alpha), axis=1)
        naive = naive | once
    return AAReport(
        settings=s, sequence=float(sequence.mean()), naive=float(naive.mean()), naive_once=float(once.mean())
    )
