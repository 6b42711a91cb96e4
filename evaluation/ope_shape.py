"""How weights, propensities and rewards of a log are spread, gathered chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.sim.types import Floats, Ints

WEIGHT_EDGES = 10.0 ** (np.arange(-12, 13) / 4 + 0.125)
"""Edges of the bins of weights, 1 in the middle of one; the first bin takes smaller ones, the last larger ones."""
PROPENSITY_EDGES = 10.0 ** np.linspace(-4, 0, 25)
"""Edges of the bins of propensities; the first bin takes smaller ones."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and variance, (n,) values so far.

    Attributes:
        n: how many.
        mean: of them.
        scatter: sum of their squared distances from it.
    """

    n: int
    mean: float
    scatter: float

    @classmethod
    def of(cls, values: Floats) -> Spread:
        """Of values, at least one."""
        mean = float(values.mean())
        return cls(n=len(values), mean=mean, scatter=float(np.square(values - mean).sum()))

    def __add__(self, other: Spread) -> Spread:
        """Of both (Chan, Golub, LeVeque 1983)."""
        n, apart = self.n + other.n, other.mean - self.mean
        return Spread(
            n=n,
            mean=self.mean + apart * other.n / n,
            scatter=self.scatter + other.scatter + apart**2 * self.n * other.n / n,
        )

    @property
    def variance(self) -> float:
        """Of one value, n - 1 in the denominator; nan of one value alone."""
        return self.scatter / (self.n - 1) if self.n > 1 else float("nan")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the pictures show.

    Attributes:
        weight_rows: shape (24,), rows in each bin of `WEIGHT_EDGES`.
        weight_mass: shape (24,), the weight in each.
        propensity_rows: shape (24,), rows in each bin of `PROPENSITY_EDGES`.
        reward: of the rewards.
    """

    weight_rows: Floats
    weight_mass: Floats
    propensity_rows: Floats
    reward: Spread

    @classmethod
    def of(cls, weight: Floats, propensity: Floats, reward: Floats) -> Shape:
        """Of n rows, each (n,), at least one."""
        bin_of = _bin(weight, WEIGHT_EDGES)
        size = len(WEIGHT_EDGES) - 1
        return cls(
            weight_rows=np.bincount(bin_of, minlength=size).astype(np.float64),
            weight_mass=np.asarray(np.bincount(bin_of, weight, size), dtype=np.float64),
            propensity_rows=np.bincount(
                _bin(propensity, PROPENSITY_EDGES), minlength=len(PROPENSITY_EDGES) - 1
            ).astype(np.float64),
            reward=Spread.of(reward),
        )

    def __add__(self, other: Shape) -> Shape:
        """Of both sets of rows."""
        return Shape(
            weight_rows=self.weight_rows + other.weight_rows,
            weight_mass=self.weight_mass + other.weight_mass,
            propensity_rows=self.propensity_rows + other.propensity_rows,
            reward=self.reward + other.reward,
        )


def _bin(values: Floats, edges: Floats) -> Ints:
    place = np.searchsorted(edges, values, side="right") - 1
    return np.asarray(np.clip(place, 0, len(edges) - 2), dtype=np.int64)
