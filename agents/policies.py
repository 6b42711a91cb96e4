"""Policies without a model: uniform, the warm start alone, and the classic A/B test.

All others live in files `policy_NAME` and are exported here.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_parts import FeatureNames, Parts, Record, stacked
from copybandit.agents.forgetful import check_forget, fade
from copybandit.agents.policy_bag import BootstrapBag
from copybandit.agents.policy_disjoint import DisjointLinTS, DisjointLinUCB
from copybandit.agents.policy_egreedy import EpsilonGreedy
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_horizon import HorizonIndex
from copybandit.agents.policy_lints import LinTS
from copybandit.agents.policy_linucb import LinUCB
from copybandit.agents.policy_logistic import LogisticThompson
from copybandit.agents.policy_neural_linear import NeuralLinear
from copybandit.agents.policy_pmf import check_epsilon, greedy, greedy_probs, uniform_probs, with_floor
from copybandit.agents.policy_softmax import Softmax
from copybandit.agents.policy_squarecb import SquareCB
from copybandit.agents.policy_thompson import BetaThompson
from copybandit.agents.policy_ucb1 import UCB1
from copybandit.agents.stateful import Arrays, Settings, fill
from copybandit.sim.types import Bools, DataError, Floats, Ints

__all__ = [
    "UCB1",
    "BetaThompson",
    "BootstrapBag",
    "DisjointLinTS",
    "DisjointLinUCB",
    "EpsilonGreedy",
    "ExploreThenCommit",
    "HorizonIndex",
    "LinTS",
    "LinUCB",
    "LogisticThompson",
    "NeuralLinear",
    "PriorGreedy",
    "Softmax",
    "SquareCB",
    "Uniform",
]


class Uniform:
    """Every present candidate with the same probability."""

    name = "uniform"

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), 1 / (number present)."""
        return uniform_probs(batch.present)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """No score: exploration is all there is."""
        present = batch.present
        return Parts(
            kinds=("warm start",),
            names=("",),
            value=np.zeros((*present.shape, 1)),
            present=present,
            choose=lambda score: uniform_probs(present),
            epsilon=1.0,
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Has nothing to learn; feedback that no learner could use is refused all the same."""
        check_feedback(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Has nothing to forget."""
        check_forget(keep, None, 0)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)


class PriorGreedy:
    """The candidate the fitted world likes best, with a uniform share for exploration; never learns.

    Args:
        epsilon: share of uniform exploration, in (0, 1].
    """

    name = "prior_greedy"

    def __init__(self, *, epsilon: float = 0.05) -> None:
        self.epsilon = check_epsilon(epsilon)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on the warm start."""
        return greedy_probs(batch.prior, batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The warm start is the score."""
        present = batch.present
        return Parts(
            kinds=("warm start",),
            names=("",),
            value=stacked(present, batch.prior),
            present=present,
            choose=lambda score: greedy(score, present),
            epsilon=self.epsilon,
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Has nothing to learn; feedback that no learner could use is refused all the same."""
        check_feedback(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Has nothing to forget."""
        check_forget(keep, None, 0)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"epsilon": self.epsilon}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)


class ExploreThenCommit:
    """The A/B test: split traffic evenly, then give it to the winner for good.

    A test runs per candidate set (the variants of one product): while its variants together have fewer than
    ``explore`` impressions the split is even; after that the winner is fixed, later feedback changes nothing.
    Feedback comes in batches, so a test can overrun by what one batch holds of it. The winner has the highest

        (clicks_v + smoothing * c) / (impressions_v + smoothing),   c = CTR of the whole test.

    Args:
        n_actions: number of variants m.
        explore: impressions per test.
        smoothing: pseudo-impressions that pull a variant towards the test's CTR.
        epsilon: share of uniform exploration after the commitment, in (0, 1]; keeps propensities positive.
    """

    name = "explore_then_commit"

    def __init__(
        self, *, n_actions: int, explore: float = 300.0, smoothing: float = 50.0, epsilon: float = 0.02
    ) -> None:
        if not (explore >= 0 and smoothing > 0):
            raise DataError(
                f"explore_then_commit: explore must be >= 0, smoothing > 0, got {explore} and {smoothing}; "
                "correct the settings"
            )
        self.explore = explore
        self.smoothing = smoothing
        self.epsilon = check_epsilon(epsilon)
        self._impressions: Floats = np.zeros(n_actions)
        self._clicks: Floats = np.zeros(n_actions)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), uniform while the test runs, then epsilon-greedy on its winner."""
        impressions, _, _, ctr = self._tests(batch)
        return with_floor(self._choose(batch.present, impressions, ctr), batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The CTR of the whole test, and how far each variant's own, smoothed, is from it."""
        impressions, clicks, pooled, ctr = self._tests(batch)
        present = batch.present
        return Parts(
            kinds=("common", "record"),
            names=("", ""),
            value=stacked(present, np.broadcast_to(pooled, ctr.shape), ctr - pooled),
            present=present,
            choose=lambda score: self._choose(present, impressions, score),
            epsilon=self.epsilon,
            record=Record(seen=impressions, clicks=clicks, unit="impressions"),
        )

    def _tests(self, batch: Batch) -> tuple[Floats, Floats, Floats, Floats]:
        """Impressions and clicks of each candidate, the CTR of its test (n, 1), and its own, smoothed."""
        check_variants(batch, len(self._clicks))
        impressions = np.where(batch.present, self._impressions[batch.candidates], 0.0)
        clicks = np.where(batch.present, self._clicks[batch.candidates], 0.0)
        total = impressions.sum(axis=1, keepdims=True)
        pooled = clicks.sum(axis=1, keepdims=True) / np.maximum(total, 1.0)
        return (
            impressions,
            clicks,
            pooled,
            (clicks + self.smoothing * pooled) / (impressions + self.smoothing),
        )

    def _choose(self, present: Bools, impressions: Floats, ctr: Floats) -> Floats:
        """Even while the test runs, then its winner; before the floor."""
        runs = impressions.sum(axis=1, keepdims=True) < self.explore
        return np.where(runs, uniform_probs(present), greedy(ctr, present))

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Counts the rows whose test still runs; reward is the click, 0 or 1."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self._clicks))
        impressions = np.where(batch.present, self._impressions[batch.candidates], 0.0)
        counted = np.where(impressions.sum(axis=1) < self.explore, weight, 0.0)
        shown, m = batch.shown(column), len(self._clicks)
        self._impressions += np.bincount(shown, counted, m)
        self._clicks += np.bincount(shown, counted * reward, m)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks the counts; a test whose impressions fall below ``explore`` goes on."""
        check_forget(keep, variants, len(self._clicks))
        for statistic in (self._impressions, self._clicks):
            fade(statistic, 0.0, keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {
            "n_actions": len(self._clicks),
            "explore": self.explore,
            "smoothing": self.smoothing,
            "epsilon": self.epsilon,
        }

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {"impressions": self._impressions, "clicks": self._clicks}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)
