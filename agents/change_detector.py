"""Change detection: has the reward of a variant, against what the warm start expects of it, changed for good?

The ratio r_v = rewards / expected rewards of a variant should stay what it is. Feedback is cut into blocks of equal
expected reward. When a block is full, the last 1, 2, 4, 8 and 16 are held against all before them since the last alarm, by
the generalized likelihood ratio of two Poisson rates,

    D = c1 ln(c1 / e1) + c2 ln(c2 / e2) - (c1 + c2) ln((c1 + c2) / (e1 + e2)),   c rewards, e expected rewards

For independent rewards in [0, 1] of mean r e, Chernoff's bound says that c ln(c / re) - c + re reaches x with chance at most
2 exp(-x) (Poisson tails; Boucheron, Lugosi, Massart, 2013, section 2.2). D is at most the sum of two such terms, so

    P(D >= x) <= 4 exp(-x) (1 + x - 2 ln 2),   x >= 2 ln 2

and an alarm is raised where this, times the number of splits, is at most ``false_alarm``. That is the chance of a false
alarm per look, at most, at any sample size. GLR for bandits: Besson, Kaufmann, Maillard, Seznec, JMLR 2022.
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from copybandit.agents.policy_pmf import check_setting
from copybandit.agents.stateful import Arrays, Settings, fill
from copybandit.sim.types import DataError, Floats, Ints

SPLITS: Ints = np.array([1, 2, 4, 8, 16])
"""Blocks that are held against all before them."""
RING = 16
"""Full blocks that are kept apart; older ones are one sum."""


class ChangeDetector:
    """One test per variant, all in columns.

    Args:
        n_actions: number of variants m.
        false_alarm: most chance of a false alarm per look at a variant, in (0, 1).
        block: expected rewards per look, above 0.

    Attributes:
        looks: shape (m,), looks at each variant so far.
        alarms: shape (m,), alarms of each variant so far.

    Raises:
        DataError: a setting is out of range.
    """

    def __init__(self, *, n_actions: int, false_alarm: float = 1e-4, block: float = 5.0) -> None:
        if not 0 < false_alarm < 1:
            raise DataError(f"change detector: false_alarm must be in (0, 1), got {false_alarm}; correct it")
        self.false_alarm = false_alarm
        self.block = check_setting("change detector", "block", block)
        # Columns: rewards, expected rewards.
        self._open: Floats = np.zeros((n_actions, 2))
        self._ring: Floats = np.zeros((n_actions, RING, 2))
        self._older: Floats = np.zeros((n_actions, 2))
        self.looks: Ints = np.zeros(n_actions, dtype=np.int64)
        self.alarms: Ints = np.zeros(n_actions, dtype=np.int64)

    def observe(self, variant: Ints, reward: Floats, expected: Floats) -> Ints:
        """Counts rows and says which variants have changed; each of those starts anew.

        Args:
            variant: shape (n,), in [0, m).
            reward: shape (n,), in [0, 1].
            expected: shape (n,), what the warm start expects, above 0.

        Returns:
            Shape (alarms,), ascending.
        """
        m = len(self.looks)
        self._open += np.stack([np.bincount(variant, values, m) for values in (reward, expected)], axis=1)
        full = np.flatnonzero(self._open[:, 1] >= self.block)
        if not len(full):
            return full
        chance = len(SPLITS) * tail_bound(self._divergence(full)).min(axis=1)
        changed: Ints = full[chance <= self.false_alarm]
        self.looks[full] += 1
        self.alarms[changed] += 1
        self._push(full)
        for sums in (self._open, self._ring, self._older):
            sums[changed] = 0.0
        return changed

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"n_actions": len(self.looks), "false_alarm": self.false_alarm, "block": self.block}

    def get_state(self) -> Arrays:
        """All that is counted; views."""
        return {
            "open": self._open,
            "ring": self._ring,
            "older": self._older,
            "looks": self.looks,
            "alarms": self.alarms,
        }

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)

    def _divergence(self, rows: Ints) -> Floats:
        """D of each split, the open block being the newest, shape (rows, splits); 0 where nothing lies before it."""
        blocks = np.concatenate([self._open[rows, None], self._ring[rows]], axis=1)
        since = np.cumsum(blocks, axis=1)[:, SPLITS - 1]
        before = (blocks.sum(axis=1) + self._older[rows])[:, None] - since
        after = np.where(before[..., 1:] > 0.5 * self.block, since, 0.0)
        return poisson_glr(before, after)

    def _push(self, rows: Ints) -> None:
        """Full blocks move into the ring, newest first, and what falls off its end into the sum of the old."""
        self._older[rows] += self._ring[rows, -1]
        self._ring[rows, 1:] = self._ring[rows, :-1]
        self._ring[rows, 0] = self._open[rows]
        self._open[rows] = 0.0


def poisson_glr(before: Floats, after: Floats) -> Floats:
    """D of two counts; each holds (rewards, expected rewards) along its last axis. 0 where one expects nothing."""
    c1, e1, c2, e2 = before[..., 0], before[..., 1], after[..., 0], after[..., 1]
    told = (e1 > 0) & (e2 > 0)
    e1, e2 = np.where(told, e1, 1.0), np.where(told, e2, 1.0)
    pooled = np.where(c1 + c2 > 0, (c1 + c2) / (e1 + e2), 1.0)
    divergence: Floats = xlogy(c1, c1 / (e1 * pooled)) + xlogy(c2, c2 / (e2 * pooled))
    return np.where(told, divergence, 0.0)


def tail_bound(divergence: Floats) -> Floats:
    """Most chance of a D this large without a change, at most 1."""
    x = np.maximum(divergence - 2 * np.log(2), 0.0)
    return np.asarray(np.exp(-x) * (1 + x))
