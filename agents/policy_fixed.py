"""The frozen control: one named variant where it is a candidate, all of them evenly where it is not."""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.policy_pmf import uniform_probs
from copybandit.sim.types import DataError, Floats, Ints


class FixedVariants:
    """Shows the named variants of a request evenly; a request that has none gets any candidate. Never learns.

    Args:
        variants: which, e.g. one per product.

    Raises:
        DataError: a variant is negative.
    """

    name = "fixed"

    def __init__(self, variants: tuple[int, ...]) -> None:
        if any(variant < 0 for variant in variants):
            raise DataError(f"fixed: variants must be at least 0, got {variants}; use variant indices")
        self.variants = variants

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k); ``rng`` is not used."""
        named = batch.present & np.isin(batch.candidates, np.array(self.variants, dtype=np.int64))
        return uniform_probs(np.where(named.any(axis=1, keepdims=True), named, batch.present))

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Has nothing to learn."""

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Has nothing to forget."""
