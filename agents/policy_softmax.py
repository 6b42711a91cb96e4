"""Softmax on the prediction of the warm-started linear model: p(a) proportional to exp(predicted click / temperature)."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_on_model import OnLinearModel
from copybandit.agents.policy_pmf import check_setting, with_floor
from copybandit.agents.stateful import Settings
from copybandit.sim.types import Bools, Floats


class Softmax(OnLinearModel):
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
        super().__init__(epsilon, **options)
        self.temperature = check_setting(self.name, "temperature", temperature)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), softmax mixed with the floor."""
        share = softmax(self._model.predict(batch), batch.present, self.temperature)
        return with_floor(share, batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The prediction in parts."""
        return self._model.parts(batch, names).choice(
            batch, lambda score: softmax(score, batch.present, self.temperature), self.epsilon
        )

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"temperature": self.temperature, **super().settings()}


def softmax(score: Floats, present: Bools, temperature: float) -> Floats:
    """Shares proportional to exp(score / temperature), 0 where absent, shape (n, k)."""
    masked = np.where(present, score, -np.inf)
    # The best is taken off before dividing: the exponent is never above 0.
    power = np.exp((masked - masked.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(power / power.sum(axis=1, keepdims=True))
