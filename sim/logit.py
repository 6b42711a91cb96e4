"""Logit choice with tastes that differ between households: probabilities and the simulated likelihood.

A household of type r has the utilities U_ij = sum_k x_ijk c_kr and chooses by softmax over what is available. Its type is
unknown; the R types are as likely as each other, spread as a normal distribution by c = mean + sd * draw (Revelt and Train,
Review of Economics and Statistics 80(4), 1998). The likelihood of a household is the mean over types of the product over its
trips. With one type whose draw is 0 it is the conditional logit (McFadden, 1974).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from copybandit.sim.types import Bools, DataError, Floats, Ints

BLOCK = 2**19
"""Cells (alternatives x rows x types) computed at a time, so that they stay in the processor's cache."""
_TINY = 1e-300


def normal_draws(dimension: int, log2_types: int, rng: np.random.Generator) -> Floats:
    """Standard normal draws that fill the space evenly, shape (dimension, 2**log2_types).

    A Sobol sequence, shifted at random modulo 1 (Cranley and Patterson, SIAM J. Numer. Anal. 13(6), 1976).
    """
    points = qmc.Sobol(dimension, scramble=False).random_base2(log2_types)
    shifted = (points + rng.random(dimension)) % 1.0
    return np.asarray(ndtri(np.clip(shifted, 1e-9, 1 - 1e-9)).T)


@dataclass(frozen=True, kw_only=True)
class Tastes:
    """The coefficients of R types of households.

    Attributes:
        mean, sd: shape (K,).
        draws: shape (K, R), standard normal; zeros and R = 1 where all households are alike.
        falling: shape (K,), coefficients that are -exp(mean + sd * draw): below 0 for every household.
    """

    mean: Floats
    sd: Floats
    draws: Floats
    falling: Bools

    @property
    def coefficients(self) -> Floats:
        """What each type multiplies the attributes with, shape (K, R)."""
        linear = self.mean[:, None] + self.sd[:, None] * self.draws
        return np.where(self.falling[:, None], -np.exp(linear), linear)

    @property
    def slope(self) -> Floats:
        """Derivative of `coefficients` by the mean, shape (K, R)."""
        return np.where(self.falling[:, None], self.coefficients, 1.0)


def choice_probs(x: Floats, available: Bools, coefficients: Floats) -> Floats:
    """Probability that each type chooses each alternative, shape (J, n, R); 0 where it is absent.

    Args:
        x: shape (J, n, K), attributes.
        available: shape (J, n); at least one in every row.
        coefficients: shape (K, R).
    """
    j, n, k = x.shape
    p = (x.reshape(j * n, k) @ coefficients).reshape(j, n, -1)
    if not available.all():
        p[~available] = -np.inf
    p -= p.max(axis=0)
    np.exp(p, out=p)
    p /= p.sum(axis=0)
    return p


def log_chosen(probs: Floats, chosen: Ints) -> Floats:
    """Log-probability of what was chosen, shape (n, R), from probs (J, n, R) and chosen (n,)."""
    return np.asarray(np.log(np.maximum(probs[chosen, np.arange(len(chosen))], _TINY)))


def belief(log_likelihood: Floats) -> Floats:
    """Posterior over types, rows summing to 1, from the log-likelihood of a past, both (n, R)."""
    weight = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


@dataclass(frozen=True, kw_only=True)
class Trips:
    """n choices, those of a household one after the other.

    Attributes:
        x: shape (J, n, K), attributes of the alternatives.
        available: shape (J, n).
        chosen: shape (n,), index of the alternative.
        start: shape (H,), first row of each household.
    """

    x: Floats
    available: Bools
    chosen: Ints
    start: Ints

    def __post_init__(self) -> None:
        n = len(self.chosen)
        if not n or self.start[0] != 0 or (np.diff(np.r_[self.start, n]) < 1).any():
            raise DataError(
                f"trips: start must rise from 0 to below {n}, got {self.start[:5]}; sort rows first"
            )

    def blocks(self, cells: int) -> Iterator[Trips]:
        """Whole households, of about `cells` / J rows at a time."""
        n = len(self.chosen)
        size = max(1, cells // len(self.x))
        cut = np.searchsorted(self.start, np.arange(0, n, size))
        cut = np.unique(np.r_[0, cut, len(self.start)])
        ends = np.r_[self.start, n]
        for a, b in pairwise(cut.tolist()):
            rows = slice(ends[a], ends[b])
            yield Trips(
                x=np.ascontiguousarray(self.x[:, rows]),
                available=self.available[:, rows],
                chosen=self.chosen[rows],
                start=self.start[a:b] - self.start[a],
            )


def score(trips: Trips, tastes: Tastes) -> tuple[float, Floats, Floats]:
    """Simulated log-likelihood and its gradient by mean and by sd, both of shape (K,).

    d log L_h / dc_r = P(r | choices of h) sum_ij (y_ij - p_ijr) x_ij.
    """
    coefficients = tastes.coefficients
    total, by_coefficient = 0.0, np.zeros_like(coefficients)
    for block in trips.blocks(BLOCK // coefficients.shape[1]):
        n = len(block.chosen)
        p = choice_probs(block.x, block.available, coefficients)
        past = np.add.reduceat(log_chosen(p, block.chosen), block.start, axis=0)
        top = past.max(axis=1)
        total += float((top + np.log(np.exp(past - top[:, None]).mean(axis=1))).sum())
        weight = np.repeat(belief(past), np.diff(np.r_[block.start, n]), axis=0)
        p *= -weight
        p[block.chosen, np.arange(n)] += weight
        by_coefficient += block.x.reshape(-1, len(coefficients)).T @ p.reshape(-1, coefficients.shape[1])
    by_coefficient *= tastes.slope
    return total, by_coefficient.sum(axis=1), (by_coefficient * tastes.draws).sum(axis=1)
