"""The online stage: a policy chooses among approved variants, batch by batch, and learns from clicks, or what they earn.

Feedback of a batch reaches the policy after the batch. What the policy is worth is read from the true
expected reward (`Shop.expected_click`, `SeasonReward.expected`), which no policy sees; the oracle is myopic: it picks
the best candidate now and does not plan for fatigue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from copybandit.agents.bandit_rules import SeasonRules, Teacher
from copybandit.agents.bandit_run import EPOCH, MICROSECONDS_PER_DAY, BanditRun, Daily, RegretCurve, concat
from copybandit.agents.batch import Batch, Learner
from copybandit.agents.decide import decide
from copybandit.agents.holdout import held_probs
from copybandit.agents.season_reward import SeasonReward
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.visits import Response, Visits

__all__ = [
    "EPOCH",
    "BanditRun",
    "Daily",
    "RegretCurve",
    "Response",
    "SeasonRules",
    "Shop",
    "Visits",
    "batch_of",
    "run_bandit",
]


class Shop(Protocol):
    """Where variants are shown. Its randomness is its own, seeded when it is made."""

    @property
    def actions(self) -> Floats:
        """Features of all variants, shape (m, q)."""
        ...

    def visits(self, step: int, size: int) -> Visits:
        """The next ``size`` requests."""
        ...

    def expected_click(self, visits: Visits) -> Floats:
        """True click probability of each candidate now, shape (n, k); for reports, never for a policy."""
        ...

    def respond(self, visits: Visits, column: Ints) -> Response:
        """Shows the chosen column of each row, draws the response and advances fatigue."""
        ...


def run_bandit(
    policy: Learner,
    shop: Shop,
    *,
    n_impressions: int,
    batch_size: int = 500,
    rng: np.random.Generator,
    reward: SeasonReward | None = None,
    rules: SeasonRules | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> BanditRun:
    """Runs a policy in a shop and learns after every batch.

    Args:
        policy: chooses and learns; it is changed.
        shop: answers; it is changed.
        n_impressions: requests in all.
        batch_size: requests between two updates.
        rng: draws the actions.
        reward: what is optimised; clicks by default.
        rules: holdout and horizon; none by default.
        on_step: called with impressions done and in all after each batch.

    Returns:
        The log and the truth beside it.

    Raises:
        DataError: a size is not positive, or the shop's rows or the policy's probabilities are unusable.
    """
    if n_impressions < 1 or batch_size < 1:
        raise DataError(
            f"bandit: n_impressions and batch_size must be at least 1, got {n_impressions} and {batch_size}; "
            "raise them"
        )
    play = _Play(policy, shop, rng, reward or SeasonReward(), rules or SeasonRules())
    steps = list[BanditRun]()
    for step, start in enumerate(range(0, n_impressions, batch_size)):
        steps.append(play.step(shop.visits(step, min(batch_size, n_impressions - start))))
        if on_step is not None:
            on_step(min(start + batch_size, n_impressions), n_impressions)
    return concat(steps)


def batch_of(visits: Visits, actions: Floats) -> Batch:
    """What a policy sees of visits; ``actions`` are the features of all variants, shape (m, q).

    Time is what the log holds of it, whole microseconds, so that a policy learns from the log what it learned live.
    """
    return Batch(
        context=visits.context,
        actions=actions,
        candidates=visits.candidates,
        state=visits.state,
        time=np.rint(visits.time * MICROSECONDS_PER_DAY) / MICROSECONDS_PER_DAY,
    )


class _Play:
    """One policy's way through one season."""

    def __init__(
        self, policy: Learner, shop: Shop, rng: np.random.Generator, reward: SeasonReward, rules: SeasonRules
    ) -> None:
        self.policy, self.shop, self.rng, self.reward, self.rules = policy, shop, rng, reward, rules
        self.teacher = Teacher(rules.horizon_days)

    def step(self, visits: Visits) -> BanditRun:
        """Decides, shows, and teaches one batch."""
        batch = batch_of(self.reward.warm_start(visits), self.shop.actions)
        held = self.rules.held(visits.shopper)
        probs = self._probs(batch, held)
        column = decide(probs, self.rng)
        click = np.where(batch.present, self.shop.expected_click(visits), 0.0)
        truth = self.reward.expected(visits, click)
        response, most = self.shop.respond(visits, column), self.reward.most(visits)
        earned = self.reward.earned(response)
        self.teacher.teach(self.policy, batch, column, earned / most, held)
        rows = np.arange(len(batch))
        return BanditRun(
            policy=self.policy.name,
            log=_logged(self.policy.name, visits, batch, probs, column, response, earned, held),
            expected=truth[rows, column],
            expected_click=click[rows, column],
            oracle=truth.max(axis=1),
            uniform=truth.sum(axis=1) / batch.present.sum(axis=1),
            truth=truth,
            prior=batch.prior,
            most=most,
        )

    def _probs(self, batch: Batch, held: Bools | None) -> Floats:
        """Of each request by the policy that its shopper gets, shape (n, k)."""
        if held is None or self.rules.control is None:
            return self.policy.action_probs(batch, self.rng)
        return held_probs(self.policy, self.rules.control, batch, held, self.rng)


def _logged(
    policy: str,
    visits: Visits,
    batch: Batch,
    probs: Floats,
    column: Ints,
    response: Response,
    earned: Floats,
    held: Bools | None,
) -> LoggedFeedback:
    """What happened, with the probabilities of the policy that each shopper got and what it knew."""
    return LoggedFeedback(
        timestamp=EPOCH + np.rint(visits.time * MICROSECONDS_PER_DAY).astype("timedelta64[us]"),
        shopper=visits.shopper,
        product=visits.product,
        position=visits.position,
        candidates=visits.candidates,
        action_probs=probs,
        action=column,
        click=response.click,
        conversion=response.conversion,
        value=response.value,
        reward=earned,
        policy=policy,
        held=held,
        context=batch.context,
        state=np.where(batch.present[:, :, None], batch.state, 0.0),
    )
