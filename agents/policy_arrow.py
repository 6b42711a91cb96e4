"""A Gaussian over theta, shared by all variants, and rho, one scalar per variant: its precision is an arrow.

    precision = [[gram, cross'], [cross, diag(diagonal)]]

It is kept centred: each variant's weight D_v, the weighted mean c_v = cross_v / D_v of what it was shown with, and the
Schur complement S = gram - cross' diag(D)^-1 cross. A row (x, v, weight w) moves them as Welford's means move:

    u = x - c_v,   k = w D_v / (D_v + w),   S += k u u',   c_v += w / (D_v + w) u,   D_v += w

Only squares are added, so nothing cancels, and an update touches its own variants alone. Beside S stands the lower
triangle W with W S W' = 1, so that S^-1 = W' W and W u has variance 1: a few rows move it by Carlson's square-root update
(AIAA J. 1973), many rows and every `REFRESH` rows compute it anew from S, so that its error cannot grow. There is one
such W with a positive diagonal, so it does not matter how the rows came.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.stateful import Arrays, fill
from copybandit.sim.types import Floats, Ints

REFRESH = 4096
"""Rows after which the whitening triangle is computed anew."""
SLICE = 1 << 16
"""Variants that are worked on at once where all of them are."""


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
        return np.asarray(self.own + np.einsum("nkd,nkd->nk", self.loading, self.loading))


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What many rows at once did to the means: n rows of t variants.

    Attributes:
        order: shape (n,), rows sorted by variant.
        first: shape (t,), where each variant starts among them.
        group: shape (n,), which of the t each sorted row belongs to.
        variants: shape (t,).
        before: shape (t,), their weight before.
        after: shape (t,), their weight now.
        shift: shape (t, d), by how much their means moved.
        rest: shape (n, d), sorted rows less the new mean.
    """

    order: Ints
    first: Ints
    group: Ints
    variants: Ints
    before: Floats
    after: Floats
    shift: Floats
    rest: Floats


