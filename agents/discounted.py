"""Discounting: feedback loses half of its weight in every half-life, by the clock or by the rows that came after it.

    statistic = start + sum over rows of 2^(-age / half-life) * (what the row adds),   age up to the last row learned

Garivier & Moulines, ALT 2011; for linear models Russac, Vernade, Cappe, NeurIPS 2019; here toward the warm start.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.around import Around
from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.forgetful import rehearse
from copybandit.agents.stateful import Arrays, Lasting, Settings
from copybandit.sim.types import DataError, Floats, Ints


class Discounted(Around):
    """Any learner whose statistics are sums, with old feedback fading.

    A row's age counts from its own `Batch.time`, so rows that come late weigh what they would have weighed on time, and
    it does not matter how rows are cut into batches. Rows of weight 0 are no feedback: no time passes with them.

    Args:
        policy: learns and chooses; it is changed.
        half_life_days: days in which feedback loses half of its weight, above 0; or
        half_life_rows: rows of feedback in which it does.

    Raises:
        DataError: not exactly one half-life, or one that is not above 0.
    """

    kind = "discounted"

    def __init__(
        self, policy: Lasting, *, half_life_days: float | None = None, half_life_rows: float | None = None
    ) -> None:
        given = [value for value in (half_life_days, half_life_rows) if value is not None]
        if len(given) != 1 or not 0 < given[0] < np.inf:
            raise DataError(
                f"discounted: one of half_life_days and half_life_rows must be above 0, got {half_life_days} "
                f"and {half_life_rows}; give exactly one"
            )
        super().__init__(policy)
        self.half_life = given[0]
        self.by_days = half_life_days is not None
        self._clock = -np.inf

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Fades what is old and adds what is new, each row by its age."""
        check_feedback(batch, column, reward, weight)
        told = weight > 0
        now = self._clock
        rows = (0.0 if np.isinf(now) else now) + np.cumsum(told).astype(np.float64)
        at = batch.time if self.by_days else rows
        now = max(now, float(at[told].max(initial=-np.inf)))
        keep = 1.0 if np.isinf(self._clock) else float(np.exp2((self._clock - now) / self.half_life))
        if keep < 1:
            rehearse(self.policy, batch, column, reward)
            self.policy.forget(keep)
        age = np.where(told, now - at, np.inf)
        self.policy.update(batch, column, reward, weight * np.exp2(-age / self.half_life))
        self._clock = now

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Passes on; forgetting all of everything stops the clock, too."""
        self.policy.forget(keep, variants)
        if variants is None and keep == 0:
            self._clock = -np.inf

    def settings(self) -> Settings:
        """Arguments that make the like of it, the policy inside aside."""
        return {"half_life_days" if self.by_days else "half_life_rows": self.half_life}

    def _own(self) -> Arrays:
        started = np.isfinite(self._clock)
        return {"clock": np.array(self._clock if started else 0.0), "started": np.array(started)}

    def _take_own(self, own: Arrays) -> None:
        self._clock = float(own["clock"]) if own["started"] else -np.inf
