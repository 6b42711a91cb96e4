"""What a pass over a log keeps: sums that add up over chunks, from which every value and standard error follows.

With v_i the model's value of a row, g_i the weight used and b_i = g_i (r_i - q_i):

    value    = mean(v) + mean(b) / N,   N = 1, or mean(g) when self-normalised
    std_err  = sqrt(d' S d / (n - 1) / n),   d = (1, 1/N, -mean(b)/N^2 or 0)

with S the centred cross products of (v, b, g): the delta method, exact for plain means. Rows are taken as independent: where
they share shoppers whose rewards go together, the standard error is too small. Chunks merge by the rule of Chan, Golub and
LeVeque (1983), so that nothing large cancels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.sim.types import DataError, Floats


@dataclass(frozen=True, kw_only=True)
class WeightSums:
    """Sums of the importance weights before any shrinkage.

    Attributes:
        n: rounds.
        total: sum of w.
        squares: sum of w^2.
        largest: largest w.
        support_misses: rounds where the target policy leaves the log's support.
    """

    n: int
    total: float
    squares: float
    largest: float
    support_misses: int

    @classmethod
    def of(cls, w: Floats, support_misses: int = 0) -> WeightSums:
        """Of weights of shape (n,), n at least 1."""
        return cls(
            n=len(w),
            total=float(w.sum()),
            squares=float(w @ w),
            largest=float(w.max()),
            support_misses=support_misses,
        )

    def __add__(self, other: WeightSums) -> WeightSums:
        """Of both sets of rows."""
        return WeightSums(
            n=self.n + other.n,
            total=self.total + other.total,
            squares=self.squares + other.squares,
            largest=max(self.largest, other.largest),
            support_misses=self.support_misses + other.support_misses,
        )

    @property
    def mean(self) -> float:
        """Sum of weights over n; 1 in expectation when propensities are right."""
        return self.total / self.n

    @property
    def std_err(self) -> float:
        """Of the mean."""
        return float(np.sqrt(max(self.squares / self.n - self.mean**2, 0.0) / self.n))


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Sums of one estimator's parts.

    Attributes:
        n: rounds.
        total: shape (3,), sums of v, b and g.
        scatter: shape (3, 3), centred cross products of v, b and g.
        hits: sum of g |r|.
        hit_squares: sum of (g r)^2.
        largest_g: largest |g|.
        largest_reward: largest |r|.
    """

    n: int
    total: Floats
    scatter: Floats
    hits: float
    hit_squares: float
    largest_g: float
    largest_reward: float

    @classmethod
    def of(cls, parts: Floats, size: Floats) -> Moments:
        """Of v, b and g, shape (3, n), and sizes |r| of the rewards, shape (n,); n at least 1."""
        total = parts.sum(axis=1)
        g = parts[2]
        hit = g * size
        return cls(
            n=parts.shape[1],
            total=total,
            scatter=_products(parts - (total / parts.shape[1])[:, None]),
            hits=float(hit.sum()),
            hit_squares=float(hit @ hit),
            largest_g=max(float(g.max()), -float(g.min())),
            largest_reward=float(size.max()),
        )

    def __add__(self, other: Moments) -> Moments:
        """Of both sets of rows."""
        n = self.n + other.n
        apart = other.total / other.n - self.total / self.n
        return Moments(
            n=n,
            total=self.total + other.total,
            scatter=self.scatter + other.scatter + np.outer(apart, apart) * (self.n * (other.n / n)),
            hits=self.hits + other.hits,
            hit_squares=self.hit_squares + other.hit_squares,
            largest_g=max(self.largest_g, other.largest_g),
            largest_reward=max(self.largest_reward, other.largest_reward),
        )

    @property
    def g_squares(self) -> float:
        """Sum of g^2."""
        return float(self.scatter[2, 2] + self.total[2] ** 2 / self.n)

    @property
    def leverage(self) -> float:
        """Largest term g |r| there might have been over the root of the sum of squares of those there are; 0 without any g.

        It bounds the skewness of the mean and so, by Berry and Esseen, how wrong a normal interval can be. It looks at all
        weights: the rows that would have mattered are those that went unrewarded.
        """
        largest = self.largest_g * self.largest_reward
        return largest / float(np.sqrt(self.hit_squares)) if self.hit_squares > 0 else 0.0

    def value_and_std_err(self, *, normalised: bool) -> tuple[float, float]:
        """Value and standard error.

        Args:
            normalised: whether the correction is divided by sum g instead of n.

        Raises:
            DataError: fewer than 2 rounds; self-normalised without any weight; sums overflowed.
        """
        if self.n < 2:
            raise DataError(
                f"ope: at least 2 rounds are needed for an interval, got {self.n}; give a longer log"
            )
        v, b, g = (float(total) for total in self.total)
        if normalised and g == 0:
            raise DataError(
                "ope: weights must not all be 0 where they normalise, got no overlap of target policy and log; "
                "use a log that covers it"
            )
        by = g if normalised else float(self.n)
        slope = np.array([1.0, self.n / by, -self.n * b / by / by if normalised else 0.0])
        variance = float(slope @ self.scatter @ slope) / (self.n - 1) / self.n
        value, std_err = v / self.n + b / by, float(np.sqrt(max(variance, 0.0)))
        if not np.isfinite(value + std_err):
            raise DataError(
                f"ope: sums of weights and rewards must be finite, got {value}; rescale the reward"
            )
        return value, std_err


def effective_count(total: float, squares: float) -> float:
    """Number of equal terms that would average as well: total^2 / squares, 0 if all are 0."""
    return total * (total / squares) if squares > 0 else 0.0


def _products(x: Floats) -> Floats:
    """Products x x' of three long rows, (3, n) to (3, 3); one by one, as BLAS is slow at so flat a matrix."""
    vv, vb, vg, bb, bg, gg = (x[i] @ x[j] for i in range(3) for j in range(i, 3))
    return np.array([[vv, vb, vg], [vb, bb, bg], [vg, bg, gg]])
