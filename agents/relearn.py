"""A season again from its log: the same policy asks and learns in the same order, so it ends where it ended, to the bit.

The log must hold what the policy knew (`LoggedFeedback.context` and ``state``), and the caller says what no log holds:
features of the variants, rows of a batch, holdout and horizon, and the seed of the season's draws.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.bandit_rules import SeasonRules, Teacher
from copybandit.agents.bandit_run import EPOCH, MICROSECONDS_PER_DAY
from copybandit.agents.batch import Batch, Learner
from copybandit.agents.batch_rows import take
from copybandit.agents.decide import decide
from copybandit.agents.holdout import held_probs
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import Bools, DataError, Floats


def logged_requests(log: LoggedFeedback, actions: Floats) -> Batch:
    """The requests of a log as its policy saw them.

    Args:
        log: n rows.
        actions: shape (m, q), features of the variants.

    Raises:
        DataError: the log does not hold what the policy knew, or the batch cannot be used.
    """
    if log.context is None or log.state is None:
        raise DataError(
            "log: context and state must be there, got a log without what its policy knew; log it again with this version"
        )
    return Batch(
        context=log.context,
        actions=actions,
        candidates=log.candidates,
        state=log.state,
        time=(log.timestamp - EPOCH).astype(np.int64) / MICROSECONDS_PER_DAY,
    )


def relearn(
    policy: Learner,
    log: LoggedFeedback,
    actions: Floats,
    *,
    batch_size: int,
    rng: np.random.Generator,
    most: Floats | None = None,
    rules: SeasonRules | None = None,
) -> Floats:
    """Go through a season again.

    Args:
        policy: as the season's began; it is changed.
        log: the season's n rows in their order, those of the held out among them.
        actions: shape (m, q), features of the variants.
        batch_size: requests between two updates, as in the season.
        rng: as the season's drew.
        most: shape (n,), largest reward of each request; 1 by default.
        rules: holdout and horizon, as in the season.

    Returns:
        Its probabilities in each row, shape (n, k): those of the log, where all is as it was.

    Raises:
        DataError: the log does not hold what the policy knew, or a size is wrong.
    """
    if batch_size < 1 or (most is not None and most.shape != (len(log),)):
        raise DataError(
            f"relearn: batch_size must be at least 1 and most ({len(log)},), got {batch_size} and "
            f"{None if most is None else most.shape}; correct them"
        )
    requests, known = logged_requests(log, actions), rules or SeasonRules()
    told = log.reward if most is None else log.reward / most
    teacher, probs = Teacher(known.horizon_days), np.zeros(log.action_probs.shape)
    for start in range(0, len(log), batch_size):
        rows = np.arange(start, min(start + batch_size, len(log)))
        batch, held = take(requests, rows), None if log.held is None else log.held[rows]
        probs[rows] = _asked(policy, batch, held, known, rng)
        decide(probs[rows], rng)  # the season drew here
        teacher.teach(policy, batch, log.action[rows], told[rows], held)
    return probs


def _asked(
    policy: Learner, batch: Batch, held: Bools | None, rules: SeasonRules, rng: np.random.Generator
) -> Floats:
    """Of each request by the policy that its shopper got, shape (n, k)."""
    if held is None or rules.control is None:
        return policy.action_probs(batch, rng)
    return held_probs(policy, rules.control, batch, held, rng)
