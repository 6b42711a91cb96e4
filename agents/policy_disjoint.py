"""Linear policies with coefficients of each variant's own, for shops with few variants and much traffic.

LinUCB with disjoint models: Li, Chu, Langford, Schapire, WWW 2010; LinTS: Agrawal & Goyal, ICML 2013. The model, around
the warm start, is `disjoint_model`.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.disjoint_model import DisjointModel, DisjointOptions
from copybandit.agents.explain_parts import FeatureNames, Parts, evened
from copybandit.agents.policy_independent import best_of_independent
from copybandit.agents.policy_pmf import (
    check_epsilon,
    check_points,
    check_setting,
    greedy,
    greedy_probs,
    with_floor,
)
from copybandit.agents.stateful import Arrays, Settings
from copybandit.sim.types import Floats, Ints


class DisjointLinUCB:
    """Optimistic choice under `DisjointModel`: epsilon-greedy on prediction plus alpha standard errors.

    Args:
        alpha: width of the optimism bonus in standard errors, >= 0.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the model.

    Raises:
        DataError: a setting is out of range.
    """

    name = "disjoint_linucb"

    def __init__(
        self, *, alpha: float = 0.5, epsilon: float = 0.02, **options: Unpack[DisjointOptions]
    ) -> None:
        self.alpha = check_setting(self.name, "alpha", alpha, zero=True)
        self.epsilon = check_epsilon(epsilon)
        self.model = DisjointModel(**options)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on prediction plus alpha standard errors; ``rng`` is not used."""
        mean, deviation = self.model.scores(batch)
        return greedy_probs(mean + self.alpha * deviation, batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The prediction in parts and the bonus for doubt."""
        _, deviation = self.model.scores(batch)
        return self.model.parts(batch, names).choice(
            batch, lambda score: greedy(score, batch.present), self.epsilon, bonus=self.alpha * deviation
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the model."""
        self.model.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the model learned toward the warm start; see `forgetful`."""
        self.model.forget(keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"alpha": self.alpha, "epsilon": self.epsilon, **self.model.settings()}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return self.model.get_state()

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        self.model.set_state(state)


class DisjointLinTS:
    """Chooses each candidate as often as the posterior thinks it the best; scores of variants are independent.

    Args:
        spread: standard deviations are multiplied by it, above 0; below 1 explores less than the posterior says.
        points: of the quadrature, at least 8.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the model.

    Raises:
        DataError: a setting is out of range.
    """

    name = "disjoint_lints"

    def __init__(
        self,
        *,
        spread: float = 1.0,
        points: int = 64,
        epsilon: float = 0.02,
        **options: Unpack[DisjointOptions],
    ) -> None:
        self.spread = check_setting(self.name, "spread", spread)
        self.points = check_points(self.name, points)
        self.epsilon = check_epsilon(epsilon)
        self.model = DisjointModel(**options)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), posterior probability of being the best, mixed with the floor; ``rng`` is not used."""
        mean, deviation = self.model.scores(batch)
        return with_floor(self._best(mean, deviation, batch), batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The posterior mean in parts; a score is asked with the doubt as it is."""
        mean, deviation = self.model.scores(batch)
        variance = evened(np.square(deviation), batch.present)
        even = np.broadcast_to(np.sqrt(variance), mean.shape)
        return self.model.parts(batch, names).choice(
            batch,
            lambda score: self._best(score, deviation, batch),
            self.epsilon,
            even=self._best(mean, even, batch),
        )

    def _best(self, mean: Floats, deviation: Floats, batch: Batch) -> Floats:
        """Probability of being the best, shape (n, k)."""
        return best_of_independent(mean, self.spread * deviation, batch.present, self.points)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the model."""
        self.model.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the model learned toward the warm start; see `forgetful`."""
        self.model.forget(keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {
            "spread": self.spread,
            "points": self.points,
            "epsilon": self.epsilon,
            **self.model.settings(),
        }

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return self.model.get_state()

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        self.model.set_state(state)
