"""What every interval for a mean is made of: the range the terms are known to keep, two ends, and the side asked for.

Everything is vectorised over runs (campaigns, simulated logs): the batch axis comes first. One run is a batch of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from copybandit.sim.types import Bools, DataError, Floats

Side = Literal["two", "lower", "upper"]
"""``two`` ends that miss with probability alpha together, or one end that does alone."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """The range that every term keeps for certain, known before the data; not the range that was seen."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise DataError(
                f"Span: must be finite with low < high, got {self.low} to {self.high}; "
                "give what the terms can be at least and at most"
            )

    @property
    def width(self) -> float:
        """Above 0."""
        return self.high - self.low

    def unit(self, terms: Floats) -> Floats:
        """Terms as shares of the span, in [0, 1].

        Args:
            terms: shape (runs, rows), or (rows,) for one run.

        Returns:
            Shape (runs, rows).

        Raises:
            DataError: a term is not finite or outside, beyond rounding; nothing is learned of the batch.
        """
        x = (np.atleast_2d(np.asarray(terms, dtype=float)) - self.low) / self.width
        if x.ndim != 2:
            raise DataError(f"Span: terms must be (runs, rows), got shape {x.shape}; put the runs first")
        if not ((x >= -1e-9) & (x <= 1 + 1e-9)).all():
            raise DataError(
                f"Span: terms must lie in [{self.low}, {self.high}], got {np.min(terms)} to {np.max(terms)}; "
                "widen the span to what is possible (largest weight times largest reward) and start anew"
            )
        return np.clip(x, 0.0, 1.0)

    def value(self, x: Floats) -> Floats:
        """Shares of the span in the terms' own unit."""
        return np.asarray(self.low + self.width * x)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Intervals of a batch of runs.

    Attributes:
        estimate: shape (runs,), the mean of the terms; a Bernstein sequence's is the mean weighted by its bets.
        low: shape (runs,); -inf, or the least possible, where only an upper end was asked for.
        high: shape (runs,), likewise.
    """

    estimate: Floats
    low: Floats
    high: Floats

    @property
    def width(self) -> Floats:
        """Shape (runs,)."""
        return np.asarray(self.high - self.low)

    def misses(self, truth: Floats | float) -> Bools:
        """Shape (runs,), whether the interval leaves a value out."""
        return np.asarray((truth < self.low) | (truth > self.high))

    def within(self, earlier: Bounds) -> Bounds:
        """The intersection with what was said before; only confidence sequences stay valid under it.

        It may leave out the estimate. An empty one (low above high) says that terms are not what was assumed.
        """
        return Bounds(
            estimate=self.estimate,
            low=np.maximum(self.low, earlier.low),
            high=np.minimum(self.high, earlier.high),
        )


def per_side(alpha: float, side: Side) -> float:
    """How often each end may miss.

    Raises:
        DataError: alpha is not in (0, 1), or the side is unknown.
    """
    if not 0 < alpha < 1:
        raise DataError(f"interval: alpha must be in (0, 1), got {alpha}; 0.05 gives 95% intervals")
    if side not in ("two", "lower", "upper"):
        raise DataError(f"interval: side must be two, lower or upper, got {side!r}; choose one")
    return alpha / 2 if side == "two" else alpha


def sided(estimate: Floats, low: Floats, high: Floats, side: Side, span: Span | None = None) -> Bounds:
    """Bounds with the end that was not asked for at its extreme, both cut to the span where there is one."""
    least, most = (span.low, span.high) if span else (-np.inf, np.inf)
    return Bounds(
        estimate=estimate,
        low=np.maximum(low, least) if side != "upper" else np.full(estimate.shape, least),
        high=np.minimum(high, most) if side != "lower" else np.full(estimate.shape, most),
    )


def normal_bounds(estimate: Floats, std_err: Floats, *, alpha: float = 0.05, side: Side = "two") -> Bounds:
    """Estimate plus and minus z standard errors: right where the central limit theorem already holds, and looked at once.

    Args:
        estimate: shape (runs,).
        std_err: shape (runs,).
        alpha: how often it may miss.
        side: ends wanted.

    Raises:
        DataError: alpha or side is unknown.
    """
    reach = -ndtri(per_side(alpha, side)) * std_err
    return sided(estimate, np.asarray(estimate - reach), np.asarray(estimate + reach), side)
