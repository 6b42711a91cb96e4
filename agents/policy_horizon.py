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
from copybandit.agents.explain_parts import FeatureNames, Parts, Record, stacked
from copybandit.agents.forgetful import check_forget, fade
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_pmf import check_epsilon, check_rate, check_setting, greedy, greedy_probs
from copybandit.agents.rate_prior import Belief, believe
from copybandit.agents.stateful import Arrays, Settings, fill
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
        shown, clicks = self._counts(batch)
        belief = self._belief(batch, shown, clicks)
        return np.asarray(belief.mean + self._bonus(belief, shown))

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on the index."""
        return greedy_probs(self.index(batch), batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The belief before any feedback, its move with the level that candidates share, own clicks, and the bonus."""
        shown, clicks = self._counts(batch)
        before, now = self._belief(batch, 0 * shown, 0 * clicks), self._belief(batch, shown, clicks)
        common = before.mean * (now.level / before.level)[:, None]
        present = batch.present
        return Parts(
            kinds=("warm start", "common", "record", "doubt"),
            names=("", "", "", ""),
            value=stacked(
                present, before.mean, common - before.mean, now.mean - common, self._bonus(now, shown)
            ),
            present=present,
            choose=lambda score: greedy(score, present),
            epsilon=self.epsilon,
            record=Record(seen=shown, clicks=clicks, unit="impressions"),
        )

    def _counts(self, batch: Batch) -> tuple[Floats, Floats]:
        """Impressions and clicks of each candidate, each (n, k)."""
        check_variants(batch, len(self._prior))
        shown, clicks = self._impressions[batch.candidates], self._clicks[batch.candidates]
        return np.where(batch.present, shown, 0.0), np.where(batch.present, clicks, 0.0)

    def _belief(self, batch: Batch, shown: Floats, clicks: Floats) -> Belief:
        """After so many impressions and clicks of each candidate."""
        return believe(self._prior[batch.candidates], self.strength, self.spread, clicks, shown)

    def _bonus(self, belief: Belief, shown: Floats) -> Floats:
        """What doubt adds to the mean, shape (n, k)."""
        left = np.maximum(self.horizon - shown.sum(axis=1, keepdims=True), 0.0)
        worth = np.log1p(left * belief.variance / belief.mean)
        return np.asarray(np.sqrt(2 * belief.variance * worth))

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Counts impressions and clicks; reward is in [0, 1]."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self._clicks))
        check_rate(self.name, reward)
        shown, m = batch.shown(column), len(self._clicks)
        self._impressions += np.bincount(shown, weight, m)
        self._clicks += np.bincount(shown, weight * reward, m)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks the counts, so that more of the horizon is left; see `forgetful`."""
        check_forget(keep, variants, len(self._clicks))
        for statistic in (self._impressions, self._clicks):
            fade(statistic, 0.0, keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {
            "prior": self._prior,
            "horizon": self.horizon,
            "strength": self.strength,
            "spread": self.spread,
            "epsilon": self.epsilon,
        }

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {"impressions": self._impressions, "clicks": self._clicks}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)
