"""What becomes of an importance weight before it is used: g(w), less variance for some bias.

    Plain         g = w
    Zero          g = 0                  no correction: the direct method
    Clipped       g = min(w, c)          Ionides 2008
    Switch        g = w 1[w <= c]        Wang, Agarwal, Dudik, ICML 2017
    Optimistic    g = c w / (w^2 + c)    Su, Dimakopoulou, Krishnamurthy, Dudik, ICML 2020
    SubGaussian   g = w / (1 - c + c w)  Metelli, Russo, Restelli, NeurIPS 2021

All but Zero are w where c lets everything through: infinity, or 0 for SubGaussian.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from copybandit.sim.types import DataError, Floats


class Shrink(Protocol):
    """Weights to weights."""

    def __call__(self, w: Floats) -> Floats:
        """g(w), in [0, w] where the bias goes one way; shape (n,) as w."""
        ...


@dataclass(frozen=True)
class Plain:
    """The weight itself."""

    def __call__(self, w: Floats) -> Floats:
        """Return w."""
        return w


@dataclass(frozen=True)
class Zero:
    """No correction at all."""

    def __call__(self, w: Floats) -> Floats:
        """Return zeros."""
        return np.zeros_like(w)


@dataclass(frozen=True, kw_only=True)
class Clipped:
    """At most c, above 0."""

    c: float

    def __post_init__(self) -> None:
        _check_above_zero("Clipped", self.c)

    def __call__(self, w: Floats) -> Floats:
        """Return min(w, c)."""
        return np.minimum(w, self.c)


@dataclass(frozen=True, kw_only=True)
class Switch:
    """Only where at most c, above 0; elsewhere the model alone speaks."""

    c: float

    def __post_init__(self) -> None:
        _check_above_zero("Switch", self.c)

    def __call__(self, w: Floats) -> Floats:
        """Return w where it is at most c, else 0."""
        return np.where(w <= self.c, w, 0.0)


@dataclass(frozen=True, kw_only=True)
class Optimistic:
    """Shrunk toward 0 beyond the root of c, above 0: the minimiser of a bound on the squared error."""

    c: float

    def __post_init__(self) -> None:
        _check_above_zero("Optimistic", self.c)

    def __call__(self, w: Floats) -> Floats:
        """Return c w / (w^2 + c)."""
        return np.asarray(w / (w * w / self.c + 1.0))


@dataclass(frozen=True, kw_only=True)
class SubGaussian:
    """Harmonic mean with 1, c in [0, 1]: at most 1/c."""

    c: float

    def __post_init__(self) -> None:
        if not 0 <= self.c <= 1:
            raise DataError(f"SubGaussian: c must be in [0, 1], got {self.c}; 0 leaves the weight alone")

    def __call__(self, w: Floats) -> Floats:
        """Return w / (1 - c + c w); 0 where w is 0."""
        return np.asarray(w / np.where(w > 0, 1 - self.c + self.c * w, 1.0))


def _check_above_zero(name: str, c: float) -> None:
    if math.isnan(c) or c <= 0:
        raise DataError(f"{name}: c must be above 0, got {c}; infinity leaves the weight alone")
