"""A test that knows how long it will run: a finite-horizon index on a hierarchical prior.

    index_v = mean_v + sqrt(2 variance_v log(1 + left variance_v / mean_v))

mean and variance are those of the variant's click rate (`copybandit.agents.rate_prior`): a prior for every variant,
e.g. from its text, around a level that the candidates of a request share and that is learned. mean / variance is how many
impressions the belief is worth, so the logarithm counts how often the impressions that are left outweigh it: the bonus
falls to 0 at the horizon, and there is nothing to tune. The form is that of Lattimore's approximation of the
finite-horizon Gittins index (COLT 2016), where the noise of one impression has variance mean (clicks are rare).
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_pmf import check_epsilon, check_rate, check_setting, greedy_probs
from copybandit.agents.rate_prior import believe
from copybandit.sim.types import DataError, Floats, Ints


class HorizonIndex:
    """The highest finite-horizon index within each candidate set, with a uniform share for exploration.

    Like the A/B test it runs per candidate set (the variants of one product), and its horizon counts their impressions
    together; beyond it the policy is greedy and goes on learning.

    Args:
        prior: shape (m,), typical click probability of each variant, in (0, 1), e.g. `RatePrior.rates`.
        horizon: impressions per candidate set, above 0.
        strength: how many clicks the prior of a variant is worth; above 0.
        spread: standard deviation of the log of the level that candidates share; above 0.
        epsilon: share of uniform exploration, in (0, 1].

    Raises:
        DataError: a setting is out of range.
    """

    name = "horizon_index"

    def __init__(
        self,
        prior: Floats,
        *,
        horizon: float,
        strength: float = 10.0,
        spread: float = 0.5,
        epsilon: float = 0.02,
    ) -> None:
        if not ((prior > 0) & (prior < 1)).all():
            raise DataError(
                f"{self.name}: prior must be in (0, 1), got {prior.min()} to {prior.max()}; clip it"
            )
        self.horizon = check_setting(self.name, "horizon", horizon)
        self.strength = check_setting(self.name, "strength", strength)
        self.spread = check_setting(self.name, "spread", spread)
        self.epsilon = check_epsilon(epsilon)
        self._prior: Floats = np.array(prior, dtype=np.float64)
        self._impressions: Floats = np.zeros(len(prior))
        self._clicks: Floats = np.zeros(len(prior))

    def index(self, batch: Batch) -> Floats:
        """Index of each candidate, shape (n, k)."""
        check_variants(batch, len(self._prior))
        shown = np.where(batch.present, self._impressions[batch.candidates], 0.0)
        clicks = np.where(batch.present, self._clicks[batch.candidates], 0.0)
        belief = believe(self._prior[batch.candidates], self.strength, self.spread, clicks, shown)
        left = np.maximum(self.horizon - shown.sum(axis=1, keepdims=True), 0.0)
        worth = np.log1p(left * belief.variance / belief.mean)
        return np.asarray(belief.mean + np.sqrt(2 * belief.variance * worth))

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on the index."""
        return greedy_probs(self.index(batch), batch.present, self.epsilon)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Counts impressions and clicks; reward is in [0, 1]."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self._clicks))
        check_rate(self.name, reward)
        shown, m = batch.shown(column), len(self._clicks)
        self._impressions += np.bincount(shown, weight, m)
        self._clicks += np.bincount(shown, weight * reward, m)
