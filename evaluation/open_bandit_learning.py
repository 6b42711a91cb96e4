"""A policy learned from another policy's log, and judged on rows of the log that it did not learn from.

The log is cut into F folds of consecutive time. For each fold a fresh policy learns from the others and is asked for its
probabilities on this one; its own predictions are the reward model of the doubly robust estimate. The gain over the
logging policy is estimated row by row, so that what both share cancels:

    gain = mean(v + w (r - q) - r)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.batch_rows import take
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.ope_estimate import Z95, Estimate, evaluate
from copybandit.evaluation.ope_estimators import USUAL
from copybandit.evaluation.ope_rows import Rows
from copybandit.sim.open_bandit import OpenBandit
from copybandit.sim.types import DataError, Floats, Ints

AFFINITY = 1
"""Channel of the state with what the user liked before."""
LEAST_LEVELS, MOST_LEVELS = 2, 8
"""Hashed features with fewer or more levels are not coded."""


class Predicting(Learner, Protocol):
    """A learner that says what it expects."""

    def predict(self, batch: Batch) -> Floats:
        """Expected reward, shape (n, k)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a learned policy is worth by the log.

    Attributes:
        logged: mean reward of the log.
        estimates: IPS, SNIPS, DM and DR of the learned policy, with their numbers even where a gate refuses them.
        gain: doubly robust value less that of the logging policy, normal 95% interval.
        verdict: the sentence that the interval supports.
    """

    logged: float
    estimates: tuple[Estimate, ...]
    gain: Interval
    verdict: str


def features_of(log: OpenBandit) -> Floats:
    """Features of the k items: numbers standardised, hashes of few levels as centred indicators, shape (k, q)."""
    number = log.items.numeric
    parts = [(number - number.mean(axis=0)) / np.maximum(number.std(axis=0), 1e-9)]
    parts += [_indicators(codes) for codes in log.items.codes.T]
    return np.hstack(parts)


def users_of(log: OpenBandit) -> Floats:
    """Features of the users: hashes of few levels as centred indicators, shape (n, p)."""
    return np.hstack([np.empty((len(log), 0)), *(_indicators(codes) for codes in log.user_features.T)])


def requests(log: OpenBandit, prior: float) -> Batch:
    """The rounds with all items as candidates; the warm start is one click rate for all."""
    n, k = len(log), len(log.items)
    state = np.full((n, k, 1), prior)
    affinity = log.affinity if log.affinity.shape[1] else np.zeros((n, k))
    day = (log.timestamp - log.timestamp.min()).astype("timedelta64[s]").astype(np.float64) / 86_400
    return Batch(
        context=users_of(log),
        actions=features_of(log),
        candidates=np.tile(np.arange(k, dtype=np.int32), (n, 1)),
        state=np.concatenate([state, affinity[:, :, None]], axis=2),
        time=day,
    )


def judge(log: OpenBandit, make: Callable[[], Predicting], *, folds: int = 5) -> Judged:
    """Learn and judge.

    Args:
        log: in any order; rows are sorted by time.
        make: a policy that has learned nothing.
        folds: at least 2.

    Raises:
        DataError: fewer than 2 folds, or than 2 rows in one.
    """
    n = len(log)
    if not 2 <= folds <= n // 2:
        raise DataError(
            f"judge: folds must be in [2, {n // 2}], got {folds}; cut a longer log or cut it less"
        )
    fold = np.empty(n, dtype=np.int64)
    fold[np.argsort(log.timestamp, kind="stable")] = np.arange(n) * folds // n
    target, q = cross_fitted(log, make, fold)
    v, rows = (target * q).sum(axis=1), np.arange(n)
    chosen, expected = target[rows, log.item_id], q[rows, log.item_id]
    known = Rows(reward=log.click, propensity=log.propensity, target_prob=chosen, q=expected, v=v)
    estimates = evaluate(known, USUAL, refuse=False)
    gain = v + chosen / log.propensity * (log.click - expected) - log.click
    mean, reach = float(gain.mean()), float(Z95 * gain.std(ddof=1) / np.sqrt(n))
    interval = Interval(value=mean, ci_low=mean - reach, ci_high=mean + reach)
    return Judged(
        logged=float(log.click.mean()),
        estimates=estimates,
        gain=interval,
        verdict=verdict(interval, estimates[-1].warnings),
    )


def cross_fitted(log: OpenBandit, make: Callable[[], Predicting], fold: Ints) -> tuple[Floats, Floats]:
    """Probabilities and expected rewards of policies that did not see the row's fold, each of shape (n, k)."""
    n, k = len(log), len(log.items)
    target, q = np.empty((n, k)), np.empty((n, k))
    for part in np.unique(fold).tolist():
        told, asked = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        rate = (log.click[told].sum() + 1) / (len(told) + 2)
        batch, policy = requests(log, float(rate)), make()
        policy.update(take(batch, told), log.item_id[told], log.click[told], np.ones(len(told)))
        new = take(batch, asked)
        target[asked] = policy.action_probs(new, np.random.default_rng(0))
        q[asked] = policy.predict(new)
    return target, q


def verdict(gain: Interval, warnings: tuple[str, ...]) -> str:
    """What may be said of a gain; an estimate that warns supports no claim."""
    spread = f"{gain.value:+.5f} [{gain.ci_low:+.5f}, {gain.ci_high:+.5f}] clicks a round"
    if gain.ci_low <= 0 <= gain.ci_high:
        return f"no difference from the logging policy is shown: {spread}"
    side = "better" if gain.ci_low > 0 else "worse"
    if warnings:
        return f"no claim: the interval says {side}, but {'; '.join(warnings)}: {spread}"
    return f"{side} than the logging policy: {spread}"


def _indicators(codes: Ints) -> Floats:
    """Centred indicators of all levels but the first, shape (n, levels - 1); none where levels are too few or many."""
    levels = np.unique(codes)
    if not LEAST_LEVELS <= len(levels) <= MOST_LEVELS:
        return np.empty((len(codes), 0))
    found = (codes[:, None] == levels[1:]).astype(np.float64)
    return np.asarray(found - found.mean(axis=0))
