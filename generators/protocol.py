"""What a writer is: something that proposes copy for briefs and can say how likely it finds a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from copybandit.sim.types import Brief, Floats, Variant


class Generator(Protocol):
    """Writers only write; all training is in `copybandit.agents`."""

    @property
    def generator_id(self) -> str:
        """Name that every variant of this writer carries."""
        ...

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        """Write `n` variants for each brief; the same generator state gives the same variants."""
        ...

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        """Log probability of each text given its brief, shape (n,); -inf for a text that cannot be written."""
        ...
