"""How measures make figures of arrays: intervals over seeds and products, and the same for a writer and its baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.card import Figure
from copybandit.evaluation.intervals import Interval, lift_interval, mean_interval, sum_interval
from copybandit.sim.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The bootstrap of a card: every interval draws the same resamples of seeds and products.

    Attributes:
        replicates: resamples behind each interval.
        seed: of them.
    """

    replicates: int = 2000
    seed: int = 0

    def mean(self, values: Floats, product: Ints) -> Interval:
        """See `mean_interval`; values of shape (s, n)."""
        return mean_interval(values, product, self.replicates, self._rng())

    def lift(self, ours: Floats, theirs: Floats, product: Ints) -> Interval:
        """See `lift_interval`; both of shape (s, n)."""
        return lift_interval(ours, theirs, product, self.replicates, self._rng())

    def of(self, sums: Floats, statistic: Callable[[Floats], Floats]) -> Interval:
        """See `sum_interval`; sums of shape (k, s, p)."""
        return sum_interval(sums, statistic, self.replicates, self._rng())

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, 32])


def figure(name: str, found: Interval, *, before: float | None = None, unit: str = "") -> Figure:
    """A figure with its interval."""
    return Figure(
        name=name, value=found.value, ci_low=found.ci_low, ci_high=found.ci_high, before=before, unit=unit
    )


def plain(name: str, value: float | None, *, before: float | None = None, unit: str = "") -> Figure:
    """A figure without one."""
    return Figure(name=name, value=value, before=before, unit=unit)


def compared(
    draws: Draws, name: str, ours: Sequence[Floats], theirs: Sequence[Floats], product: Ints, unit: str = ""
) -> Figure:
    """Mean of a quantity of each text with its interval, the baseline's mean beside it; each row of shape (n,)."""
    before = float(np.mean([row.mean() for row in theirs]))
    return figure(name, draws.mean(np.stack(ours), product), before=before, unit=unit)


def over_seeds(values: Sequence[float]) -> float:
    """Mean; nan for none, and where one of them is unknown."""
    return float(np.mean(values)) if len(values) else float("nan")


def farthest(values: Sequence[float], centre: float = 0.0) -> float:
    """The value that lies farthest from a centre: seeds on either side of it must not make up for each other.

    nan for none, and where one of them is unknown.

    >>> farthest([0.3, -0.4]), farthest([0.9, 1.05], 1.0)
    (-0.4, 0.9)
    """
    if not len(values) or not np.isfinite(values).all():
        return float("nan")
    return float(max(values, key=lambda value: abs(value - centre)))
