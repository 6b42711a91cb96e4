"""Softmax on the prediction of the warm-started linear model: p(a) proportional to exp(predicted click / temperature)."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_linear import LinearModel
from copybandit.agents.policy_pmf import check_epsilon, check_setting, with_floor
from copybandit.agents.stateful import Arrays, Settings
from copybandit.sim.types import Bools, Floats, Ints


class Softmax:
    """Chooses the better the oftener; doubt plays no part.

    Args:
        temperature: difference in predicted click that makes a candidate e times as likely, above 0.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the linear model.

    Raises:
        DataError: a setting is out of range.
    """

    name = "softmax"

    def __init__(
        self, *, temperature: float = 0.001, epsilon: float = 0.02, **options: Unpack[LinearOptions]
    ) -> None:
        self.temperature = check_setting(self.name, "temperature", temperature)
        self.epsilon = check_epsilon(epsilon)
        self._model = LinearModel(**options)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), softmax mixed with the floor."""
        share = softmax(self._model.predict(batch), batch.present, self.temperature)
        return with_floor(share, batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The prediction in parts."""
        return self._model.parts(batch, names).choice(
            batch, lambda score: softmax(score, batch.present, self.temperature), self.epsilon
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the linear model."""
        self._model.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the model learned toward the warm start; see `forgetful`."""
        self._model.forget(keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"temperature": self.temperature, "epsilon": self.epsilon, **self._model.settings()}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return self._model.get_state()

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        self._model.set_state(state)


def softmax(score: Floats, present: Bools, temperature: float) -> Floats:
    """Shares proportional to exp(score / temperature), 0 where absent, shape (n, k)."""
    masked = np.where(present, score, -np.inf)
    # The best is taken off before dividing: the exponent is never above 0.
    power = np.exp((masked - masked.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(power / power.sum(axis=1, keepdims=True))
