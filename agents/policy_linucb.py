"""LinUCB: the warm-started linear model with a bonus for doubt. Li, Chu, Langford, Schapire, WWW 2010."""

from __future__ import annotations

from contextlib import suppress
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import Batch
from copybandit.agents.desk_row import Answer, Request
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.fast import desk_kernel, kernel
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_linear import LinearModel
from copybandit.agents.policy_pmf import check_epsilon, check_setting, greedy, greedy_probs
from copybandit.agents.stateful import Arrays, Settings
from copybandit.sim.types import Floats, Ints


class LinUCB:
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
        self.alpha = check_setting("linucb", "alpha", alpha, zero=True)
        self.epsilon = check_epsilon(epsilon)
        self._model = LinearModel(**options)

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

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Adds the shown rows to the normal equations and solves them once."""
        self._model.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the model learned toward the warm start; see `forgetful`."""
        self._model.forget(keep, variants)

    def serve(self, request: Request, numbers: Floats, indices: NDArray[np.int32], actions: Floats) -> int:
        """The compiled decision of a `desk`: its column, or -1 where it must go the long way."""
        fast = desk_kernel()
        if fast is None:
            return -1
        try:
            column: int = fast.serve_optimistic(
                *request, numbers, indices, actions, *self._model.posterior, self.alpha, self.epsilon
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
        return {"alpha": self.alpha, "epsilon": self.epsilon, **self._model.settings()}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return self._model.get_state()

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        self._model.set_state(state)