class Arrow:
    """The precision of (theta, rho) before and after rows of feedback.

    All it knows lies in two arrays: ``shared``, shape (2 d + 2, d), and ``each``, shape (m, d + 2), a row per variant.

    Args:
        n_actions: number of variants m.
        width: shared coefficients d.
        ridge: precision of theta before data; no eigenvalue of the Schur complement is below it.
        residual_ridge: precision of rho before data.
    """

    def __init__(self, *, n_actions: int, width: int, ridge: float, residual_ridge: float) -> None:
        self.ridge, self.residual_ridge, self.width = ridge, residual_ridge, width
        self.shared: Floats = np.zeros((2 * width + 2, width))
        self.each: Floats = np.zeros((n_actions, width + 2))
        self.schur[:] = ridge * np.eye(width)
        self.whiten[:] = np.eye(width) / np.sqrt(ridge)
        self.diagonal[:] = residual_ridge
        self.since = 0

    @property
    def schur(self) -> Floats:
        """The Schur complement S, shape (d, d), a view."""
        return self.shared[: self.width]

    @property
    def whiten(self) -> Floats:
        """The lower triangle W, shape (d, d), a view."""
        return self.shared[self.width : 2 * self.width]

    @property
    def right(self) -> Floats:
        """The centred right side that `theta` solves S for, where a model keeps one; shape (d,), a view."""
        return np.asarray(self.shared[-2])

    @property
    def theta(self) -> Floats:
        """Shape (d,), a view."""
        return np.asarray(self.shared[-1])

    @property
    def centre(self) -> Floats:
        """Mean features c_v of what each variant was shown with, shape (m, d), a view."""
        return self.each[:, : self.width]

    @property
    def diagonal(self) -> Floats:
        """Weight D_v of each variant, shape (m,), a view."""
        return np.asarray(self.each[:, self.width])

    @property
    def level(self) -> Floats:
        """Mean answer of each variant, where a model keeps one; shape (m,), a view."""
        return np.asarray(self.each[:, self.width + 1])

    def copy(self) -> Arrow:
        """One that can be added to without changing this one."""
        return self.part(np.arange(len(self.each)))

    def part(self, variants: Ints) -> Arrow:
        """One of theta and the rho of some variants alone, (t,), which can be added to without changing this one."""
        other = object.__new__(Arrow)
        vars(other).update(vars(self))
        other.shared, other.each = self.shared.copy(), self.each[variants]
        return other

    def is_few(self, rows: int) -> bool:
        """Whether so many rows are cheaper one by one than by computing the triangle anew."""
        return rows <= max(8, self.width // 2)

    def add(self, x: Floats, variant: Ints, weight: Floats) -> None:
        """Adds sum of weight * (x, one-hot) (x, one-hot)'; x (n, d), variant (n,), weight (n,) >= 0."""
        told = weight > 0
        if not told.any():
            return
        if not self.is_few(len(x)):
            self.move(x[told], variant[told], weight[told])
            return
        for row in np.flatnonzero(told):
            self.step(x[row], int(variant[row]), float(weight[row]))

    def step(self, x: Floats, variant: int, weight: float) -> tuple[Floats, float, Floats]:
        """Adds one row of positive weight: u, k and S^-1 u after it; x (d,)."""
        before = self.diagonal[variant]
        after = before + weight
        u, k = x - self.centre[variant], float(weight * before / after)
        whiten, schur = self.whiten, self.schur
        white = whiten @ u
        grown = 1 + k * np.cumsum(np.square(white))
        below = np.concatenate([[1.0], grown[:-1]])
        summed = np.cumsum(white[:, None] * whiten, axis=0)
        schur += np.outer(k * u, u)
        whiten *= np.sqrt(below / grown)[:, None]
        whiten[1:] -= (k * white / np.sqrt(below * grown))[1:, None] * summed[:-1]
        self.centre[variant] += weight / after * u
        self.diagonal[variant] = after
        self.count(1)
        return u, k, summed[-1] / grown[-1]

    def count(self, rows: int) -> None:
        """Notes that the triangle was moved by so many rows; computes it anew when they are many."""
        self.since += rows
        if self.since >= REFRESH:
            self.refresh()

    def move(self, x: Floats, variant: Ints, weight: Floats) -> Moved:
        """Adds rows of positive weight all at once and computes the triangle anew; x (n, d), the others (n,)."""
        order = np.argsort(variant, kind="stable")
        x, variant, weight = x[order], variant[order], weight[order]
        first = np.flatnonzero(np.r_[True, variant[1:] != variant[:-1]])
        group = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(variant)]))
        variants = variant[first]
        before, centred = self.diagonal[variants], x - self.centre[variant]
        after = before + np.add.reduceat(weight, first)
        shift = np.add.reduceat(weight[:, None] * centred, first) / after[:, None]
        rest = centred - shift[group]
        self.schur[:] += (weight[:, None] * rest).T @ rest + (before[:, None] * shift).T @ shift
        self.centre[variants] += shift
        self.diagonal[variants] = after
        self.refresh()
        return Moved(
            order=order,
            first=first,
            group=group,
            variants=variants,
            before=before,
            after=after,
            shift=shift,
            rest=rest,
        )

    def refresh(self) -> None:
        """The whitening triangle anew, from the Schur complement."""
        values, vectors = np.linalg.eigh((self.schur + self.schur.T) / 2)
        # In exact arithmetic no eigenvalue is below ridge; the floor undoes what rounding takes off.
        root = vectors / np.sqrt(np.maximum(values, self.ridge))
        # root root' is the inverse; turned into a triangle without squaring, from the last column on.
        triangle: Floats = np.asarray(np.linalg.qr(root[::-1].T, mode="r"))[::-1, ::-1]
        signs = np.where(np.diagonal(triangle) < 0, -1.0, 1.0)
        self.whiten[:] = signs[:, None] * triangle
        self.since = 0

    def forget(self, keep: float) -> None:
        """Mixes both sides with those before any data: keep * (precision, moments) + (1 - keep) * prior.

        With weights D the new ones are D* = keep D + (1 - keep) residual_ridge, and the means shrink by
        keep D / D*. What that takes from their squares the Schur complement gains, and the right side from their
        products. What the right side is before any data, the model adds.

        Args:
            keep: in [0, 1].
        """
        schur, right, rest = self.schur, self.right, (1 - keep) * self.residual_ridge
        schur *= keep
        schur += (1 - keep) * self.ridge * np.eye(self.width)
        right *= keep
        for start in range(0, len(self.each), SLICE):
            part = slice(start, start + SLICE)
            centre, level, kept = self.centre[part], self.level[part], keep * self.diagonal[part]
            share = kept / (kept + rest)
            lost = share * rest
            schur += (lost[:, None] * centre).T @ centre
            right += (lost * level) @ centre
            centre *= share[:, None]
            level *= share
            self.diagonal[part] = kept + rest
        self.refresh()

    def forget_own(self, keep: float, variants: Ints) -> None:
        """The same for the distribution of some variants' rho given theta, while theta keeps its own; variants (v,)."""
        kept = keep * self.diagonal[variants]
        after = kept + (1 - keep) * self.residual_ridge
        self.centre[variants] *= (kept / after)[:, None]
        self.level[variants] *= kept / after
        self.diagonal[variants] = after

    def times(self, shared: Floats, own: Floats) -> tuple[Floats, Floats]:
        """The precision times ((d,), (m,))."""
        weighted = self.diagonal * (self.centre @ shared + own)
        return self.schur @ shared + weighted @ self.centre, weighted

    def solve_shared(self, right: Floats) -> Floats:
        """The (d,) whose product with the Schur complement is ``right``."""
        return np.asarray((self.whiten @ right) @ self.whiten)

    def solve(self, shared: Floats, own: Floats) -> tuple[Floats, Floats]:
        """The (d,) and (m,) whose product with the precision is (shared, own)."""
        theta = self.solve_shared(shared - own @ self.centre)
        return theta, own / self.diagonal - self.centre @ theta

    def scores(self, x: Floats, candidates: NDArray[np.int32], mean: Floats, scale: Floats) -> Scores:
        """Scores scale * (x . theta + rho) around ``mean``; x (n, k, d) less the candidates' means, the others (n, k)."""
        return Scores(
            mean=mean,
            loading=scale[..., None] * (x @ self.whiten.T),
            own=np.square(scale) / self.diagonal[candidates],
        )

    def get_state(self) -> Arrays:
        """What rows of feedback change; views."""
        return {"shared": self.shared, "each": self.each, "since": np.array(self.since)}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)
        self.since = int(state["since"])
