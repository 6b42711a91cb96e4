"""Reward models that a pass over a log of any length can learn: sums by fold, so that no row's own reward is in its q.

    with a warm start p:  q = most p C_f,   C_f = (sum r + 1 prior row) / (sum most p + 1 prior row)   over the other folds
    without:              q(a) = (sum r of a + S rate) / (rows of a + S)                           over the other folds

Rows of one shopper lie in one fold. DR stays unbiased whatever q is; a better one shortens its interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.ope_chunk import Chunk
from copybandit.sim.types import Floats, Ints

FOLDS = 5
STRENGTH = 50.0
"""S, rows that the overall rate is worth for one variant."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


def fold_of(component: Ints) -> Ints:
    """Fold of each component, shape (n,), by a hash of it."""
    mixed = (component.astype(np.uint64) + np.uint64(1)) * _MIX
    return np.asarray((mixed >> np.uint64(40)) % np.uint64(FOLDS), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class RewardSums:
    """What is known of the rewards, by fold.

    Attributes:
        rows: shape (folds,).
        reward: shape (folds,), sums.
        expected: shape (folds,), sums of the warm start times the largest reward; 0 without a warm start.
        item_rows: shape (folds, m), rows that showed each variant.
        item_reward: shape (folds, m), what they earned.
        warm: whether there is a warm start.
    """

    rows: Floats
    reward: Floats
    expected: Floats
    item_rows: Floats
    item_reward: Floats
    warm: bool

    def q(self, chunk: Chunk) -> Floats:
        """Expected reward of each candidate, shape (n, k), by the other folds; 0 where absent."""
        assert chunk.requests is not None and chunk.scale is not None
        f = fold_of(chunk.component)
        present, candidates = chunk.requests.present, np.maximum(chunk.requests.candidates, 0)
        if self.warm:
            factor = self._factor()[f]
            found = (factor * chunk.scale)[:, None] * chunk.requests.prior
        else:
            found = self._item_rates()[f[:, None], candidates]
        return np.where(present, found, 0.0)

    def _factor(self) -> Floats:
        """C of each fold."""
        rows, reward = self.rows.sum() - self.rows, self.reward.sum() - self.reward
        expected = self.expected.sum() - self.expected
        one = self.expected.sum() / max(self.rows.sum(), 1.0)
        return np.asarray(np.where(rows > 0, (reward + one) / np.maximum(expected + one, 1e-300), 1.0))

    def _item_rates(self) -> Floats:
        """Shape (folds, m)."""
        rows, reward = self.rows.sum() - self.rows, self.reward.sum() - self.reward
        rate = reward / np.maximum(rows, 1.0)
        own = self.item_reward.sum(axis=0) - self.item_reward
        seen = self.item_rows.sum(axis=0) - self.item_rows
        return np.asarray((own + STRENGTH * rate[:, None]) / (seen + STRENGTH))


def learn_rewards(chunks: Iterable[Chunk], *, warm: bool) -> RewardSums | None:
    """One pass; None where the log does not know its candidates, so that nothing can be averaged over a policy.

    Args:
        chunks: of the log.
        warm: whether the requests hold a warm start.
    """
    rows, reward, expected = np.zeros((3, FOLDS))
    item_rows, item_reward = np.zeros((2, FOLDS, 0))
    for chunk in chunks:
        if not len(chunk):
            continue
        if chunk.requests is None or chunk.column is None or chunk.scale is None:
            return None
        f, item, m = fold_of(chunk.component), chunk.item, len(chunk.requests.actions)
        if m > item_rows.shape[1]:
            gap = ((0, 0), (0, m - item_rows.shape[1]))
            item_rows, item_reward = np.pad(item_rows, gap), np.pad(item_reward, gap)
        believed = chunk.requests.prior[np.arange(len(chunk)), chunk.column] * chunk.scale
        for sums, values in ((rows, np.ones(len(chunk))), (reward, chunk.reward), (expected, believed)):
            sums += np.bincount(f, values, FOLDS)
        np.add.at(item_rows, (f, item), 1.0)
        np.add.at(item_reward, (f, item), chunk.reward)
    if not rows.sum():
        return None
    return RewardSums(
        rows=rows, reward=reward, expected=expected, item_rows=item_rows, item_reward=item_reward, warm=warm
    )
