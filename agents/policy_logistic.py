"""Thompson sampling on the logistic model around the warm start; the probability of being the best is `policy_best`'s."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_linear import best_given_scores
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.policy_best import best_of_normals
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_laplace import LogisticModel
from copybandit.agents.policy_pmf import check_epsilon, check_points, check_rate, with_floor
from copybandit.agents.stateful import Arrays, Settings
from copybandit.sim.types import Floats, Ints


class LogisticThompson:
    """Chooses each candidate as often as the posterior thinks it the best; learns rewards in [0, 1].

    Args:
        points: that stand for the posterior, even, at least 8; more are closer to the integral and slower.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the model; coefficients are in log-odds.

    Raises:
        DataError: a setting is out of range.
    """

    name = "logistic_thompson"

    def __init__(self, *, points: int = 128, epsilon: float = 0.02, **options: Unpack[LinearOptions]) -> None:
        self.points = check_points(self.name, points)
        self.epsilon = check_epsilon(epsilon)
        self.model = LogisticModel(**options)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), posterior probability of being the best, mixed with the floor; ``rng`` is not used."""
        best = best_of_normals(self.model.scores(batch), batch.present, batch.candidates, self.points)
        return with_floor(best, batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The posterior mean in parts; a score is asked with the doubt as it is."""
        choose, even = best_given_scores(self.model.scores(batch), batch, self.points)
        return self.model.parts(batch, names).choice(batch, choose, self.epsilon, even=even)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Moves the posterior by one batch; reward is in [0, 1]."""
        check_feedback(batch, column, reward, weight)
        check_rate(self.name, reward)
        self.model.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the model learned toward the warm start; see `forgetful`."""
        self.model.forget(keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"points": self.points, "epsilon": self.epsilon, **self.model.settings()}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return self.model.get_state()

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        self.model.set_state(state)
