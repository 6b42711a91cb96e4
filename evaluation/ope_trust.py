"""Which estimator to trust on a log: each is tried on a task made from the log itself, whose answer the log knows.

Every row is told off to the log of a pseudo target policy with probability rho, and to that of a pseudo behavior policy
otherwise. With w = pi_e/pi_b,

    rho(x, a) = w / (w + c_x),   c_x such that   sum_a pi_b(a|x) rho(x, a) = share
    pi~_e = rho pi_b / share,    pi~_b = (1 - rho) pi_b / (1 - share)

so both logs see the same contexts, and the weights of the task, pi~_e/pi~_b = (1 - share) / (share c_x) w, are in each
context proportional to the real ones: it is as hard in the same places. The mean reward of the one log is the answer,
estimators make it out from the other, and their errors over many bootstrapped logs tell them apart. This is PAS-IF
(Udagawa, Kiyohara, Narita, Saito, Tateno, AAAI 2023) with a rho in closed form, where theirs is learned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import Estimator
from copybandit.evaluation.ope_rows import Rows, check_target
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats

SHARE = 0.2
"""Of the rows that make the answer, at most; half of what the log's support leaves where that is less."""
HALVINGS = 60
SMALLEST = 1e-12
"""Least c_x that is looked for."""
RAREST = 1e-6
"""Weights below it count as 0: what the target policy does a millionth as often as the log has no part in the task."""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How far an estimator was off.

    Attributes:
        estimator: its name.
        rmse: root of the mean squared error, in rewards per round.
        bias: mean error.
        tries: logs it was tried on.
    """

    estimator: str
    rmse: float
    bias: float
    tries: int


@dataclass(frozen=True, kw_only=True)
class Task:
    """The pseudo policies.

    Attributes:
        rho: shape (n, k), chance that a row with this choice goes to the target's log.
        target: shape (n, k), the pseudo target policy.
        behavior: shape (n, k), the pseudo behavior policy.
    """

    rho: Floats
    target: Floats
    behavior: Floats


def task_of(action_probs: Floats, target_probs: Floats) -> Task:
    """The task for a target policy; both (n, k), rows sum to 1.

    Raises:
        DataError: in some row the log's policy never does what the target policy would.
    """
    w = np.divide(target_probs, action_probs, out=np.zeros_like(action_probs), where=action_probs > 0)
    w = np.where(w >= RAREST, w, 0.0)
    support = (action_probs * (w > 0)).sum(axis=1)
    if not (support > 0).all():
        row = int(np.argmin(support))
        raise DataError(
            f"trust: the log must sometimes do what the target policy would, got a chance of 0 in row {row}; drop such "
            "rows or evaluate a policy within the log's support"
        )
    share = min(SHARE, float(support.min()) / 2)
    rho = np.where(w > 0, w / (w + _level(action_probs, w, share)), 0.0)
    kept = (action_probs * rho).sum(axis=1, keepdims=True)
    return Task(rho=rho, target=action_probs * rho / kept, behavior=action_probs * (1 - rho) / (1 - kept))


def _level(action_probs: Floats, w: Floats, share: float) -> Floats:
    """c_x of each row, shape (n, 1), by halving its logarithm; E[w] <= 1 bounds it by 1 / share."""
    n = len(w)
    low, high = np.full((n, 1), np.log(SMALLEST)), np.full((n, 1), -np.log(share))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        much = (action_probs * (w / (w + np.exp(middle)))).sum(axis=1, keepdims=True) > share
        low, high = np.where(much, middle, low), np.where(much, high, middle)
    return np.asarray(np.exp((low + high) / 2))


def trust(
    log: LoggedFeedback,
    target_probs: Floats,
    q: Floats,
    estimators: Sequence[Estimator],
    *,
    tries: int = 100,
    rng: np.random.Generator,
) -> tuple[Trust, ...]:
    """Try estimators on the log's own task.

    Args:
        log: logged bandit feedback with whole distributions, n rows.
        target_probs: shape (n, k), the policy that is to be valued.
        q: shape (n, k), reward model, not fitted on the same rows.
        estimators: which; gates are not asked.
        tries: bootstrapped logs, at least 2.
        rng: draws them.

    Returns:
        One for each estimator, in order. The error of the answer itself is taken off the squared error.

    Raises:
        DataError: shapes do not fit, tries are too few, or the support is missing.
    """
    check_target(log, target_probs)
    if tries < 2:
        raise DataError(f"trust: tries must be at least 2, got {tries}; raise it")
    task, n = task_of(log.action_probs, target_probs), len(log)
    shown = np.arange(n), log.action
    chance, known = task.rho[shown], np.where(log.candidates >= 0, q, 0.0)
    asked = Rows(
        reward=log.reward,
        propensity=np.maximum(task.behavior[shown], 1e-100),
        target_prob=task.target[shown],
        q=known[shown],
        v=(task.target * known).sum(axis=1),
    )
    errors, noise = np.empty((tries, len(estimators))), np.empty(tries)
    for each in range(tries):
        rows = rng.integers(n, size=n)
        told = rng.random(n) < chance[rows]
        answer, left = log.reward[rows[told]], rows[~told]
        if len(answer) < 2 or len(left) < 2:
            raise DataError(
                f"trust: both logs need 2 rows, got {len(answer)} and {len(left)}; give a longer log"
            )
        found = evaluate(_some(asked, left), estimators, refuse=False)
        errors[each] = [one.value for one in found] - answer.mean()
        noise[each] = answer.var(ddof=1) / len(answer)
    return trust_of([one.name for one in estimators], errors, float(noise.mean()))


def trust_of(names: Sequence[str], errors: Floats, noise: float = 0.0) -> tuple[Trust, ...]:
    """Of errors that were seen, e.g. against the truth of a simulator; shape (tries, estimators).

    Args:
        names: of the estimators.
        errors: estimate less truth, or less an answer
        noise: whose variance is this.
    """
    square = np.maximum(np.square(errors).mean(axis=0) - noise, 0.0)
    return tuple(
        Trust(estimator=name, rmse=float(np.sqrt(mse)), bias=float(bias), tries=len(errors))
        for name, mse, bias in zip(names, square, errors.mean(axis=0), strict=True)
    )


def simulated_trust(
    draw: Callable[[np.random.Generator], Rows],
    truth: float,
    estimators: Sequence[Estimator],
    *,
    tries: int,
    rng: np.random.Generator,
) -> tuple[Trust, ...]:
    """The same against a simulator's truth: ``draw`` gives the rows of a fresh log."""
    errors = np.array(
        [[one.value - truth for one in evaluate(draw(rng), estimators, refuse=False)] for _ in range(tries)]
    )
    return trust_of([one.name for one in estimators], errors)


def _some(rows: Rows, index: np.ndarray) -> Rows:
    assert rows.q is not None and rows.v is not None
    return Rows(
        reward=rows.reward[index],
        propensity=rows.propensity[index],
        target_prob=rows.target_prob[index],
        q=rows.q[index],
        v=rows.v[index],
    )
