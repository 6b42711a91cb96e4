"""Sliding window: only the feedback of the last days, or the last rows, counts, and all of it in full.

Rows lie in blocks of days or of rows. When a block leaves, the learner goes back to its start and learns those that are
left again: it is then what it would be had it never seen the others, and no rounding can pile up. The
price is that a row is learned as often as there are blocks. Garivier & Moulines, ALT 2011.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.around import Around
from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.forgetful import check_forget, rehearse
from copybandit.agents.ragged import array_of
from copybandit.agents.stateful import Arrays, Lasting, Settings
from copybandit.agents.window_rows import NAMES, Told, joined_pieces, packed_pieces, unpacked_pieces
from copybandit.sim.types import DataError, Floats, Ints


class Windowed(Around):
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

    kind = "windowed"

    def __init__(
        self, policy: Lasting, *, days: float | None = None, rows: int | None = None, blocks: int = 7
    ) -> None:
        given = [value for value in (days, rows) if value is not None]
        if len(given) != 1 or not 0 < given[0] < np.inf or blocks < 1:
            raise DataError(
                f"windowed: one of days and rows must be above 0 and blocks at least 1, got {days}, {rows} and "
                f"{blocks}; give one length"
            )
        super().__init__(policy)
        self.blocks = blocks
        self.length = given[0]
        self.block_length = self.length / blocks
        self.by_days = days is not None
        self._kept: list[Told] = []
        self._rows = 0

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Learns what is new, then does without the blocks that have left the window."""
        check_feedback(batch, column, reward, weight)
        counted = self._rows + np.cumsum(weight > 0) - 1
        at = batch.time if self.by_days else counted
        block = np.floor(at / self.block_length).astype(np.int64)
        told = Told.of(batch, column, reward, weight, block).rows(weight > 0)
        newest = max((int(one.block.max()) for one in (*self._kept, told) if len(one.block)), default=0)
        told = told.rows(told.block > newest - self.blocks)
        self.policy.update(told.batch, told.column, told.reward, told.weight)
        if len(told.block):
            self._kept.append(told)
        self._rows += int((weight > 0).sum())
        self._drop(newest - self.blocks)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Passes on, and lets the rows in the window count for as much less when they are learned again."""
        check_forget(keep, None, 0)
        self.policy.forget(keep, variants)
        faded = (one.faded(keep, variants) for one in self._kept)
        self._kept = [one for one in faded if len(one.block)]
        if variants is None and keep == 0:
            self._rows = 0

    def _drop(self, last: int) -> None:
        """Unlearns blocks up to ``last``."""
        if not any((one.block <= last).any() for one in self._kept):
            return
        left = (one.rows(one.block > last) for one in self._kept)
        self._kept = [one for one in left if len(one.block)]
        self.policy.forget(0.0)
        for one in self._kept:
            self.policy.update(one.batch, one.column, one.reward, one.weight)

    def settings(self) -> Settings:
        """Arguments that make the like of it, the policy inside aside."""
        return {"days" if self.by_days else "rows": self.length, "blocks": self.blocks}

    def _own(self) -> Arrays:
        return {**packed_pieces(self._kept), "counted": np.array(self._rows)}

    def _check_own(self, own: Arrays) -> None:
        """As its rows change in number, arrays are checked for what they hold; the learner must be able to take them."""
        if unknown := sorted(own.keys() - NAMES - {"counted"}):
            raise DataError(f"state: array {unknown[0]} must not be there; load a state of a windowed policy")
        counted = array_of(own, "counted")
        if counted.dtype != np.int64 or counted.shape != () or counted < 0:
            raise DataError(
                f"state: array counted must be one whole number from 0 on, got {counted.dtype}{counted.shape}; "
                "load a whole state"
            )
        for one in joined_pieces(unpacked_pieces(own)):
            rehearse(self.policy, one.batch, one.column, one.reward)

    def _take_own(self, own: Arrays) -> None:
        self._kept, self._rows = unpacked_pieces(own), int(own["counted"])
