"""Variants of a campaign compared with its control while it runs, by whoever looks as often as they like.

Variants are shown by known probabilities, which may be learned from earlier rows. The difference of variant a and the
control 0 is estimated without bias by the terms

    z = r (1[A = a] / p_a - 1[A = 0] / p_0),        |z| <= r_max / (least probability),

and told apart from 0 by the betting confidence sequence of z, at alpha / (variants - 1) for each comparison. The normal
interval is there to be compared with: it is right at one look only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.bounds import Bounds, Span, normal_bounds
from copybandit.evaluation.confseq_betting import BettingSequence
from copybandit.sim.types import Bools, DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Campaigns compared with their control as they run; `update` gives the next state.

    Attributes:
        variants: per campaign, 0 is the control.
        least_prob: no variant is ever shown with a smaller probability.
        n: rows of each campaign so far.
        sequence: of z, one run for each campaign and variant but the control.
        sums: shape (2, campaigns, variants - 1), of z and z^2.
    """

    variants: int
    least_prob: float
    n: int
    sequence: BettingSequence
    sums: Floats

    @staticmethod
    def start(campaigns: int = 1, *, variants: int = 2, least_prob: float, reward_max: float = 1.0) -> Watch:
        """Before the first row; rewards lie in [0, reward_max].

        Raises:
            DataError: there is nothing to compare, or the least probability is impossible.
        """
        if campaigns < 1 or variants < 2 or not 0 < least_prob <= 1 / variants or not reward_max > 0:
            raise DataError(
                "Watch: needs a campaign, two variants, a reward above 0 and least_prob in (0, 1 / variants], got "
                f"{campaigns}, {variants}, {reward_max}, {least_prob}; raise the policy's floor above 0"
            )
        most = reward_max / least_prob
        return Watch(
            variants=variants,
            least_prob=least_prob,
            n=0,
            sequence=BettingSequence.start(Span(low=-most, high=most), campaigns * (variants - 1)),
            sums=np.zeros((2, campaigns, variants - 1)),
        )

    def update(self, action: Ints, reward: Floats, propensity: Floats) -> Watch:
        """Learn a batch.

        Args:
            action: shape (campaigns, rows), or (rows,) for one campaign; variant shown.
            reward: same shape, in [0, reward_max].
            propensity: same shape, probability that the variant shown had.

        Raises:
            DataError: shapes differ, or a number is out of its range; nothing is learned of the batch.
        """
        action, reward, propensity = np.atleast_2d(action), np.atleast_2d(reward), np.atleast_2d(propensity)
        if not (action.shape == reward.shape == propensity.shape and len(action) == self.sums.shape[1]):
            raise DataError(
                f"Watch: arrays must be ({self.sums.shape[1]}, rows), got {action.shape}, {reward.shape} and "
                f"{propensity.shape}; one number per campaign and row"
            )
        known = (action >= 0) & (action < self.variants)
        likely = (propensity >= self.least_prob * (1 - 1e-9)) & (propensity <= 1 + 1e-9)
        if not (known & likely & (reward >= 0)).all():
            raise DataError(
                f"Watch: needs variants in 0..{self.variants - 1}, propensities in [{self.least_prob}, 1] and rewards "
                ">= 0, got others; log the draw's own probability, and keep the floor that was promised"
            )
        scaled = (reward / propensity)[:, None, :]
        arms = np.arange(1, self.variants)[:, None]
        z = np.where(action[:, None, :] == arms, scaled, np.where(action[:, None, :] == 0, -scaled, 0.0))
        return replace(
            self,
            n=self.n + z.shape[2],
            sequence=self.sequence.update(z.reshape(-1, z.shape[2])),
            sums=self.sums + np.stack([z.sum(axis=2), np.square(z).sum(axis=2)]),
        )

    def differ(self, alpha: float = 0.05) -> Bools:
        """Shape (campaigns, variants - 1): told apart from the control, valid at every look, alpha over all variants."""
        told = self.sequence.excludes(0.0, alpha=alpha / (self.variants - 1))
        return told.reshape(self.sums.shape[1:])

    def bounds(self, alpha: float = 0.05) -> Bounds:
        """Variant minus control, arrays of shape (campaigns * (variants - 1),), valid at every look."""
        return self.sequence.bounds(alpha=alpha / (self.variants - 1))

    def differ_naive(self, alpha: float = 0.05) -> Bools:
        """What the normal interval says, which is right at one look that was fixed in advance, and at no more."""
        n = max(self.n, 1)
        mean = self.sums[0] / n
        variance = np.maximum(self.sums[1] / n - np.square(mean), 0.0)
        found = normal_bounds(mean, np.sqrt(variance / n), alpha=alpha / (self.variants - 1))
        return found.misses(0.0)
