"""Policies without a model of the copy: uniform, the warm start alone, and the classic A/B test.

The others live beside it, one per file `policy_NAME`, and are exported here.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.policy_bag import BootstrapBag
from copybandit.agents.policy_disjoint import DisjointLinTS, DisjointLinUCB
from copybandit.agents.policy_egreedy import EpsilonGreedy
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_lints import LinTS
from copybandit.agents.policy_linucb import LinUCB
from copybandit.agents.policy_logistic import LogisticThompson
from copybandit.agents.policy_pmf import check_epsilon, greedy_probs, uniform_probs
from copybandit.agents.policy_softmax import Softmax
from copybandit.agents.policy_squarecb import SquareCB
from copybandit.agents.policy_thompson import BetaThompson
from copybandit.agents.policy_ucb1 import UCB1
from copybandit.sim.types import DataError, Floats, Ints

__all__ = [
    "UCB1",
    "BetaThompson",
    "BootstrapBag",
    "DisjointLinTS",
    "DisjointLinUCB",
    "EpsilonGreedy",
    "ExploreThenCommit",
    "LinTS",
    "LinUCB",
    "LogisticThompson",
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

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Has nothing to learn."""


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

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Has nothing to learn."""


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
                ""
                "correct the settings"
            )
        self.explore = explore
        self.smoothing = smoothing
        self.epsilon = check_epsilon(epsilon)
        self._impressions: Floats = np.zeros(n_actions)
        self._clicks: Floats = np.zeros(n_actions)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), uniform while the test runs, then epsilon-greedy on its winner."""
        check_variants(batch, len(self._clicks))
        impressions = np.where(batch.present, self._impressions[batch.candidates], 0.0)
        clicks = np.where(batch.present, self._clicks[batch.candidates], 0.0)
        total = impressions.sum(axis=1, keepdims=True)
        pooled = clicks.sum(axis=1, keepdims=True) / np.maximum(total, 1.0)
        ctr = (clicks + self.smoothing * pooled) / (impressions + self.smoothing)
        committed = greedy_probs(ctr, batch.present, self.epsilon)
        return np.where(total < self.explore, uniform_probs(batch.present), committed)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Counts the rows whose test still runs; reward is the click, 0 or 1."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self._clicks))
        impressions = np.where(batch.present, self._impressions[batch.candidates], 0.0)
        counted = np.where(impressions.sum(axis=1) < self.explore, weight, 0.0)
        shown, m = batch.shown(column), len(self._clicks)
        self._impressions += np.bincount(shown, counted, m)
        self._clicks += np.bincount(shown, counted * reward, m)
