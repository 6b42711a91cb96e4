"""The rows that a policy can still be fitted to: a ring of the last ones."""

from __future__ import annotations

import numpy as np

from copybandit.agents.stateful import Arrays, fill
from copybandit.sim.types import Floats, Ints


class RowMemory:
    """The last ``kept`` rows of feedback, in the order of their places in the ring.

    Args:
        kept: how many, at least 1.
        inputs: columns of an input.
    """

    def __init__(self, *, kept: int, inputs: int) -> None:
        self.rows = 0
        self._input: Floats = np.zeros((kept, inputs))
        self._variant: Ints = np.zeros(kept, dtype=np.int64)
        self._told: Floats = np.zeros((kept, 3))

    def __len__(self) -> int:
        return min(self.rows, len(self._input))

    def add(self, x: Floats, variant: Ints, prior: Floats, reward: Floats, weight: Floats) -> None:
        """Puts rows in the places of the oldest; x (n, inputs), the others (n,)."""
        kept, n = len(self._input), len(x)
        last = slice(max(0, n - kept), n)
        place = (self.rows + np.arange(n)[last]) % kept
        self._input[place] = x[last]
        self._variant[place] = variant[last]
        self._told[place] = np.stack([prior, reward, weight], axis=1)[last]
        self.rows += n

    def fade(self, keep: float, variants: Ints | None) -> None:
        """Lets the rows of these variants, or all of them, count so much of what they did."""
        rows = slice(None) if variants is None else np.isin(self._variant, variants)
        self._told[rows, 2] *= keep

    @property
    def input(self) -> Floats:
        """Shape (len, inputs)."""
        return self._input[: len(self)]

    @property
    def variant(self) -> Ints:
        """Shape (len,)."""
        return self._variant[: len(self)]

    @property
    def told(self) -> tuple[Floats, Floats, Floats]:
        """Prior, reward and weight, each (len,)."""
        prior, reward, weight = self._told[: len(self)].T
        return prior, reward, weight

    def get_state(self) -> Arrays:
        """All it holds, by name; views."""
        return {
            "rows": np.array(self.rows),
            "input": self._input,
            "variant": self._variant,
            "told": self._told,
        }

    def set_state(self, state: Arrays) -> None:
        """Holds what `get_state` of one of the same size told."""
        fill(self.get_state(), state)
        self.rows = int(state["rows"])
