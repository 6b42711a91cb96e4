"""A writer with a handful of texts whose probabilities are known, whatever the brief."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.sim.types import Brief, Floats, Variant


@dataclass(frozen=True, kw_only=True)
class EnumerableWriter:
    """Draws `texts` with `probs`, shape (k,)."""

    texts: tuple[str, ...]
    probs: tuple[float, ...]
    generator_id: str = "enumerable"

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        rows = [rng.choice(len(self.texts), n, p=self.probs) for _ in briefs]
        return [[self._variant(brief, k) for k in row] for brief, row in zip(briefs, rows, strict=True)]

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        known = dict(zip(self.texts, self.probs, strict=True))
        with np.errstate(divide="ignore"):
            return np.log(np.array([known.get(text, 0.0) for text in texts], dtype=np.float64))

    def _variant(self, brief: Brief, k: int) -> Variant:
        return Variant(
            text=self.texts[k],
            product_id=brief.product.product_id,
            segment_id=brief.segment.segment_id if brief.segment else -1,
            generator_id=self.generator_id,
        )
