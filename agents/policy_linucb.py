"""LinUCB: the warm-started linear model with a bonus for doubt. Li, Chu, Langford, Schapire, WWW 2010."""

from __future__ import annotations

from contextlib import suppress
from types import ModuleType
from typing import Any, Unpack

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.fast import kernel
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_on_model import ServedOnLinearModel
from copybandit.agents.policy_pmf import check_setting, greedy, greedy_probs
from copybandit.agents.stateful import Settings
from copybandit.sim.types import Floats


class LinUCB(ServedOnLinearModel):
    """Optimistic choice under `LinearModel`: epsilon-greedy on prediction plus alpha standard errors.

    Args:
        alpha: width of the optimism bonus in standard errors, >= 0.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the linear model.

    Raises:
        DataError: a setting is out of range.
    """

    name = "linucb"

    def __init__(
        self, *, alpha: float = 0.5, epsilon: float = 0.02, **options: Unpack[LinearOptions]
    ) -> None:
        super().__init__(epsilon, **options)
        self.alpha = check_setting(self.name, "alpha", alpha, zero=True)

    @property
    def theta(self) -> Floats:
        """Shared coefficients, shape (d,); e_0 before any feedback."""
        return self._model.theta

    @property
    def residual(self) -> Floats:
        """Scalar correction of each variant, shape (m,)."""
        return self._model.residual

    def predict(self, batch: Batch) -> Floats:
        """Expected click, shape (n, k), without the optimism bonus."""
        return self._model.predict(batch)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on prediction plus alpha standard errors."""
        fast = kernel()
        if fast is not None:
            with suppress(TypeError):  # arrays of another kind
                probs: Floats = fast.optimistic(
                    *self._model.seen(batch), *self._model.posterior, self.alpha, self.epsilon
                )
                return probs
        scores = self._model.scores(batch)
        bonus = self.alpha * np.sqrt(scores.variance())
        return greedy_probs(scores.mean + bonus, batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The prediction in parts and the bonus for doubt."""
        bonus = self.alpha * np.sqrt(self._model.scores(batch).variance())
        return self._model.parts(batch, names).choice(
            batch, lambda score: greedy(score, batch.present), self.epsilon, bonus=bonus
        )

    def _serve(self, compiled: ModuleType, row: tuple[Any, ...], slots: int) -> int:
        column: int = compiled.serve_optimistic(*row, self.alpha, self.epsilon)
        return column

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"alpha": self.alpha, **super().settings()}
