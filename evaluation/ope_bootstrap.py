"""Poisson bootstrap in one pass: every row counts k ~ Poisson(1) times in a replicate, drawn when the row is seen.

    replicate  =  sum k_i a_i / sum k_i b_i        b = 1 for a mean, b = w for a self-normalised estimate

which for many rows is the usual bootstrap (Chamandy et al., Google 2012), without going over the rows again.

- Rows with a = 0, nearly all where rewards are clicks, are not drawn. What they add to the denominator, sum k_i b_i, is
  drawn at the end at once, as c Poisson(s / c) with s = sum b_i and c = sum b_i^2 / s. That is exact where they have one
  weight (b = 1), and has the exact mean and variance else: those rows are as many as their effective sample size.
- k is drawn from 8 random bits, its chances those of Poisson(1) in units of 1/256, chosen such that mean and variance are
  exactly 1; its third central moment is .984 instead of 1, so a replicate's skewness is 1.6% too small.

Runs (simulated logs) that are updated together share k, which leaves each run's bootstrap what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from copybandit.evaluation.bounds import Bounds, Side, normal_bounds, per_side, sided
from copybandit.sim.types import DataError, Floats

COUNTS = (94, 95, 46, 16, 4, 1)
"""Of 256 equal chances, how many give k = 0, 1, 2, ..."""
_CUTS = np.cumsum(COUNTS)[:-1].astype(np.uint8)
_BLOCK = 1 << 16
"""Draws at a time, so that they stay in the cache."""


@dataclass(frozen=True, kw_only=True)
class PoissonBootstrap:
    """All that a bootstrap remembers of its rows; `update` gives the next one.

    Attributes:
        drawn: shape (2, runs, replicates), sums of k a and k b over the rows that were drawn.
        rest: shape (2, runs), sums of b and b^2 over the rows that were not.
        total: shape (2, runs), sums of a and b over all rows.
    """

    drawn: Floats
    rest: Floats
    total: Floats

    @staticmethod
    def start(runs: int = 1, *, replicates: int = 1000) -> PoissonBootstrap:
        """Before the first row.

        Raises:
            DataError: there are fewer than 2 replicates or no run.
        """
        if replicates < 2 or runs < 1:
            raise DataError(
                f"PoissonBootstrap: needs at least 2 replicates and 1 run, got {replicates} and {runs}; 1000 is usual"
            )
        none = np.zeros((2, runs))
        return PoissonBootstrap(drawn=np.zeros((2, runs, replicates)), rest=none, total=none)

    def update(
        self, numerator: Floats, denominator: Floats | None, rng: np.random.Generator
    ) -> PoissonBootstrap:
        """Learn a batch of rows; with the same generator, batches give what all at once would, to rounding.

        Args:
            numerator: a, shape (runs, rows), or (rows,) for one run.
            denominator: b >= 0, same shape; None is 1 for every row.
            rng: draws k, rows with a != 0 in their order.

        Raises:
            DataError: shapes differ, numbers are not finite or b is below 0; nothing is learned of the batch.
        """
        a = np.atleast_2d(np.asarray(numerator, dtype=float))
        one = np.ones((1, a.shape[-1]))
        b = one if denominator is None else np.atleast_2d(np.asarray(denominator, dtype=float))
        self._check(a, np.broadcast_to(b, a.shape) if denominator is None else b)
        hit = a.any(axis=0)
        left = b[:, ~hit]
        top, bottom = np.split(_weighted_sums(np.vstack([a, b])[:, hit], self.drawn.shape[2], rng), [len(a)])
        rest = np.stack([left.sum(axis=1), np.square(left).sum(axis=1)])
        return replace(
            self,
            drawn=self.drawn + np.stack([top, np.broadcast_to(bottom, top.shape)]),
            rest=self.rest + rest,
            total=self.total + np.stack([a.sum(axis=1), np.broadcast_to(b.sum(axis=1), len(a))]),
        )

    def replicates(self, rng: np.random.Generator) -> Floats:
        """Bootstrap replicates of the estimate, shape (runs, replicates).

        Args:
            rng: draws what the rows that were not drawn add to the denominators.

        Raises:
            DataError: a denominator is 0: no rows, or too few.
        """
        mass, squares = self.rest[:, :, None]
        c = np.divide(squares, mass, out=np.ones_like(mass), where=squares > 0)
        bottom = self.drawn[1] + c * rng.poisson(mass / c, self.drawn.shape[1:])
        if not (bottom > 0).all():
            raise DataError(
                f"PoissonBootstrap: denominators must be above 0, got {int((bottom <= 0).sum())} at 0; give more rows"
            )
        return np.asarray(self.drawn[0] / bottom)

    def bounds(
        self,
        rng: np.random.Generator,
        *,
        kind: Literal["percentile", "normal"] = "percentile",
        alpha: float = 0.05,
        side: Side = "two",
    ) -> Bounds:
        """Interval from the replicates: their quantiles, or the estimate and z times their standard deviation.

        Percentiles are widened to hold the estimate, which they can miss where replicates are few.

        Raises:
            DataError: a denominator is 0, or kind, alpha or side is unknown.
        """
        draws = self.replicates(rng)
        value = np.asarray(self.total[0] / self.total[1])
        if kind == "normal":
            return normal_bounds(value, draws.std(axis=1, ddof=1), alpha=alpha, side=side)
        if kind != "percentile":
            raise DataError(f"PoissonBootstrap: kind must be percentile or normal, got {kind!r}; choose one")
        tail = per_side(alpha, side)
        low, high = np.quantile(draws, (tail, 1 - tail), axis=1)
        return sided(value, np.minimum(low, value), np.maximum(high, value), side)

    def _check(self, a: Floats, b: Floats) -> None:
        if a.shape != b.shape or a.ndim != 2 or len(a) != self.drawn.shape[1]:
            raise DataError(
                f"PoissonBootstrap: numerator and denominator must be ({self.drawn.shape[1]}, rows), got {a.shape} "
                f"and {b.shape}; give one number per run and row"
            )
        if not (np.isfinite(a).all() and np.isfinite(b).all() and (b >= 0).all()):
            raise DataError(
                "PoissonBootstrap: terms must be finite and denominators >= 0, got others; drop or mend those rows"
            )


def _weighted_sums(terms: Floats, replicates: int, rng: np.random.Generator) -> Floats:
    """Sums of k times terms, shape (m, rows) to (m, replicates); every row draws its own k."""
    found = np.zeros((len(terms), replicates))
    rows = max(1, _BLOCK // replicates)
    for start in range(0, terms.shape[1], rows):
        part = terms[:, start : start + rows]
        found += part @ poisson_ones(part.shape[1], replicates, rng).astype(float)
    return found


def poisson_ones(rows: int, replicates: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Counts k, shape (rows, replicates): eight from each 64 random bits, no bits shared between rows."""
    words = -(-replicates // 8)
    bits = rng.integers(0, 2**64, size=(rows, words), dtype=np.uint64).view(np.uint8)
    count = (bits >= _CUTS[0]).view(np.uint8)
    above = np.empty(bits.shape, dtype=bool)
    for cut in _CUTS[1:]:
        np.greater_equal(bits, cut, out=above)
        count += above.view(np.uint8)
    return np.asarray(count[:, :replicates])
