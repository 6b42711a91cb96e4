"""What a policy with coefficients of each variant's own reads of a request: [1, context, waves over the context].

    wave_j = sqrt(2 / D) cos(w_j . context + b_j),   w_j ~ N(0, 1 / width^2),   b_j uniform on (0, 2 pi)

The products of D waves come close to the Gaussian kernel exp(-|x - x'|^2 / (2 width^2)), so that a linear model in them
is a Gaussian process (Rahimi & Recht, NIPS 2007). They are drawn once, from a seed of their own.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.policy_pmf import check_setting
from copybandit.agents.stateful import Settings
from copybandit.sim.types import DataError, Floats


class ContextFeatures:
    """The map from contexts to z.

    Args:
        n_context: columns p of the context.
        waves: D, 0 for none.
        width: of the kernel in units of the context, above 0.
        seed: of the waves.

    Raises:
        DataError: a setting is out of range.
    """

    def __init__(self, *, n_context: int, waves: int = 0, width: float = 1.0, seed: int = 0) -> None:
        if n_context < 0 or waves < 0:
            raise DataError(
                f"context features: n_context and waves must be at least 0, got {n_context} and {waves}; raise them"
            )
        rng = np.random.default_rng([seed, 41])
        self.n_context, self.waves = n_context, waves
        self.width = check_setting("context features", "width", width)
        self._direction: Floats = rng.normal(size=(n_context, waves)) / self.width
        self._phase: Floats = rng.uniform(0, 2 * np.pi, waves)

    @property
    def size(self) -> int:
        """Entries d of z."""
        return 1 + self.n_context + self.waves

    def settings(self) -> Settings:
        """What makes the like of it, the seed aside."""
        return {"n_context": self.n_context, "waves": self.waves, "width": self.width}

    def __call__(self, context: Floats) -> Floats:
        """z, shape (n, 1 + p + D), of contexts of shape (n, p).

        Raises:
            DataError: the context has other columns.
        """
        if context.shape[1] != self.n_context:
            raise DataError(
                f"features: context columns must be {self.n_context}, got {context.shape[1]}; "
                "give the context the policy was made for"
            )
        parts = [np.ones((len(context), 1)), context]
        if self.waves:
            parts.append(np.sqrt(2 / self.waves) * np.cos(context @ self._direction + self._phase))
        return np.hstack(parts)
