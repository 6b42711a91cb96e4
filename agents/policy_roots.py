"""Many small Gaussian posteriors side by side: a root of each inverse precision, kept by rank-one updates.

    S = R R',   S^-1 + w z z' = (R (I - g u u') R')^-1 squared in the middle,   u = R' z,   g = (1 - sqrt(1 - b u'u)) / u'u,
    b = w / (1 + w u'u)

(Potter's update; Bierman, Factorization Methods for Discrete Sequential Estimation, 1977, II.5.) A variance is a sum of
squares and cannot turn negative. Each root is made anew from the precision itself after so many updates, or at once
where many rows of a variant arrive together, so that rounding does not add up.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.stateful import Arrays
from copybandit.sim.types import DataError, Floats, Ints

MOST = 2**26
"""Numbers in the roots, at most; with the precisions beside them they take 1 GiB."""
RENEW = 256
"""Rank-one updates after which a root is made anew."""
TOGETHER = 4
"""Rows of a variant in one batch, per coefficient, from which a new root is cheaper than updates: 1 in so many."""


class Roots:
    """The posteriors of m variants with d coefficients each.

    Args:
        m: variants.
        d: coefficients of each.
        ridge: prior precision; no eigenvalue of a precision is below it.

    Raises:
        DataError: they need more than 1 GiB.
    """

    def __init__(self, m: int, d: int, ridge: float) -> None:
        if m * d * d > MOST:
            raise DataError(
                f"disjoint model: variants x coefficients^2 must be at most {MOST}, got {m} x {d}^2; "
                "share coefficients between variants (linucb, lints)"
            )
        self.ridge = ridge
        self.precision: Floats = np.tile(ridge * np.eye(d), (m, 1, 1))
        self.root: Floats = np.tile(np.eye(d) / np.sqrt(ridge), (m, 1, 1))
        self._updates: Ints = np.zeros(m, dtype=np.int64)

    def variance(self, z: Floats, variants: Ints) -> Floats:
        """Variance of z . theta_v, shape (n, k), 0 where a variant is -1; z (n, d), variants (n, k)."""
        found = np.zeros(variants.shape)
        if len(z) == 1:
            for place, variant in enumerate(variants[0].tolist()):
                found[0, place] = _length(z[0] @ self.root[variant]) if variant >= 0 else 0.0
            return found
        for variant in np.unique(variants[variants >= 0]).tolist():
            row, column = np.nonzero(variants == variant)
            found[row, column] = np.square(z[row] @ self.root[variant]).sum(axis=1)
        return found

    def add(self, z: Floats, variant: Ints, weight: Floats) -> None:
        """Add weight * z z' to the precision of each row's variant; z (n, d), variant and weight (n,), weight >= 0."""
        told = weight > 0
        for one in np.unique(variant[told]).tolist():
            rows = np.flatnonzero(told & (variant == one))
            x, w = z[rows], weight[rows]
            self.precision[one] += (w[:, None] * x).T @ x
            self._updates[one] += len(rows)
            if TOGETHER * len(rows) > z.shape[1] or self._updates[one] >= RENEW:
                self._renew(np.array([one]))
            else:
                for row in range(len(rows)):
                    self._rank_one(one, x[row], float(w[row]))

    def fade(self, keep: float, variants: Ints | None) -> None:
        """Precision of these variants, or of all, to keep * precision + (1 - keep) * ridge * I, roots anew."""
        rows = np.arange(len(self.precision)) if variants is None else variants
        prior = self.ridge * np.eye(self.precision.shape[1])
        self.precision[rows] = prior + keep * (self.precision[rows] - prior)
        self._renew(rows)

    def get_state(self) -> Arrays:
        """All of it; views."""
        return {"precision": self.precision, "root": self.root, "updates": self._updates}

    def solve(self, variants: Ints, moment: Floats) -> Floats:
        """Precision^-1 times moment for variants of shape (r,), moment (r, d); shape (r, d)."""
        root = self.root[variants]
        return np.asarray((root @ (root.transpose(0, 2, 1) @ moment[:, :, None]))[:, :, 0])

    def _rank_one(self, variant: int, z: Floats, weight: float) -> None:
        root = self.root[variant]
        u = z @ root
        size = _length(u)
        left = 1 / (1 + weight * size)
        root -= np.multiply.outer((root @ u) * ((1 - np.sqrt(left)) / size), u)

    def _renew(self, variants: Ints) -> None:
        values, vectors = np.linalg.eigh(self.precision[variants])
        # In exact arithmetic no eigenvalue is below ridge; the floor undoes cancellation.
        self.root[variants] = vectors / np.sqrt(np.maximum(values, self.ridge))[:, None, :]
        self._updates[variants] = 0


def _length(u: Floats) -> float:
    """Sum of squares."""
    return float(u @ u)
