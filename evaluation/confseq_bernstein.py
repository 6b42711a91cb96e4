"""Anytime-valid confidence sequence by a predictable plug-in empirical Bernstein bound: a closed form, no search.

For terms x in [0, 1] whose mean, given the past, is m, with bets l_i chosen before x_i is seen,

    m  in  sum l_i x_i / sum l_i  +-  (log(2 / alpha) + sum v_i psi(l_i)) / sum l_i      at every time at once,
    l_i = min(sqrt(2 log(2 / alpha) / (s2_{i-1} i log(1 + i))), 1/2),
    v_i = (x_i - mu_{i-1})^2,    psi(l) = -log(1 - l) - l,
    mu_i = (1/2 + sum x) / (i + 1),    s2_i = (1/4 + sum (x - mu)^2) / (i + 1)

(Waudby-Smith & Ramdas, JRSS-B 2023, theorem 2). One-sided, log(1 / alpha) stands for log(2 / alpha). Betting is tighter;
this one gives an interval after every row for the price of a few cumulative sums, and depends on the order of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.bounds import Bounds, Side, Span, per_side, sided
from copybandit.sim.types import DataError, Floats

LARGEST_BET = 0.5
SUMS = ("x", "squared error", "bet", "bet x", "v psi")


@dataclass(frozen=True, kw_only=True)
class BernsteinSequence:
    """All that the sequence remembers of its rows. Alpha and side shape the bets, so they are fixed at the start.

    Attributes:
        span: range that the terms are known to keep.
        alpha: how often it may ever miss.
        side: ends wanted.
        n: rows of each run so far.
        sums: shape (5, runs), of x, (x - mu)^2, l, l x and v psi(l), in units of the span.
    """

    span: Span
    alpha: float
    side: Side
    n: int
    sums: Floats

    def __post_init__(self) -> None:
        per_side(self.alpha, self.side)

    @staticmethod
    def start(span: Span, runs: int = 1, *, alpha: float = 0.05, side: Side = "two") -> BernsteinSequence:
        """Before the first row."""
        return BernsteinSequence(span=span, alpha=alpha, side=side, n=0, sums=np.zeros((len(SUMS), runs)))

    def update(self, terms: Floats) -> BernsteinSequence:
        """Learn a batch of rows; the same as learning them with the others at once, to rounding.

        Args:
            terms: shape (runs, rows), or (rows,) for one run; each with the wanted mean, given the rows before it.

        Raises:
            DataError: terms leave the span, or there are other runs.
        """
        return self._followed(terms)[0]

    def path(self, terms: Floats) -> tuple[BernsteinSequence, Bounds]:
        """`update`, with the interval after every row of the batch: arrays of shape (runs, rows)."""
        after, sums = self._followed(terms)
        return after, self._bounds(sums)

    def bounds(self) -> Bounds:
        """The interval now.

        Raises:
            DataError: no row was seen.
        """
        if self.n == 0:
            raise DataError("BernsteinSequence: at least 1 row is needed for bounds, got 0; update it first")
        return self._bounds(self.sums)

    def _followed(self, terms: Floats) -> tuple[BernsteinSequence, Floats]:
        """The next state, and the five sums after every row, shape (5, runs, rows)."""
        x = self.span.unit(terms)
        if len(x) != self.sums.shape[1]:
            raise DataError(
                f"BernsteinSequence: terms must have {self.sums.shape[1]} runs, got {len(x)}; keep their order"
            )
        sum_x, errors = self.sums[0, :, None], self.sums[1, :, None]
        t = self.n + np.arange(1, x.shape[1] + 1)
        total = sum_x + np.cumsum(x, axis=1)
        mean_before = (0.5 + total - x) / t
        square = np.square(x - (0.5 + total) / (t + 1))
        variance_before = (0.25 + errors + np.cumsum(square, axis=1) - square) / t
        bet = np.minimum(np.sqrt(2 * self._log_rarity / (variance_before * t * np.log1p(t))), LARGEST_BET)
        cost = np.square(x - mean_before) * (-np.log1p(-bet) - bet)
        sums = self.sums[:, :, None] + np.cumsum(np.stack([x, square, bet, bet * x, cost]), axis=2)
        last = sums[:, :, -1] if x.shape[1] else self.sums
        return replace(self, n=self.n + x.shape[1], sums=last), sums

    def _bounds(self, sums: Floats) -> Bounds:
        centre = sums[3] / sums[2]
        reach = (self._log_rarity + sums[4]) / sums[2]
        low, high = self.span.value(centre - reach), self.span.value(centre + reach)
        return sided(self.span.value(centre), low, high, self.side, self.span)

    @property
    def _log_rarity(self) -> float:
        return float(-np.log(per_side(self.alpha, self.side)))
