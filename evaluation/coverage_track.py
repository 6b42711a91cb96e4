"""One unbiased estimator on a chunk of simulated logs: the state of every interval, and which have missed the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from copybandit.evaluation.bounds import Bounds, normal_bounds
from copybandit.evaluation.confseq_bernstein import BernsteinSequence
from copybandit.evaluation.confseq_betting import BettingSequence
from copybandit.evaluation.confseq_clipped import ClippedSequence
from copybandit.evaluation.confseq_ope import OffPolicyTerms
from copybandit.evaluation.coverage_logs import Batch, Population
from copybandit.evaluation.ope_bernstein import empirical_bernstein
from copybandit.evaluation.ope_bootstrap import PoissonBootstrap
from copybandit.sim.types import DataError, Floats

EstimatorName = Literal["ips", "dr"]
INTERVALS = (
    *("normal", "boot_percentile", "boot_normal", "bernstein"),  # looked at once
    *("cs_bernstein", "cs_betting", "cs_clipped", "normal_peeked"),  # looked at after every batch
)
"""Of these, `cs_clipped` has its own terms, those of IPS with clipped weights, and stands with IPS alone."""


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """How much is simulated: logs are drawn in chunks, each log is looked at after every batch."""

    logs: int = 4000
    chunk: int = 200
    looks: int = 20
    replicates: int = 1000
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if min(self.logs, self.chunk, self.looks) < 1 or self.replicates < 2 or self.logs % self.chunk:
            raise DataError(
                f"StudySettings: counts must be at least 1 and logs a multiple of chunk, got {self}; correct them"
            )


def known_terms(world: Population) -> dict[EstimatorName, OffPolicyTerms]:
    """What can be known before the log: the largest weight. Where rewards are dense the model's cap is wide."""
    w_max = float(world.weight.max())
    dense = world.regime.reward == "dense"
    model = OffPolicyTerms(w_max=w_max, cap=1.0) if dense else OffPolicyTerms.with_model(w_max)
    return {"ips": OffPolicyTerms(w_max=w_max), "dr": model}


class Track:
    """One estimator on a chunk of logs: every interval's state, and whether it has missed."""

    def __init__(self, name: EstimatorName, known: OffPolicyTerms, settings: StudySettings) -> None:
        self.name, self.known, self.settings, logs = name, known, settings, settings.chunk
        self.bernstein = BernsteinSequence.start(known.span, logs, alpha=settings.alpha)
        self.betting = BettingSequence.start(known.span, logs)
        self.boot = PoissonBootstrap.start(logs, replicates=settings.replicates)
        self.sums, self.n = np.zeros((2, logs)), 0
        self.clipped = ClippedSequence.start(logs)
        names = [name for name in INTERVALS if self.name == "ips" or name != "cs_clipped"]
        self.missed = {interval: np.zeros(logs, dtype=bool) for interval in names}
        self.width: dict[str, Floats] = {}

    def look(self, batch: Batch, truth: float, rng: np.random.Generator) -> None:
        """Learn a batch and look at what is looked at after each."""
        model = (batch.q, batch.v) if self.name == "dr" else (None, None)
        z = self.known.terms(batch.reward, batch.weight, *model)
        self.n += z.shape[1]
        self.sums += np.stack([z.sum(axis=1), np.square(z).sum(axis=1)])
        self.bernstein, self.betting = self.bernstein.update(z), self.betting.update(z)
        self.boot = self.boot.update(z, None, rng)
        self.missed["cs_bernstein"] |= self.bernstein.bounds().misses(truth)
        self.missed["cs_betting"] |= self.betting.excludes(truth, alpha=self.settings.alpha)
        if self.name == "ips":
            self.clipped = self.clipped.update(batch.reward, batch.weight)
            self.missed["cs_clipped"] |= self.clipped.excludes(truth, alpha=self.settings.alpha)
        self.missed["normal_peeked"] |= self._normal().misses(truth)

    def finish(self, truth: float, rng: np.random.Generator) -> None:
        """Look at the rest once, and measure all widths."""
        mean, variance = self._moments()
        alpha, span = self.settings.alpha, self.known.span
        found = {
            "normal": self._normal(),
            "bernstein": self.known.cut(empirical_bernstein(mean, variance, self.n, span, alpha=alpha)),
            "boot_percentile": self.boot.bounds(rng, alpha=alpha),
            "boot_normal": self.boot.bounds(rng, kind="normal", alpha=alpha),
        }
        self.missed |= {name: bounds.misses(truth) for name, bounds in found.items()}
        found |= {
            "cs_bernstein": self.known.cut(self.bernstein.bounds()),
            "cs_betting": self.known.cut(self.betting.bounds(alpha=alpha)),
        }
        if self.name == "ips":
            found["cs_clipped"] = self.clipped.bounds(alpha=alpha)
        found["normal_peeked"] = found["normal"]
        self.width = {name: bounds.width for name, bounds in found.items()}

    @property
    def std_err(self) -> Floats:
        """Shape (logs,), of the mean of the terms."""
        return np.asarray(np.sqrt(self._moments()[1] / self.n))

    def _moments(self) -> tuple[Floats, Floats]:
        mean = self.sums[0] / self.n
        return mean, np.maximum(self.sums[1] - self.n * np.square(mean), 0.0) / (self.n - 1)

    def _normal(self) -> Bounds:
        return normal_bounds(self._moments()[0], self.std_err, alpha=self.settings.alpha)
