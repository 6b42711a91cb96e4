"""Anytime-valid off-policy confidence sequence where the largest weight is huge or unknown: two lower ends, weights clipped.

For rewards in [a, b] and any c, clipping takes from a mean of terms that are never below 0, and never adds to it:

    E[min(w, c) (r - a)]  <=  E[w (r - a)] = value - a,        E[min(w, c) (b - r)]  <=  b - value.

So lower ends of the two left sides, each at alpha / 2, hold the value from below and from above. Nothing needs to be known
of the weights, and bets on lower ends hardly feel how large c is. It stays valid where the evaluated policy may show what
the log never could, since both left sides only lose by it. The upper end is as wide as the weights scatter even where
rewards are rare: `OffPolicyTerms` is tighter where w_max is a few dozens at most.
Source: Waudby-Smith et al. (arXiv 2210.10768), section 2, there without clipping and for one side at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.bounds import Bounds, Side, Span, sided
from copybandit.evaluation.confseq_betting import BettingSequence
from copybandit.sim.types import Bools, DataError, Floats

CLIP = 1000.0


@dataclass(frozen=True, kw_only=True)
class ClippedSequence:
    """All that the sequence remembers of its rows; `update` gives the next one.

    Attributes:
        reward: range of rewards.
        clip: c, above which weights count as c.
        n: rows of each run.
        total: shape (runs,), sum of w (r - a), of which IPS is the mean; not clipped.
        gains: sequence of min(w, c) (r - a).
        losses: sequence of min(w, c) (b - r).
    """

    reward: Span
    clip: float
    n: int
    total: Floats
    gains: BettingSequence
    losses: BettingSequence

    @staticmethod
    def start(runs: int = 1, *, reward: Span | None = None, clip: float = CLIP) -> ClippedSequence:
        """Before the first row; rewards lie in [0, 1] unless said otherwise.

        Raises:
            DataError: clip is not finite and at least 1.
        """
        if not (np.isfinite(clip) and clip >= 1):
            raise DataError(
                f"ClippedSequence: clip must be finite and at least 1, got {clip}; {CLIP} suits most logs"
            )
        span = reward or Span(low=0.0, high=1.0)
        none = BettingSequence.start(Span(low=0.0, high=clip * span.width), runs)
        return ClippedSequence(reward=span, clip=clip, n=0, total=np.zeros(runs), gains=none, losses=none)

    def update(self, reward: Floats, weight: Floats) -> ClippedSequence:
        """Learn a batch of rows, which together with the others gives what all at once would.

        Args:
            reward: shape (runs, rows), or (rows,) for one run.
            weight: same shape, pi_e / pi_b of the logged action, whatever its size.

        Raises:
            DataError: shapes differ, a reward leaves its range or a weight is below 0; nothing is learned of the batch.
        """
        w = np.atleast_2d(np.asarray(weight, dtype=float))
        gain = self.reward.unit(reward) * self.reward.width
        if w.shape != gain.shape or not (np.isfinite(w) & (w >= 0)).all():
            raise DataError(
                f"ClippedSequence: weights must be {gain.shape}, finite and >= 0, got {w.shape} from "
                f"{np.min(w, initial=np.inf)}; divide the two policies' probabilities of the logged action"
            )
        clipped = np.minimum(w, self.clip)
        return replace(
            self,
            n=self.n + w.shape[1],
            gains=self.gains.update(clipped * gain),
            losses=self.losses.update(clipped * (self.reward.width - gain)),
            total=self.total + (w * gain).sum(axis=1),
        )

    def bounds(self, *, alpha: float = 0.05, side: Side = "two") -> Bounds:
        """The interval now, in the range of rewards. IPS, its estimate, can lie outside where weights are wild.

        Raises:
            DataError: no row was seen, or alpha or side is unknown.
        """
        share = alpha / 2 if side == "two" else alpha
        low = self.reward.low + self.gains.bounds(alpha=share, side="lower").low
        high = self.reward.high - self.losses.bounds(alpha=share, side="lower").low
        return sided(self.reward.low + self.total / self.n, low, high, side, self.reward)

    def excludes(self, value: float, *, alpha: float = 0.05) -> Bools:
        """Shape (runs,), whether the two-sided `bounds` leave out a value strictly inside the range of rewards."""
        above = self.gains.excludes(value - self.reward.low, alpha=alpha / 2, side="lower")
        below = self.losses.excludes(self.reward.high - value, alpha=alpha / 2, side="lower")
        return np.asarray(above | below)
