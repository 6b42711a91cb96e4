"""Reward models for the estimators that need one, each row's made from other rows only.

A model that saw a row's reward predicts it too well, and DR then inherits the error (Chernozhukov et al. 2018). Folds are
cut by component, a shopper or a test, where rows share one: else a fold knows the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as RidgeRegression

from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats, Ints

Predict = Callable[[Floats], Floats]
"""Features of m rows, shape (m, d), to their mean rewards, shape (m,)."""


class RewardModel(Protocol):
    """Learns a mean reward from rows."""

    def fit(self, x: Floats, reward: Floats) -> Predict:
        """What predicts other rows.

        Args:
            x: shape (n, d), features of a round and its action.
            reward: shape (n,).
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """Logistic regression of a reward that is 0 or 1.

    Attributes:
        c: inverse of the ridge penalty, above 0.
        max_iter: steps of the solver at most.
    """

    c: float = 1.0
    max_iter: int = 10_000

    def fit(self, x: Floats, reward: Floats) -> Predict:
        """Learn; where all rewards are alike there is nothing to learn, and their rate with one of each added stands.

        Raises:
            DataError: a reward is neither 0 nor 1.
        """
        if not np.isin(reward, (0.0, 1.0)).all():
            raise DataError(
                f"Logistic: reward must be 0 or 1, got {reward.min()} to {reward.max()}; take Ridge for other rewards"
            )
        if reward.min() == reward.max():
            rate = (float(reward.sum()) + 1) / (len(reward) + 2)
            return lambda new: np.full(len(new), rate)
        model = LogisticRegression(C=self.c, max_iter=self.max_iter).fit(x, reward)
        return lambda new: np.asarray(model.predict_proba(new)[:, 1], dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """Linear regression of any reward; `penalty` on squared coefficients, at least 0."""

    penalty: float = 1.0

    def fit(self, x: Floats, reward: Floats) -> Predict:
        """Learn."""
        model = RidgeRegression(alpha=self.penalty).fit(x, reward)
        return lambda new: np.asarray(model.predict(new), dtype=np.float64)


def folds_by(component: Ints, folds: int, rng: np.random.Generator) -> Ints:
    """Fold of each row; rows of one component lie in one fold.

    Args:
        component: shape (n,), who or what a row belongs to; `np.arange(n)` where rows are their own.
        folds: at least 2 and at most the components.
        rng: which components lie together.

    Raises:
        DataError: folds out of range.
    """
    known, code = np.unique(component, return_inverse=True)
    if not 2 <= folds <= len(known):
        raise DataError(
            f"folds must be in [2, {len(known)}], the number of components, got {folds}; cut a longer log or less"
        )
    return np.asarray(rng.permutation(np.arange(len(known)) % folds)[code], dtype=np.int64)


def cross_fit(
    context: Floats,
    actions: Floats,
    action: Ints,
    reward: Floats,
    fold: Ints,
    model: RewardModel,
    stratum: Ints | None = None,
) -> Floats:
    """Reward of every action in every round, by models that did not see the round's fold.

    Args:
        context: shape (n, p), what is known of a round.
        actions: shape (k, d), features of each action; a model sees them beside the context.
        action: shape (n,), which was taken.
        reward: shape (n,).
        fold: shape (n,), at least two different.
        model: learns each fold's.
        stratum: shape (n,), such as the place on a page; each gets models of its own.

    Returns:
        q, shape (n, k).

    Raises:
        DataError: shapes do not match, one fold only, an unknown action, or a stratum that lies in one fold.
    """
    _check(context, actions, action, reward, fold)
    n, k = len(action), len(actions)
    part = np.zeros(n, dtype=np.int64) if stratum is None else stratum
    q = np.empty((n, k))
    for s in np.unique(part).tolist():
        for f in np.unique(fold[part == s]).tolist():
            told = np.flatnonzero((part == s) & (fold != f))
            asked = np.flatnonzero((part == s) & (fold == f))
            if not len(told):
                raise DataError(
                    f"cross_fit: stratum {s} must lie in two folds, got fold {f} alone; cut it otherwise"
                )
            predict = model.fit(np.hstack([context[told], actions[action[told]]]), reward[told])
            for a, known in enumerate(actions):
                q[asked, a] = predict(np.hstack([context[asked], np.tile(known, (len(asked), 1))]))
    return q


def cross_fit_scale(prior: Floats, log: LoggedFeedback) -> Floats:
    """Reward model q = prior times one calibration factor, cross-fitted on two folds of alternate rows.

    Args:
        prior: shape (n, k), warm-start probability of each candidate.
        log: the rows it belongs to.

    Returns:
        Shape (n, k); no row's own reward enters its q. One pseudo-click keeps the factor above 0.

    Raises:
        DataError: shapes do not match.
    """
    if prior.shape != log.action_probs.shape:
        raise DataError(
            f"cross_fit_scale: prior must be {log.action_probs.shape}, got {prior.shape}; align it with the log"
        )
    rows = np.arange(len(log))
    expected = prior[rows, log.action]
    factor = np.empty(len(log))
    for fold in (0, 1):
        other = rows % 2 != fold
        factor[rows % 2 == fold] = (log.reward[other].sum() + 1) / (expected[other].sum() + 1)
    return np.asarray(prior * factor[:, None])


def _check(context: Floats, actions: Floats, action: Ints, reward: Floats, fold: Ints) -> None:
    n = len(reward)
    for name, values, dimensions in (("context", context, 2), ("action", action, 1), ("fold", fold, 1)):
        if len(values) != n or values.ndim != dimensions:
            raise DataError(
                f"cross_fit: {name} must have {n} rows, got shape {values.shape}; align it with reward"
            )
    if len(np.unique(fold)) < 2:
        raise DataError("cross_fit: fold must name at least 2 folds, got 1 or none; see folds_by")
    if actions.ndim != 2 or action.min() < 0 or action.max() >= len(actions):
        raise DataError(
            f"cross_fit: action must be a row of actions, got {action.min()} to {action.max()} of {actions.shape}; "
            "give features of every action"
        )
    if not (np.isfinite(context).all() and np.isfinite(actions).all() and np.isfinite(reward).all()):
        raise DataError(
            "cross_fit: context, actions and reward must be finite, got others; correct those rows"
        )
