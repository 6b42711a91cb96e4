"""Best of n as a frontier: what n reward calls per text buy, at which KL, beside what tuning reached.

From m texts drawn per brief once, the expected value of the best of n <= m by score is exact for all n at a time: with texts
in order of score, the i-th (1 is the lowest) is the best of a random n-subset with probability

    w_i(n) = C(i-1, n-1) / C(m, n)                     (Nakano et al., WebGPT, arXiv 2112.09332, appendix I)

KL(best of n || base) <= log n - (n-1)/n nats (arXiv 2401.01879).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from copybandit.evaluation.card_subject import gains
from copybandit.evaluation.cells import CellReward
from copybandit.generators.protocol import Generator
from copybandit.sim.types import DataError, Floats, Ints
from copybandit.sim.world import World

DRAWN = 64
"""Texts per cell."""
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""n of the curve."""
NAMED = (4, 16, 64)
"""n that are told."""


def kl_of_best(n: float) -> float:
    """Most that KL(best of n || base) can be, in nats.

    >>> [round(kl_of_best(n), 2) for n in (1, 4, 16, 64)]
    [0.0, 0.64, 1.84, 3.17]
    """
    return math.log(n) - (n - 1) / n


def rank_weights(m: int, n: int) -> Floats:
    """Probability that each of m texts, in rising order of score, is the best of n of them, shape (m,).

    Raises:
        DataError: n is not in 1..m.
    """
    if not 1 <= n <= m:
        raise DataError(f"best of n: n must be 1 to the {m} texts drawn, got {n}; draw more")
    rank = np.arange(1, m + 1)
    found = np.zeros(m)
    able = rank >= n
    upper = rank[able] - 1
    log_ways = gammaln(upper + 1) - gammaln(n) - gammaln(upper - n + 2)
    log_all = gammaln(m + 1) - gammaln(n + 1) - gammaln(m - n + 1)
    found[able] = np.exp(log_ways - log_all)
    return np.asarray(found / found.sum())


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """m texts for each of c cells.

    Attributes:
        rows: shape (c,), the cells.
        score: shape (c, m), what chooses: the fitted world's reward.
        gold: shape (c, m), true gain in log-odds, 0 where the editor has the reference copy stand in.
    """

    rows: Ints
    score: Floats
    gold: Floats

    def best(self, n: int) -> tuple[Floats, Floats]:
        """Expected score and gold gain of the best of n by score, of each cell, both of shape (c,)."""
        order = np.argsort(self.score, axis=1, kind="stable")
        weights = rank_weights(self.score.shape[1], n)
        score, gold = (np.take_along_axis(values, order, axis=1) for values in (self.score, self.gold))
        return score @ weights, gold @ weights

    def at_kl(self, kl: float) -> tuple[Floats, Floats]:
        """The same at a KL of at least 0, on the straight line between two whole n; beyond the largest n that one's."""
        m, kl = self.score.shape[1], max(kl, 0.0)
        below = max((n for n in range(1, m + 1) if kl_of_best(n) <= kl), default=1)
        if below == m:
            return self.best(m)
        share = (kl - kl_of_best(below)) / (kl_of_best(below + 1) - kl_of_best(below))
        (score, gold), (more, better) = self.best(below), self.best(below + 1)
        return score + share * (more - score), gold + share * (better - gold)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The n of the curve that there are texts for."""
        return tuple(n for n in SIZES if n <= self.score.shape[1])


def draw_frontier(
    writer: Generator, reward: CellReward, gold: World, rows: Ints, rng: np.random.Generator, m: int = DRAWN
) -> Drawn:
    """Let a writer write m texts for each of some cells, and score them in both worlds."""
    cells = reward.cells
    proposals = writer.propose([cells.briefs[row] for row in rows.tolist()], m, rng)
    texts = [variant.text for row in proposals for variant in row]
    every = np.repeat(rows, m)
    shape = (len(rows), m)
    score, gain = gains(reward, gold, every, texts)
    return Drawn(rows=rows, score=score.reshape(shape), gold=gain.reshape(shape))
