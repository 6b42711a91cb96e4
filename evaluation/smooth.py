"""Smooth functions of sums over independent clusters: what they are, and how far off they may be.

    f(mean) with mean = sum_g total_g / sum_g count_g,   pull_g = how much cluster g moves f
    var f = G / (G - 1) sum_g pull_g^2

Infinitesimal jackknife (Liang & Zeger, Biometrika 1986; Efron, Biometrika 1981); intervals are Student's with G - 1 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from copybandit.evaluation.intervals import Interval
from copybandit.sim.types import DataError, Floats

UNKNOWN = Interval(value=float("nan"), ci_low=float("nan"), ci_high=float("nan"))


@dataclass(frozen=True, kw_only=True)
class Smooth:
    """One such function; sums, differences and ratios of them are others.

    Attributes:
        value: of it; nan where it cannot be had.
        pull: shape (g,), of each cluster.
    """

    value: float
    pull: Floats

    @classmethod
    def mean(cls, total: Floats, count: Floats) -> Smooth:
        """Mean of what was summed per cluster; both of shape (g,), counts >= 0.

        Raises:
            DataError: nothing was counted.
        """
        n = float(count.sum())
        if not n > 0:
            raise DataError("mean: something must be counted, got nothing; give rows")
        value = float(total.sum()) / n
        return cls(value=value, pull=(total - value * count) / n)

    def __sub__(self, other: Smooth) -> Smooth:
        return Smooth(value=self.value - other.value, pull=self.pull - other.pull)

    def __truediv__(self, other: Smooth) -> Smooth:
        """Nan where the other is 0."""
        below = other.value if other.value != 0 else float("nan")
        value = self.value / below
        return Smooth(value=value, pull=(self.pull - value * other.pull) / below)

    def __mul__(self, factor: float) -> Smooth:
        return Smooth(value=factor * self.value, pull=factor * self.pull)

    @property
    def std_err(self) -> float:
        """Standard error; nan for fewer than two clusters."""
        g = len(self.pull)
        return float(np.sqrt(g / (g - 1) * np.square(self.pull).sum())) if g > 1 else float("nan")

    def interval(self, confidence: float = 0.95) -> Interval:
        """Value with Student's interval; ends are nan for fewer than two clusters."""
        reach = critical(len(self.pull), confidence) * self.std_err
        return Interval(value=self.value, ci_low=self.value - reach, ci_high=self.value + reach)


def critical(clusters: int, confidence: float = 0.95) -> float:
    """Two-sided critical value of Student's t with one degree less than there are clusters; nan below two."""
    return float(stdtrit(clusters - 1, (1 + confidence) / 2)) if clusters > 1 else float("nan")


def lift(ours: Smooth, theirs: Smooth) -> Interval:
    """Ours / theirs - 1 with the interval of the logarithm of the ratio; nan where one of them is not above 0."""
    if not (ours.value > 0 and theirs.value > 0):
        return UNKNOWN
    ratio = ours / theirs
    reach = critical(len(ratio.pull)) * ratio.std_err / ratio.value
    low, high = np.expm1(np.log(ratio.value) + np.array([-reach, reach]))
    return Interval(value=ratio.value - 1, ci_low=float(low), ci_high=float(high))
