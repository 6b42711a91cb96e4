"""The online stage: a policy chooses among approved variants, batch by batch, and learns from clicks.

Feedback of a batch reaches the policy after the batch. What the policy is worth is read from the true
expected clicks of the shop (`Shop.expected_click`), which no policy sees; the oracle is myopic: it picks the
best candidate now and does not plan for fatigue.
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
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.visits import Response, Reward, Visits

__all__ = [
    "EPOCH",
    "BanditRun",
    "Daily",
    "RegretCurve",
    "Response",
    "Reward",
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
    reward: Reward = "click",
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
        reward: which response the policy is told.
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
    rules = SeasonRules() if rules is None else rules
    teacher, steps = Teacher(rules.horizon_days), list[BanditRun]()
    for step, start in enumerate(range(0, n_impressions, batch_size)):
        visits = shop.visits(step, min(batch_size, n_impressions - start))
        steps.append(_step(policy, shop, visits, rng, reward, rules, teacher))
        if on_step is not None:
            on_step(min(start + batch_size, n_impressions), n_impressions)
    return concat(steps)


def batch_of(visits: Visits, actions: Floats) -> Batch:
    """What a policy sees of visits; ``actions`` are the features of all variants, shape (m, q)."""
    return Batch(
        context=visits.context,
        actions=actions,
        candidates=visits.candidates,
        state=visits.state,
        time=visits.time,
    )


def _step(
    policy: Learner,
    shop: Shop,
    visits: Visits,
    rng: np.random.Generator,
    reward: Reward,
    rules: SeasonRules,
    teacher: Teacher,
) -> BanditRun:
    """Decides, shows, and teaches one batch."""
    batch = batch_of(visits, shop.actions)
    held = rules.held(visits.shopper)
    if held is None or rules.control is None:
        probs = policy.action_probs(batch, rng)
    else:
        probs = held_probs(policy, rules.control, batch, held, rng)
    column = decide(probs, rng)
    truth = np.where(batch.present, shop.expected_click(visits), 0.0)
    response = shop.respond(visits, column)
    told = response.reward(reward)
    teacher.teach(policy, batch, column, told, held)
    return BanditRun(
        policy=policy.name,
        log=_logged(policy.name, visits, probs, column, response, told, held),
        expected=truth[np.arange(len(batch)), column],
        oracle=truth.max(axis=1),
        uniform=truth.sum(axis=1) / batch.present.sum(axis=1),
        truth=truth,
        prior=batch.prior,
    )


def _logged(
    policy: str,
    visits: Visits,
    probs: Floats,
    column: Ints,
    response: Response,
    told: Floats,
    held: Bools | None,
) -> LoggedFeedback:
    """What happened, with the probabilities of the policy that each shopper got."""
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
        reward=told,
        policy=policy,
        held=held,
    )
