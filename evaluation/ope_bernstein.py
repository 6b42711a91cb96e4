"""Empirical Bernstein interval for a number of rows fixed in advance: holds at every n, without the central limit theorem.

For independent terms in a span of width R, with sample variance V (ddof 1), each end misses with probability d at most at

    mean +- ( sqrt(2 V log(2 / d) / n) + 7 R log(2 / d) / (3 (n - 1)) )          (Maurer & Pontil, COLT 2009, theorem 4)

It needs the moments alone, so it costs nothing after a pass. Looked at again and again it does not hold;
`confseq_betting` does.
"""

from __future__ import annotations

import numpy as np

from copybandit.evaluation.bounds import Bounds, Side, Span, per_side, sided
from copybandit.sim.types import DataError, Floats


def empirical_bernstein(
    mean: Floats, variance: Floats, n: int, span: Span, *, alpha: float = 0.05, side: Side = "two"
) -> Bounds:
    """The interval of each run, cut to the span.

    Args:
        mean: shape (runs,), of the terms.
        variance: shape (runs,), of the terms, ddof 1.
        n: rows of each run, at least 2.
        span: range that the terms are known to keep.
        alpha: how often it may miss.
        side: ends wanted.

    Raises:
        DataError: too few rows, a mean outside of the span, a variance below 0, or alpha or side is unknown.
    """
    if n < 2:
        raise DataError(f"empirical Bernstein: at least 2 rows are needed, got {n}; give a longer log")
    share = span.unit(np.atleast_1d(mean))[0]
    if not (np.isfinite(variance) & (variance >= 0)).all():
        raise DataError(
            f"empirical Bernstein: variance must be >= 0, got {np.min(variance)}; pass the terms' sample variance"
        )
    rarity = np.log(2 / per_side(alpha, side))
    reach = np.sqrt(2 * variance * rarity / n) + 7 * span.width * rarity / (3 * (n - 1))
    value = span.value(share)
    return sided(value, np.asarray(value - reach), np.asarray(value + reach), side, span)
