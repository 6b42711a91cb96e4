"""Sliding window: only the feedback of the last days, or the last rows, counts, and all of it in full.

Rows lie in blocks of days or of rows. When a block leaves, the learner goes back to its start and learns those that are
left again: it is then what it would be had it never seen the others, and no rounding can pile up. The
price is that a row is learned as often as there are blocks. Garivier & Moulines, ALT 2011.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.batch_rows import take
from copybandit.agents.forgetful import Forgetful
from copybandit.sim.types import Bools, DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class _Told:
    """Feedback that came in one piece, with the block of each row, shape (n,)."""

    batch: Batch
    column: Ints
    reward: Floats
    weight: Floats
    block: Ints

    def rows(self, kept: Bools) -> _Told:
        """Some rows of it."""
        return _Told(
            batch=take(self.batch, kept),
            column=self.column[kept],
            reward=self.reward[kept],
            weight=self.weight[kept],
            block=self.block[kept],
        )


class Windowed:
    """Any learner that can forget, taught by the newest blocks of feedback alone, the one under way included.

    Rows of weight 0 are no feedback and take no place. A row that comes late counts if its block is still in the window.

    Args:
        policy: learns and chooses; it is changed.
        days: length of the window, above 0, by `Batch.time`; or
        rows: length in rows of feedback.
        blocks: into which the window is cut, at least 1; more follow it more closely and cost more.

    Raises:
        DataError: not exactly one length, or one that is not above 0, or no block.
    """

    def __init__(
        self, policy: Forgetful, *, days: float | None = None, rows: int | None = None, blocks: int = 7
    ) -> None:
        given = [value for value in (days, rows) if value is not None]
        if len(given) != 1 or not 0 < given[0] < np.inf or blocks < 1:
            raise DataError(
                f"windowed: one of days and rows must be above 0 and blocks at least 1, got {days}, {rows} and "
                f"{blocks}; give one length"
            )
        self.policy = policy
        self.blocks = blocks
        self.block_length = given[0] / blocks
        self.by_days = days is not None
        self._kept: list[_Told] = []
        self._rows = 0

    @property
    def name(self) -> str:
        """The learner's, marked."""
        return f"windowed_{self.policy.name}"

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """What the learner says as of the last feedback; shape (n, k)."""
        return self.policy.action_probs(batch, rng)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Learns what is new, then does without the blocks that have left the window."""
        check_feedback(batch, column, reward, weight)
        counted = self._rows + np.cumsum(weight > 0) - 1
        at = batch.time if self.by_days else counted
        block = np.floor(at / self.block_length).astype(np.int64)
        told = _Told(batch=batch, column=column, reward=reward, weight=weight, block=block).rows(weight > 0)
        newest = max((int(one.block.max()) for one in (*self._kept, told) if len(one.block)), default=0)
        told = told.rows(told.block > newest - self.blocks)
        self.policy.update(told.batch, told.column, told.reward, told.weight)
        if len(told.block):
            self._kept.append(told)
        self._rows += int((weight > 0).sum())
        self._drop(newest - self.blocks)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Passes on, until a block leaves and the others are learned in full again; 0 of everything empties the window."""
        self.policy.forget(keep, variants)
        if variants is None and keep == 0:
            self._kept, self._rows = [], 0

    def _drop(self, last: int) -> None:
        """Unlearns blocks up to ``last``."""
        if not any((one.block <= last).any() for one in self._kept):
            return
        left = (one.rows(one.block > last) for one in self._kept)
        self._kept = [one for one in left if len(one.block)]
        self.policy.forget(0.0)
        for one in self._kept:
            self.policy.update(one.batch, one.column, one.reward, one.weight)
