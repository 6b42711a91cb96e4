"""A Gaussian over theta, shared by all variants, and rho, one scalar per variant: its precision is an arrow.

    precision = [[gram, cross'], [cross, diag(diagonal)]]

The rho block is diagonal, so its Schur complement leaves a d x d system; theta and rho are solved jointly and exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Normal scores of candidates: score = mean + loading . z + sqrt(own) * e with z, e independent and standard.

    Attributes:
        mean: shape (n, k).
        loading: shape (n, k, d), on what candidates share.
        own: shape (n, k), variance of what is each one's own; above 0.
    """

    mean: Floats
    loading: Floats
    own: Floats

    def variance(self) -> Floats:
        """Shape (n, k)."""
        return np.asarray(self.own + np.square(self.loading).sum(axis=-1))


class Arrow:
    """The precision of (theta, rho) with the root that its last refresh made.

    Args:
        n_actions: number of variants m.
        width: shared coefficients d.
        ridge: precision of theta before data; no eigenvalue of the Schur complement is below it.
        residual_ridge: precision of rho before data.
    """

    def __init__(self, *, n_actions: int, width: int, ridge: float, residual_ridge: float) -> None:
        self.ridge = ridge
        self.gram: Floats = ridge * np.eye(width)
        self.cross: Floats = np.zeros((n_actions, width))
        self.diagonal: Floats = np.full(n_actions, residual_ridge, dtype=np.float64)
        self.refresh()

    def copy(self) -> Arrow:
        """One that can be added to without changing this one."""
        other = object.__new__(Arrow)
        other.ridge, other.gram, other.cross = self.ridge, self.gram.copy(), self.cross.copy()
        other.diagonal, other.pull, other.root = self.diagonal.copy(), self.pull, self.root
        return other

    def add(self, x: Floats, variant: Ints, weight: Floats) -> None:
        """Adds sum of weight * (x, one-hot) (x, one-hot)'; x (n, d), variant (n,), weight (n,) >= 0."""
        weighted = weight[:, None] * x
        self.gram += weighted.T @ x
        np.add.at(self.cross, variant, weighted)
        self.diagonal += np.bincount(variant, weight, len(self.diagonal))

    def refresh(self) -> None:
        """A root of the inverse Schur complement, and how theta pulls each rho along."""
        self.pull: Floats = self.cross / self.diagonal[:, None]
        schur = self.gram - self.cross.T @ self.pull
        values, vectors = np.linalg.eigh((schur + schur.T) / 2)
        # In exact arithmetic no eigenvalue is below ridge; the floor undoes cancellation.
        self.root: Floats = vectors / np.sqrt(np.maximum(values, self.ridge))

    def times(self, shared: Floats, own: Floats) -> tuple[Floats, Floats]:
        """The precision times ((d,), (m,))."""
        return self.gram @ shared + self.cross.T @ own, self.cross @ shared + self.diagonal * own

    def solve(self, shared: Floats, own: Floats) -> tuple[Floats, Floats]:
        """The (d,) and (m,) whose product with the precision is (shared, own), as of the last refresh."""
        theta = self.root @ (self.root.T @ (shared - self.pull.T @ own))
        return theta, (own - self.cross @ theta) / self.diagonal

    def scores(self, x: Floats, candidates: NDArray[np.int32], mean: Floats, scale: Floats) -> Scores:
        """Scores scale * (x . theta + rho) around ``mean``; x (n, k, d), the others (n, k)."""
        return Scores(
            mean=mean,
            loading=scale[..., None] * ((x - self.pull[candidates]) @ self.root),
            own=np.square(scale) / self.diagonal[candidates],
        )
