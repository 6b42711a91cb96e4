"""LinTS: Thompson sampling on the warm-started linear model, its probabilities by a fixed rule instead of draws.

The expected clicks of a request's candidates are jointly normal, correlated through theta. The logged vector is the
rule of `policy_best` on that posterior, mixed with the floor: it is exactly what is drawn from, and no randomness
enters it, so a replay finds the same vector. Thompson: Biometrika 1933; linear: Agrawal & Goyal, ICML 2013.
"""

from __future__ import annotations

from contextlib import suppress
from types import ModuleType
from typing import Any, Unpack

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_linear import best_given_scores
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.fast import kernel
from copybandit.agents.policy_best import best_of_normals, particles
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_on_model import ServedOnLinearModel
from copybandit.agents.policy_pmf import check_points, with_floor
from copybandit.agents.stateful import Settings
from copybandit.sim.types import Floats


class LinTS(ServedOnLinearModel):
    """Chooses each candidate as often as the posterior thinks it the best.

    Args:
        points: that stand for the posterior, even, at least 8; more are closer to the integral and slower.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the linear model.

    Raises:
        DataError: a setting is out of range.
    """

    name = "lints"

    def __init__(self, *, points: int = 128, epsilon: float = 0.02, **options: Unpack[LinearOptions]) -> None:
        super().__init__(epsilon, **options)
        self.points = check_points(self.name, points)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), posterior probability of being the best, mixed with the floor; ``rng`` is not used."""
        fast = kernel()
        if fast is not None:
            points = particles(self.points, self._model.width + batch.candidates.shape[1])
            with suppress(TypeError):  # arrays of another kind
                probs: Floats = fast.thompson(
                    *self._model.seen(batch), *self._model.posterior, points, self.epsilon
                )
                return probs
        best = best_of_normals(self._model.scores(batch), batch.present, batch.candidates, self.points)
        return with_floor(best, batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The posterior mean in parts; a score is asked with the doubt as it is."""
        choose, even = best_given_scores(self._model.scores(batch), batch, self.points)
        return self._model.parts(batch, names).choice(batch, choose, self.epsilon, even=even)

    def _serve(self, compiled: ModuleType, row: tuple[Any, ...], slots: int) -> int:
        points = particles(self.points, self._model.width + slots)
        column: int = compiled.serve_thompson(*row, points, self.epsilon)
        return column

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"points": self.points, **super().settings()}
