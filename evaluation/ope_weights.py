"""Other weights than pi_e/pi_b of the action, for the same `Rows`.

Several loggers: the propensity is that of their mixture, pi_e(a) / sum_l share_l pi_l(a) (Agarwal, Basu, Schnabel, Joachims
2017); such weights are never larger than the largest of the loggers' own.

Copy that acts through what it is: each action a belongs to a centre c with probability K(c|a), and the target policy is
smoothed to choose a centre, then an action as the log would have there,

    w(a) = sum_c K(c|a) pi_e(c) / pi_b(c),   pi(c) = sum_a K(c|a) pi(a).

With K(c|a) = 1 for the category of a this is MIPS (Saito, Joachims 2022). With a Gaussian kernel between embeddings, centred
on the candidates, it is the kernel weight of arXiv 2504.02646, averaged over centres so that the mean weight stays 1. Both
average the actions' own weights: less variance, and a bias as far as actions that are alike to K earn differently.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from copybandit.evaluation.ope_rows import Rows, check_target
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats, Ints


def balanced_rows(
    reward: Floats,
    target_prob: Floats,
    logger_probs: Floats,
    share: Floats,
    q: Floats | None = None,
    v: Floats | None = None,
) -> Rows:
    """Rows of several loggers' logs together.

    Args:
        reward: shape (n,).
        target_prob: shape (n,), of the logged action.
        logger_probs: shape (l, n), of the logged action under each of l loggers; only some may be 0.
        share: shape (l,), of each logger in all rows of all chunks; sums to 1.
        q: shape (n,), as of `Rows`.
        v: shape (n,), as of `Rows`.

    Raises:
        DataError: shapes do not match, a share is no share, or as of `Rows`.
    """
    if logger_probs.ndim != 2 or share.shape != (len(logger_probs),):
        raise DataError(
            f"balanced: logger_probs must be (l, n) and share (l,), got {logger_probs.shape} and {share.shape}; "
            "give every logger's probability of every logged action"
        )
    if not ((share >= 0).all() and abs(float(share.sum()) - 1) <= 1e-9):
        raise DataError(
            f"balanced: share must be >= 0 and sum to 1, got a sum of {share.sum()}; count each logger's rows"
        )
    if not ((logger_probs >= 0) & (logger_probs <= 1 + 1e-9)).all():
        raise DataError(
            f"balanced: logger_probs must be in [0, 1], got {logger_probs.min()} to {logger_probs.max()}; "
            "ask every logger for its probability"
        )
    mixed = np.asarray(share @ logger_probs)
    return Rows(reward=reward, propensity=mixed, target_prob=target_prob, q=q, v=v)


def embedded_rows(log: LoggedFeedback, target_probs: Floats, category: Ints) -> Rows:
    """Rows whose action is the category of the copy shown: MIPS.

    Args:
        log: n rounds, k candidates of m variants.
        target_probs: shape (n, k), the target policy.
        category: shape (m,) or (m, e), what the copy acts through: style, offer, length; equal rows are one category.

    Raises:
        DataError: no category for a candidate, or ``target_probs`` is no distribution over the candidates.
    """
    check_target(log, target_probs)
    _check_table("category", len(category), log)
    kind = category if category.ndim == 1 else np.unique(category, axis=0, return_inverse=True)[1]

    def alike(candidates: Ints) -> Floats:
        of = kind[candidates]
        return np.asarray(of[:, None] == of, dtype=np.float64)

    return _smoothed(log, target_probs, alike)


def kernel_rows(log: LoggedFeedback, target_probs: Floats, embedding: Floats, width: float) -> Rows:
    """Rows weighted by a Gaussian kernel between copies, exp(-|x - x'|^2 / (2 width^2)) before it is normalised.

    Args:
        log: n rounds, k candidates of m variants.
        target_probs: shape (n, k), the target policy.
        embedding: shape (m, d), of each variant.
        width: above 0, in the unit of the embedding's distances; choose it by `copybandit.evaluation.ope_tuning`.

    Raises:
        DataError: no finite embedding for a candidate, width not above 0, or as of `embedded_rows`.
    """
    check_target(log, target_probs)
    if not (math.isfinite(width) and width > 0):
        raise DataError(f"kernel: width must be a finite number above 0, got {width}; give a distance")
    if embedding.ndim != 2 or not np.isfinite(embedding).all():
        raise DataError(
            f"kernel: embedding must be (m, d) and finite, got {embedding.shape}; encode every variant"
        )
    _check_table("embedding", len(embedding), log)

    def near(candidates: Ints) -> Floats:
        x = embedding[candidates]
        square = np.square(x).sum(axis=1)
        apart = np.maximum(square[:, None] + square - 2 * x @ x.T, 0)
        np.fill_diagonal(apart, 0)
        return np.asarray(np.exp(-apart / (2 * width**2)))

    return _smoothed(log, target_probs, near)


def _smoothed(log: LoggedFeedback, target_probs: Floats, alike: Callable[[Ints], Floats]) -> Rows:
    """Rows of the smoothed target policy.

    Args:
        log: n rounds, k candidates.
        target_probs: shape (n, k).
        alike: the present candidates of a round, shape (j,), to their kernel, shape (j, j), 1 on the diagonal.
    """
    weight, missed = np.empty(len(log)), np.zeros(len(log), dtype=np.bool_)
    for rows in _same_candidates(log):
        candidates = log.candidates[rows[0]].astype(np.int64)
        there = np.flatnonzero(candidates >= 0)
        kernel = alike(candidates[there])
        kernel /= kernel.sum(axis=1, keepdims=True)
        logged = log.action_probs[np.ix_(rows, there)] @ kernel
        wanted = target_probs[np.ix_(rows, there)] @ kernel
        ratio = np.divide(wanted, logged, out=np.zeros_like(wanted), where=logged > 0)
        shown = kernel[np.searchsorted(there, log.action[rows])]
        weight[rows] = (shown * ratio).sum(axis=1)
        missed[rows] = ((wanted > 0) & (logged <= 0)).any(axis=1)
    return Rows(
        reward=log.reward,
        propensity=log.propensity,
        target_prob=np.minimum(weight * log.propensity, 1.0),
        support_misses=int(missed.sum()),
    )


def _same_candidates(log: LoggedFeedback) -> list[Ints]:
    """Rows of each set of candidates, in the order in which the sets come first."""
    if not len(log):
        return []
    known: dict[bytes, int] = {}
    which = np.array([known.setdefault(row.tobytes(), len(known)) for row in log.candidates])
    return np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])


def _check_table(name: str, m: int, log: LoggedFeedback) -> None:
    largest = int(log.candidates.max(initial=-1))
    if largest >= m:
        raise DataError(
            f"ope: {name} must have a row for variant {largest}, got {m} rows; encode every variant"
        )
