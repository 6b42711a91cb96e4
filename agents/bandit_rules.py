"""What a season in a shop may be told beyond policy and length: who is held out, and how long rewards take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.agents.batch import FEATURE_LIMIT, Batch, Learner, Policy
from copybandit.agents.batch_rows import take
from copybandit.agents.decision_book import DecisionBook
from copybandit.agents.holdout import Holdout
from copybandit.agents.reward_events import RewardEvents
from copybandit.agents.reward_formula import RewardFormula, RewardTerm
from copybandit.sim.types import Bools, DataError, Floats, Ints

TOLD = RewardFormula(terms=(RewardTerm(kind="reward", weight=1.0, most=FEATURE_LIMIT),))
"""A decision's reward comes as one event."""


@dataclass(frozen=True, kw_only=True)
class SeasonRules:
    """Beyond policy and length.

    Attributes:
        holdout: shoppers who get the control, whom the policy learns nothing from; nobody where None.
        control: what they get.
        horizon_days: days until the reward of a decision reaches the policy; 0 is after the batch.
    """

    holdout: Holdout | None = None
    control: Policy | None = None
    horizon_days: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.horizon_days < np.inf or (self.holdout is not None and self.control is None):
            raise DataError(
                f"season: horizon_days must be finite and >= 0, and a holdout needs a control, got {self.horizon_days} "
                f"and {self.control}; correct the rules"
            )

    def held(self, shopper: Ints) -> Bools | None:
        """Who is held out, shape (n,); None where there is no holdout."""
        return None if self.holdout is None else self.holdout.holds_index(shopper)


class Teacher:
    """Brings feedback to a policy, at once or when its decisions close; the season's end is the end of learning.

    Args:
        horizon_days: see `SeasonRules`.
    """

    def __init__(self, horizon_days: float) -> None:
        self._book = DecisionBook(TOLD, horizon_days=horizon_days) if horizon_days > 0 else None
        self._opened = 0

    def teach(self, policy: Learner, batch: Batch, column: Ints, reward: Floats, held: Bools | None) -> None:
        """Feedback of one batch; rows of the held out are left out. Rewards are >= 0 where they take time."""
        if held is not None:
            batch, column, reward = take(batch, ~held), column[~held], reward[~held]
        if self._book is None:
            policy.update(batch, column, reward, np.ones(len(batch)))
            return
        names = [f"{number:012d}" for number in range(self._opened, self._opened + len(batch))]
        self._opened += len(batch)
        self._book.open(names, batch, column)
        rows = np.flatnonzero(reward)
        mine = [names[row] for row in rows]
        self._book.tell(
            RewardEvents(
                decision=mine,
                event=mine,
                kind=["reward"] * len(mine),
                value=reward[rows],
                time=batch.time[rows],
            )
        )
        for done in self._book.release(float(batch.time.max(initial=0.0))):
            policy.update(done.batch, done.column, done.reward, done.weight)
