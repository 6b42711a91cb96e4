"""What a contender's choices look like over its seasons: propensities, calibration, what was lost against the oracle."""

from __future__ import annotations

import numpy as np

from copybandit.agents.bandit import BanditRun
from copybandit.evaluation.ope_estimate import Z95
from copybandit.evaluation.policy_card import Bins, Looks
from copybandit.sim.types import Floats, Ints

PROPENSITY_BINS, STATED_BINS, BELIEVED_BINS = 20, 10, 10
LOST_POINTS = 40
LEAST_COUNT = 50
"""Decisions below which a bin is not drawn."""


class Looking:
    """Gathers it season by season; nothing of the size of a log is kept.

    Args:
        name: of the contender.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._propensity: Floats = np.zeros(PROPENSITY_BINS)
        self._least = 1.0
        self._shown: Floats = np.zeros((4, STATED_BINS))
        self._believed: Floats = np.zeros((4, BELIEVED_BINS))
        self._edges: Floats | None = None
        self._lost = list[tuple[Ints, Floats]]()

    def see(self, done: BanditRun) -> None:
        """One season."""
        log, rows = done.log, np.arange(len(done.log))
        self._propensity += np.histogram(log.propensity, PROPENSITY_BINS, (0.0, 1.0))[0]
        self._least = min(self._least, float(log.propensity.min()))
        there = log.candidates >= 0
        drawn = np.zeros(there.shape)
        drawn[rows, log.action] = 1.0
        stated = log.action_probs[there]
        place = np.minimum((stated * STATED_BINS).astype(np.int64), STATED_BINS - 1)
        self._shown += _sums(place, stated, drawn[there], STATED_BINS)
        prior = done.prior[rows, log.action]
        if self._edges is None:
            self._edges = np.quantile(prior, np.arange(1, BELIEVED_BINS) / BELIEVED_BINS)
        place = np.searchsorted(self._edges, prior)
        self._believed += _sums(place, prior, log.reward / done.most, BELIEVED_BINS)
        curve = done.regret_curve(LOST_POINTS)
        self._lost.append((curve.impressions, curve.regret))

    def told(self) -> Looks:
        """All of it so far; at least one season was seen."""
        counts = self._propensity / self._propensity.sum()
        return Looks(
            name=self.name,
            propensity=tuple(counts.tolist()),
            least=self._least,
            shown=_bins(self._shown),
            believed=_bins(self._believed),
            lost_at=tuple(self._lost[0][0].tolist()),
            lost=tuple(np.mean([lost for _, lost in self._lost], axis=0).tolist()),
        )


def _sums(place: np.ndarray, stated: Floats, found: Floats, size: int) -> Floats:
    """Count, sum of what was said, of what came and of its square in each bin, shape (4, size)."""
    rows = (np.ones(len(place)), stated, found, found**2)
    return np.stack([np.bincount(place, values, minlength=size) for values in rows])


def _bins(sums: Floats) -> Bins:
    """Means with normal 95% intervals of the bins that hold enough; what is drawn is clipped to [0, 1]."""
    count, stated, found, squares = sums[:, sums[0] >= LEAST_COUNT]
    mean = found / count
    reach = Z95 * np.sqrt(np.maximum(squares / count - mean**2, 0.0) / count)
    return Bins(
        stated=tuple((stated / count).tolist()),
        found=tuple(mean.tolist()),
        low=tuple(np.maximum(mean - reach, 0.0).tolist()),
        high=tuple(np.minimum(mean + reach, 1.0).tolist()),
        count=tuple(count.astype(np.int64).tolist()),
    )
