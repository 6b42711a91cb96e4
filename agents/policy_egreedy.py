"""Epsilon-greedy on per-variant click ratios shrunk to the warm start.

    E[click] = prior * ratio_v,   ratio_v = (strength + sum reward) / (strength + sum prior)

over the impressions of v: the mean of a gamma posterior whose prior, of mean 1, is worth ``strength`` expected clicks.
Before any feedback the prediction is the warm start; a mean of one variant says nothing about another.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_parts import FeatureNames, Parts, Record, stacked
from copybandit.agents.forgetful import check_forget, fade
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_pmf import check_epsilon, check_setting, greedy, greedy_probs
from copybandit.agents.stateful import Arrays, Settings, fill
from copybandit.sim.types import Floats, Ints


class EpsilonGreedy:
    """The best posterior mean, with a uniform share for exploration.

    Args:
        n_actions: number of variants m.
        strength: expected clicks that the warm start is worth, above 0; 44 is a standard deviation of .15 of the ratio.
        epsilon: share of uniform exploration, in (0, 1].

    Raises:
        DataError: a setting is out of range.
    """

    name = "epsilon_greedy"

    def __init__(self, *, n_actions: int, strength: float = 44.0, epsilon: float = 0.05) -> None:
        self.strength = check_setting(self.name, "strength", strength)
        self.epsilon = check_epsilon(epsilon)
        self._expected: Floats = np.full(n_actions, strength, dtype=np.float64)
        self._clicks: Floats = np.full(n_actions, strength, dtype=np.float64)

    def predict(self, batch: Batch) -> Floats:
        """Expected click, shape (n, k)."""
        check_variants(batch, len(self._clicks))
        return np.asarray(batch.prior * (self._clicks / self._expected)[batch.candidates])

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on the prediction."""
        return greedy_probs(self.predict(batch), batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The warm start, and what the variant's own clicks add to it."""
        present, c = batch.present, batch.candidates
        return Parts(
            kinds=("warm start", "record"),
            names=("", ""),
            value=stacked(present, batch.prior, self.predict(batch) - batch.prior),
            present=present,
            choose=lambda score: greedy(score, present),
            epsilon=self.epsilon,
            record=Record(
                seen=self._expected[c] - self.strength,
                clicks=self._clicks[c] - self.strength,
                unit="expected clicks",
            ),
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Adds rewards and what the warm start expected of the same impressions."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self._clicks))
        shown, m = batch.shown(column), len(self._clicks)
        expected = batch.prior[np.arange(len(batch)), column]
        self._clicks += np.bincount(shown, weight * reward, m)
        self._expected += np.bincount(shown, weight * expected, m)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks the ratios toward the warm start; see `forgetful`."""
        check_forget(keep, variants, len(self._clicks))
        for statistic in (self._expected, self._clicks):
            fade(statistic, self.strength, keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"n_actions": len(self._clicks), "strength": self.strength, "epsilon": self.epsilon}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {"expected": self._expected, "clicks": self._clicks}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)
