"""UCB1 within each candidate set, the textbook's. Auer, Cesa-Bianchi, Fischer, Machine Learning 2002.

    score_v = clicks_v / impressions_v + width * sqrt(2 ln t / impressions_v),   t = impressions of the whole set

A variant that was never shown comes first. Only counts matter: neither the warm start nor features are used.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_parts import FeatureNames, Parts, Record, stacked
from copybandit.agents.forgetful import check_forget, fade
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_pmf import check_epsilon, check_setting, greedy, with_floor
from copybandit.agents.stateful import Arrays, Settings, fill
from copybandit.sim.types import Bools, Floats, Ints


class UCB1:
    """The highest upper bound of the click rate, with a uniform share for exploration.

    Args:
        n_actions: number of variants m.
        width: of the bound, >= 0; 1 is the textbook's for rewards in [0, 1].
        epsilon: share of uniform exploration, in (0, 1].

    Raises:
        DataError: a setting is out of range.
    """

    name = "ucb1"

    def __init__(self, *, n_actions: int, width: float = 1.0, epsilon: float = 0.02) -> None:
        self.width = check_setting(self.name, "width", width, zero=True)
        self.epsilon = check_epsilon(epsilon)
        self._impressions: Floats = np.zeros(n_actions)
        self._clicks: Floats = np.zeros(n_actions)

    def bound(self, batch: Batch) -> Floats:
        """Upper bound of each candidate's reward, infinite where it was never shown, shape (n, k)."""
        rate, bonus, _ = self._terms(batch)
        return np.asarray(rate + bonus)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on the bound; those never shown share it evenly."""
        return with_floor(untried_first(self.bound(batch), batch.present), batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The click rate and the bonus for doubt, which is infinite where a variant was never shown."""
        rate, bonus, shown = self._terms(batch)
        present = batch.present
        clicks = np.where(present, self._clicks[batch.candidates], 0.0)
        return Parts(
            kinds=("record", "doubt"),
            names=("", ""),
            value=stacked(present, rate, bonus),
            present=present,
            choose=lambda score: untried_first(score, present),
            epsilon=self.epsilon,
            record=Record(seen=shown, clicks=clicks, unit="impressions"),
        )

    def _terms(self, batch: Batch) -> tuple[Floats, Floats, Floats]:
        """Click rate, 0 where never shown, its bonus, infinite there, and impressions; each (n, k)."""
        check_variants(batch, len(self._clicks))
        shown = np.where(batch.present, self._impressions[batch.candidates], 0.0)
        tried = np.where(shown > 0, shown, 1.0)
        total = np.log(np.maximum(shown.sum(axis=1, keepdims=True), 1.0))
        rate = np.where(shown > 0, self._clicks[batch.candidates] / tried, 0.0)
        return rate, np.where(shown > 0, self.width * np.sqrt(2 * total / tried), np.inf), shown

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Counts impressions and clicks."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self._clicks))
        shown, m = batch.shown(column), len(self._clicks)
        self._impressions += np.bincount(shown, weight, m)
        self._clicks += np.bincount(shown, weight * reward, m)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks the counts; see `forgetful`."""
        check_forget(keep, variants, len(self._clicks))
        for statistic in (self._impressions, self._clicks):
            fade(statistic, 0.0, keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"n_actions": len(self._clicks), "width": self.width, "epsilon": self.epsilon}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {"impressions": self._impressions, "clicks": self._clicks}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)


def untried_first(bound: Floats, present: Bools) -> Floats:
    """Greedy on the bound, those with an infinite one sharing it evenly, shape (n, k)."""
    untried = present & np.isinf(bound)
    return greedy(np.where(untried.any(axis=1, keepdims=True), untried.astype(np.float64), bound), present)
