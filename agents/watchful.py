"""A learner that starts anew where the world has changed: change detection on top of any learner that can forget.

Whether a variant's reward has changed is told by `change_detector`, against the warm start and not against the learner,
which would follow the change and hide it. A variant that only slowly gets better or worse is a case for `discounted`.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from copybandit.agents.around import Around
from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.change_detector import ChangeDetector
from copybandit.agents.forgetful import check_forget
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_pmf import check_rate
from copybandit.agents.stateful import Arrays, Lasting, Settings
from copybandit.sim.types import DataError, Floats, Ints

Scope = Literal["variant", "all"]
"""What is forgotten on an alarm: what the variant has of its own, or everything."""


class Watchful(Around):
    """Any learner that can forget, with a test of each variant. Rewards must be in [0, 1].

    To forget is the learner's business; the test goes on counting.

    Rows of weight 0 are no feedback; any other row counts once in the test.

    Args:
        policy: learns and chooses; it is changed.
        n_actions: number of variants m.
        false_alarm: most chance of a false alarm per look at a variant, in (0, 1).
        block: expected rewards between two looks at a variant, above 0.
        keep: share of the feedback before an alarm that stays, in [0, 1].
        scope: what is forgotten.

    Raises:
        DataError: a setting is out of range.
    """

    kind = "watchful"

    def __init__(
        self,
        policy: Lasting,
        *,
        n_actions: int,
        false_alarm: float = 1e-4,
        block: float = 5.0,
        keep: float = 0.0,
        scope: Scope = "variant",
    ) -> None:
        check_forget(keep, None, n_actions)
        if scope not in get_args(Scope):
            raise DataError(
                f"watchful: scope must be one of {', '.join(get_args(Scope))}, got {scope!r}; choose one"
            )
        super().__init__(policy)
        self.keep, self.scope = keep, scope
        self.detector = ChangeDetector(n_actions=n_actions, false_alarm=false_alarm, block=block)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Learns, then forgets what was learned of variants that have changed."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self.detector.looks))
        check_rate(self.name, reward)
        self.policy.update(batch, column, reward, weight)
        told = np.flatnonzero(weight > 0)
        expected = batch.prior[told, column[told]]
        changed = self.detector.observe(batch.shown(column)[told], reward[told], expected)
        if len(changed):
            self.policy.forget(self.keep, changed if self.scope == "variant" else None)

    def settings(self) -> Settings:
        """Arguments that make the like of it, the policy inside aside."""
        return {**self.detector.settings(), "keep": self.keep, "scope": self.scope}

    def _own(self) -> Arrays:
        return self.detector.get_state()

    def _take_own(self, own: Arrays) -> None:
        self.detector.set_state(own)
