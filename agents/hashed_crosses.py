"""All products of a context column and an action column, hashed with signs into few features: a count sketch.

    phi_b = sum over (p, a) with h(p, a) = b of s(p, a) * context_p * action_a

On average over the hashes phi . phi' is (context . context') (action . action'), so a prior on the coefficients of phi is
the same prior on those of the products, whatever the number of buckets. Weinberger et al., ICML 2009.

h and s are read off the number 2^32 p + a of SplitMix64 with seed 0 (Steele, Lea, Flood, OOPSLA 2014): its lowest bit is
the sign, the others modulo the number of buckets the bucket. They are the same everywhere, so no checkpoint holds them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.types import Floats, Ints

AT_ONCE = 1 << 18
"""Weights that are laid out at once where there are many requests."""


def splitmix64(index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The numbers of SplitMix64 with seed 0 at ``index``, counted from 0; of any shape but ()."""
    z = (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


class HashedCrosses:
    """The map from context (p,) and action (q,) to phi.

    Args:
        n_context: columns p of ``Batch.context``.
        n_features: columns q of ``Batch.actions``.
        buckets: number H of features; may be 0.
    """

    def __init__(self, *, n_context: int, n_features: int, buckets: int) -> None:
        self.buckets = buckets
        p, a = np.arange(n_context, dtype=np.uint64), np.arange(n_features, dtype=np.uint64)
        z = splitmix64((p << np.uint64(32))[:, None] + a)
        self.bucket: Ints = ((z >> np.uint64(1)) % np.uint64(max(buckets, 1))).astype(np.int64)
        self.sign: Ints = 1 - 2 * (z & np.uint64(1)).astype(np.int64)

    def __call__(self, context: Floats, actions: Floats) -> Floats:
        """Phi of n requests with k candidates, shape (n, k, H); context (n, p), actions (n, k, q)."""
        (n, k, q), h = actions.shape, self.buckets
        phi, step = np.empty((n, k, h)), 1 + AT_ONCE // max(q * h, 1)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            phi[rows] = actions[rows] @ self._weights(context[rows])
        return phi

    def _weights(self, context: Floats) -> Floats:
        """What each action column counts in each bucket, shape (n, q, H)."""
        q = self.bucket.shape[1]
        weights, column = np.zeros((len(context), q, self.buckets)), np.arange(q)
        for p in range(len(self.bucket)):  # over context columns, never over requests
            weights[:, column, self.bucket[p]] += context[:, p, None] * self.sign[p]
        return weights

    def plan(self, first: int) -> Ints:
        """(feature, context column, action column, sign) of every product, shape (p q, 4); phi begins at ``first``."""
        p, a = np.indices(self.bucket.shape)
        rows = np.stack([first + self.bucket, p, a, self.sign], axis=-1)
        return rows.reshape(-1, 4) if self.buckets else np.empty((0, 4), dtype=np.int64)

    def names(self, context: tuple[str, ...], actions: tuple[str, ...]) -> tuple[str, ...]:
        """What the buckets are called, shape (H,): by the first product in each and how many more there are."""
        return tuple(self._name(b, context, actions) for b in range(self.buckets))

    def _name(self, bucket: int, context: tuple[str, ...], actions: tuple[str, ...]) -> str:
        pairs = np.argwhere(self.bucket == bucket)
        if not len(pairs):
            return f"hashed cross {bucket} (of nothing)"
        p, a = pairs[0]
        more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
        return f"hashed cross {bucket} ({actions[a]} for {context[p]}{more})"
