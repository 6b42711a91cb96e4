"""SquareCB: inverse gap weighting on the warm-started linear model. Foster & Rakhlin, ICML 2020, algorithm 1.

    p(a) = 1 / (K + gamma (y(best) - y(a))) for a != best,   p(best) = the rest,   gamma = scale * (1 + rows)^exponent

with K candidates present and y the predicted click. Candidates that tie for the best share what their formulas add up
to, so that the order of columns carries no meaning.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_on_model import OnLinearModel
from copybandit.agents.policy_pmf import best_of, check_setting, with_floor
from copybandit.agents.stateful import Arrays, Settings, check_state
from copybandit.sim.types import Bools, Floats, Ints

MOST = 1e100
"""Largest gamma: times any gap it is still finite."""


class SquareCB(OnLinearModel):
    """Explores a candidate in inverse proportion to its predicted loss.

    Args:
        scale: of gamma, per unit of reward, above 0; the smaller the rewards, the larger it must be.
        exponent: growth of gamma with the rows learned, >= 0; 1/2 is the theory's for a finite horizon.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the linear model.

    Raises:
        DataError: a setting is out of range.
    """

    name = "squarecb"

    def __init__(
        self,
        *,
        scale: float = 1000.0,
        exponent: float = 0.5,
        epsilon: float = 0.02,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(epsilon, **options)
        self.scale = check_setting(self.name, "scale", scale)
        self.exponent = check_setting(self.name, "exponent", exponent, zero=True)
        self._rows = 0.0

    @property
    def gamma(self) -> float:
        """Learning rate now, per unit of reward; greedy in all but name where it is `MOST`."""
        with np.errstate(over="ignore"):
            return min(float(self.scale * np.float64(1 + self._rows) ** self.exponent), MOST)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), inverse gap weights mixed with the floor."""
        probs = inverse_gap(self._model.predict(batch), batch.present, self.gamma)
        return with_floor(probs, batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The prediction in parts."""
        return self._model.parts(batch, names).choice(
            batch, lambda score: inverse_gap(score, batch.present, self.gamma), self.epsilon
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the linear model and counts the rows by weight."""
        super().update(batch, column, reward, weight)
        self._rows += float(weight.sum())

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the model learned toward the warm start, and the count of rows if everything fades."""
        super().forget(keep, variants)
        if variants is None:
            self._rows *= keep

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {
            "scale": self.scale,
            "exponent": self.exponent,
            **super().settings(),
        }

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {**super().get_state(), "rows": np.array(self._rows)}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        check_state(self.get_state(), state)
        super().set_state({name: array for name, array in state.items() if name != "rows"})
        self._rows = float(state["rows"])


def inverse_gap(score: Floats, present: Bools, gamma: float) -> Floats:
    """Inverse gap weights, shape (n, k); score and present (n, k), gamma above 0."""
    best = best_of(score, present)
    top = np.where(present, score, -np.inf).max(axis=1, keepdims=True)
    gap = np.where(present & ~best, top - score, 0.0)
    k = present.sum(axis=1, keepdims=True)
    others = np.where(present & ~best, 1 / (k + gamma * gap), 0.0)
    share = (1 - others.sum(axis=1, keepdims=True)) / best.sum(axis=1, keepdims=True)
    return np.where(best, share, others)
