"""LinTS: Thompson sampling on the warm-started linear model, its probabilities by a fixed rule instead of draws.

The expected clicks of a request's candidates are jointly normal, correlated through theta. The logged vector is the
rule of `policy_best` on that posterior, mixed with the floor: it is exactly what is drawn from, and no randomness
enters it, so a replay finds the same vector. Thompson: Biometrika 1933; linear: Agrawal & Goyal, ICML 2013.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import Batch
from copybandit.agents.desk_row import Answer, Request
from copybandit.agents.explain_linear import best_given_scores
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.fast import desk_kernel, kernel
from copybandit.agents.policy_best import best_of_normals, particles
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_linear import LinearModel
from copybandit.agents.policy_pmf import check_epsilon, check_points, with_floor
from copybandit.agents.stateful import Arrays, Settings
from copybandit.sim.types import Floats, Ints


class LinTS:
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
        self.points = check_points(self.name, points)
        self.epsilon = check_epsilon(epsilon)
        self._model = LinearModel(**options)

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

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the linear model."""
        self._model.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the model learned toward the warm start; see `forgetful`."""
        self._model.forget(keep, variants)

    def serve(self, request: Request, numbers: Floats, indices: NDArray[np.int32], actions: Floats) -> int:
        """The compiled decision of a `desk`: its column, or -1 where it must go the long way."""
        fast = desk_kernel()
        if fast is None:
            return -1
        points = particles(self.points, self._model.width + indices.shape[1] - 1)
        try:
            column: int = fast.serve_thompson(
                *request, numbers, indices, actions, *self._model.posterior, points, self.epsilon
            )
        except TypeError:  # arrays of another kind
            return -1
        return column

    def answer(self, told: Answer, numbers: Floats, indices: NDArray[np.int32], actions: Floats) -> bool:
        """The compiled update of a `desk`; False, and nothing is changed, where it must go the long way."""
        fast = desk_kernel()
        if fast is None or not fast.answer(*told, numbers, indices, actions, *self._model.posterior):
            return False
        self._model.count(1)
        return True

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"points": self.points, "epsilon": self.epsilon, **self._model.settings()}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return self._model.get_state()

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        self._model.set_state(state)
