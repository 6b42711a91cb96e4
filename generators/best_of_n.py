"""Best of n: draw n texts from a writer, keep the one that scores best. The baseline every tuner must beat.

Let p be the base writer, S the score of a text drawn from it for a brief, F(s) = P(S <= s), F-(s) = P(S < s). The best of n
has score s with probability F(s)^n - F-(s)^n and, among texts of that score, is distributed as the base, so

    p_n(t) = p(t) (F(s)^n - F-(s)^n) / (F(s) - F-(s)) = p(t) sum_{j<n} F(s)^j F-(s)^(n-1-j),   s = score(t)

KL(p_n || p) <= log n - (n-1)/n (Beirami et al., arXiv 2401.01879; equality where no two texts tie).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.generators.protocol import Generator
from copybandit.sim.types import Brief, DataError, Floats, Variant

Score = Callable[[Sequence[Brief], Sequence[str]], Floats]
"""What each text is worth for its brief, shape (n,), finite; the same text always the same."""
COVERED = 1e-9
"""Base probability that drawn texts may leave out and still count as all there are."""


@dataclass(frozen=True, kw_only=True)
class BestOfN:
    """A writer that proposes the best of `n` proposals of another.

    Attributes:
        base: writes.
        score: chooses.
        n: proposals per text; 1 is the base writer itself.
        calibration: texts per brief from which `log_prob` learns how scores are distributed.
        seed: of those texts, which are the same for a brief whenever it is asked.
        generator_id: name of the writer.
    """

    base: Generator
    score: Score
    n: int = 4
    calibration: int = 256
    seed: int = 0
    generator_id: str = "best-of-n"

    def __post_init__(self) -> None:
        if min(self.n, self.calibration) < 1:
            raise DataError(
                f"best of n: n and calibration must be >= 1, got {self.n} and {self.calibration}; try 4 and 256"
            )

    @property
    def kl_bound(self) -> float:
        """Most that KL(p_n || p) can be, in nats."""
        return math.log(self.n) - (self.n - 1) / self.n

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        """Write `n` variants for each brief, each the first best of `self.n` proposals."""
        if not briefs:
            return []
        drawn = self.base.propose(briefs, n * self.n, rng)
        texts = [variant.text for row in drawn for variant in row]
        scores = self._scores([brief for brief in briefs for _ in range(n * self.n)], texts)
        best = scores.reshape(len(briefs), n, self.n).argmax(axis=2)  # brief, variant: which of its proposals
        return [
            [self._signed(row[k * self.n + place]) for k, place in enumerate(places)]
            for row, places in zip(drawn, best.tolist(), strict=True)
        ]

    def _signed(self, variant: Variant) -> Variant:
        return replace(variant, generator_id=self.generator_id, lineage=self.base.generator_id)

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        """Log p_n of each text, shape (n,); exact up to F, which is a matter of how many texts the base can write.

        F is exact where the `calibration` texts drawn for a brief are all that the base can write; else it is their
        frequency, the text in question counted among them, so that what the base can write keeps a probability.
        """
        if len(briefs) != len(texts):
            raise DataError(f"log_prob: {len(briefs)} briefs, {len(texts)} texts; give one text per brief")
        if not len(texts):
            return np.zeros(0)
        log_p, scores = self.base.log_prob(briefs, texts), self._scores(briefs, texts)
        known = {brief: self._distribution(brief) for brief in dict.fromkeys(briefs)}
        weight = np.zeros(len(texts))
        for i, brief in enumerate(briefs):
            below, upto = known[brief].at(scores[i], float(np.exp(log_p[i])))
            weight[i] = _weight(below, upto, self.n)
        with np.errstate(divide="ignore"):
            return np.minimum(log_p + np.log(weight), 0.0)

    def _distribution(self, brief: Brief) -> _ScoreDistribution:
        digest = hashlib.sha256(repr(brief).encode()).digest()
        rng = np.random.default_rng([self.seed, int.from_bytes(digest[:8], "big")])
        (drawn,) = self.base.propose([brief], self.calibration, rng)
        texts = [variant.text for variant in drawn]
        distinct = list(dict.fromkeys(texts))
        mass = np.exp(self.base.log_prob([brief] * len(distinct), distinct))
        if mass.sum() >= 1 - COVERED:
            scores = self._scores([brief] * len(distinct), distinct)
            return _ScoreDistribution(scores=scores, mass=mass / mass.sum(), whole=True)
        scores = self._scores([brief] * len(texts), texts)
        return _ScoreDistribution(scores=scores, mass=np.ones(len(texts)), whole=False)

    def _scores(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        scores = np.asarray(self.score(briefs, texts), dtype=np.float64)
        if scores.shape != (len(texts),) or not np.isfinite(scores).all():
            raise DataError(
                f"best of n: the score must give {len(texts)} finite numbers, got shape {scores.shape}, "
                f"{int((~np.isfinite(scores)).sum())} of them not finite; correct the score"
            )
        return scores


@dataclass(frozen=True, kw_only=True)
class _ScoreDistribution:
    """Scores that texts of the base get for one brief, and how much each counts.

    Attributes:
        scores: shape (m,).
        mass: shape (m,), probabilities where `whole`, else counts.
        whole: whether there are no other texts.
    """

    scores: Floats
    mass: Floats
    whole: bool

    def at(self, score: float, own: float) -> tuple[float, float]:
        """F- and F at a score that a text of base probability `own` gets."""
        below = float(self.mass[self.scores < score].sum())
        upto = float(self.mass[self.scores <= score].sum())
        if not self.whole:
            total = float(self.mass.sum()) + 1
            below, upto = below / total, (upto + 1) / total
        # A score holds at least the text's own probability.
        upto = min(max(upto, below + own), 1.0)
        return min(below, max(upto - own, 0.0)), upto


def _weight(below: float, upto: float, n: int) -> float:
    """(upto^n - below^n) / (upto - below), whose limit at equality is n upto^(n-1)."""
    powers = np.arange(n)
    return float((upto**powers * below ** (n - 1 - powers)).sum())
