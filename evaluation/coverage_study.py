"""Do 95% intervals hold the truth 95% of the time? Many simulated logs, every interval, known truth.

Intervals for one look are looked at once, at the end of a log: normal, percentile and normal Poisson bootstrap, empirical
Bernstein. Confidence sequences are looked at after every batch and must never miss; `normal_peeked`, the normal interval
looked at as often, shows what they are for. Only unbiased estimators are studied, IPS and DR, so that a miss is the
interval's. The gates of `ope_gates` see three numbers of each log and tell whether they would refuse it:

    effective rows       sum(w)^2 / sum(w^2)
    effective rewards    the same of w |r|
    leverage             largest w x largest |r| / sqrt(sum (w r)^2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from copybandit.evaluation.coverage_logs import Population
from copybandit.evaluation.coverage_track import EstimatorName, StudySettings, Track, known_terms
from copybandit.evaluation.ope_gates import (
    MAX_LEVERAGE,
    MIN_EFFECTIVE_REWARDS,
    MIN_ESS,
    MIN_ESS_SHARE,
)
from copybandit.sim.types import Bools, Floats

NOMINAL_AT_LEAST = ("bernstein", "cs_bernstein", "cs_betting", "cs_clipped")
"""Intervals that promise at least 95% at every n, and are wider for it; the others promise 95%, where they hold."""
STD_ERRS = 3.0


@dataclass(frozen=True, kw_only=True)
class StudyGate:
    """What a log needs for its normal and bootstrap intervals to be believed; by default what the gates ask for."""

    min_rows: float = MIN_ESS
    min_row_share: float = MIN_ESS_SHARE
    min_rewards: float = MIN_EFFECTIVE_REWARDS
    max_leverage: float = MAX_LEVERAGE


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One interval of one estimator in one regime, over all logs.

    Attributes:
        regime: name.
        estimator: ips or dr.
        interval: name.
        missed: shape (logs,), whether it left out the truth, at any look where it is peeked at.
        width: mean width at the end of the log, in units of reward.
        alpha: how often it may miss.
    """

    regime: str
    estimator: EstimatorName
    interval: str
    missed: Bools
    width: float
    alpha: float

    @property
    def coverage(self) -> float:
        """Share of logs whose interval held the truth."""
        return float(1 - self.missed.mean())

    @property
    def slack(self) -> float:
        """Three standard errors of a coverage that is nominal."""
        return float(STD_ERRS * np.sqrt(self.alpha * (1 - self.alpha) / len(self.missed)))

    @property
    def verdict(self) -> Literal["holds", "undercovers", "overcovers"]:
        """Within three standard errors of nominal, or at least nominal where no more is promised."""
        off = self.coverage - (1 - self.alpha)
        if off < -self.slack:
            return "undercovers"
        return "overcovers" if off > self.slack and self.interval not in NOMINAL_AT_LEAST else "holds"


@dataclass(frozen=True, kw_only=True)
class RegimeResult:
    """All intervals in one regime, with what a gate would see of each log.

    Attributes:
        population: what was drawn from.
        cells: estimators x intervals.
        rows: shape (logs,), effective rows.
        rewards: shape (logs,), effective rewards.
        leverage: shape (logs,).
    """

    population: Population
    cells: tuple[Cell, ...]
    rows: Floats
    rewards: Floats
    leverage: Floats

    def refused(self, gate: StudyGate) -> Bools:
        """Shape (logs,), whether the gate refuses the log."""
        few = (self.rows < gate.min_rows) | (self.rows < gate.min_row_share * self.population.regime.rows)
        return np.asarray(few | (self.rewards < gate.min_rewards) | (self.leverage > gate.max_leverage))


@dataclass(frozen=True)
class _Chunk:
    """Some logs, looked at to their end; diagnostics of shape (logs,)."""

    tracks: list[Track]
    rows: Floats
    rewards: Floats
    leverage: Floats


def _chunk(world: Population, settings: StudySettings, rng: np.random.Generator) -> _Chunk:
    known, truth = known_terms(world), world.value
    tracks = [Track(name, terms, settings) for name, terms in known.items()]
    sums, largest = np.zeros((4, settings.chunk)), np.zeros((2, settings.chunk))
    for size in np.diff(np.linspace(0, world.regime.rows, settings.looks + 1).astype(int)):
        batch = world.draw(settings.chunk, int(size), known["dr"].capped(world.q), rng)
        ends = np.stack([batch.weight.max(axis=1), np.abs(batch.reward).max(axis=1)])
        largest = np.maximum(largest, ends)
        parts = (batch.weight, batch.weight * batch.reward)
        sums += np.stack([power for x in parts for power in (x.sum(axis=1), np.square(x).sum(axis=1))])
        for track in tracks:
            track.look(batch, truth, rng)
    for track in tracks:
        track.finish(truth, rng)
    tiny = 1e-300
    return _Chunk(
        tracks=tracks,
        rows=np.square(sums[0]) / np.maximum(sums[1], tiny),
        rewards=np.square(sums[2]) / np.maximum(sums[3], tiny),
        leverage=largest.prod(axis=0) / np.sqrt(np.maximum(sums[3], tiny)),
    )


def study(world: Population, settings: StudySettings, rng: np.random.Generator) -> RegimeResult:
    """Every interval of both estimators on all logs of one regime.

    Args:
        world: drawn once, as logs are compared with one truth.
        settings: how much.
        rng: draws the logs and the bootstraps.
    """
    chunks = [_chunk(world, settings, rng) for _ in range(settings.logs // settings.chunk)]
    return RegimeResult(
        population=world,
        cells=tuple(
            _cell(world.regime.name, [chunk.tracks[place] for chunk in chunks], interval, settings.alpha)
            for place in range(len(chunks[0].tracks))
            for interval in chunks[0].tracks[place].missed
        ),
        rows=np.concatenate([chunk.rows for chunk in chunks]),
        rewards=np.concatenate([chunk.rewards for chunk in chunks]),
        leverage=np.concatenate([chunk.leverage for chunk in chunks]),
    )


def _cell(regime: str, tracks: list[Track], interval: str, alpha: float) -> Cell:
    return Cell(
        regime=regime,
        estimator=tracks[0].name,
        interval=interval,
        missed=np.concatenate([track.missed[interval] for track in tracks]),
        width=float(np.mean([track.width[interval].mean() for track in tracks])),
        alpha=alpha,
    )
