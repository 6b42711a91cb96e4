"""Other weights than pi_e/pi_b of the action, each as two columns of `Rows`: what is averaged over on both sides.

    balanced  pi_e(a) / sum_l share_l pi_l(a)                 several loggers (Agarwal, Basu, Schnabel, Joachims 2017)
    MIPS      sum_a' 1[e(a') = e(a)] pi_e(a') / same of pi_b  if copy acts through its categories (Saito, Joachims 2022)
    kernel    sum_a' K(a', a) pi_e(a') / same of pi_b         if copy acts smoothly through its embedding (arXiv 2504.02646)

Balanced weights are never larger than the largest of the loggers' own. The other two are averages of the actions' weights:
less variance, and a bias as far as actions of one category, or near each other, earn differently.
"""

from __future__ import annotations

import math

import numpy as np

from copybandit.evaluation.ope_rows import Rows, check_target
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import Bools, DataError, Floats, Ints


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
    of_candidates = np.where(log.candidates >= 0, kind[log.candidates], -1)
    shown = of_candidates[np.arange(len(log)), log.action]
    return _smoothed(
        log, target_probs, of_candidates == shown[:, None], _missed(log, target_probs, of_candidates)
    )


def kernel_rows(log: LoggedFeedback, target_probs: Floats, embedding: Floats, width: float) -> Rows:
    """Rows weighted by a Gaussian kernel between copies: K = exp(-|x - x'|^2 / (2 width^2)).

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
    shown = embedding[log.item_id]
    near = np.stack(
        [
            np.square(embedding[log.candidates[:, j]] - shown).sum(axis=1)
            for j in range(log.candidates.shape[1])
        ],
        axis=1,
    )
    return _smoothed(log, target_probs, np.exp(-near / (2 * width**2)), 0)


def _smoothed(log: LoggedFeedback, target_probs: Floats, kernel: Floats | Bools, misses: int) -> Rows:
    """Both policies averaged over candidates by a kernel of shape (n, k) in [0, 1]; absent ones have no probability."""
    return Rows(
        reward=log.reward,
        propensity=(log.action_probs * kernel).sum(axis=1),
        target_prob=(target_probs * kernel).sum(axis=1),
        support_misses=misses,
    )


def _missed(log: LoggedFeedback, target_probs: Floats, category: Ints) -> int:
    """Rounds where the target policy may show a category that the log never could."""
    missed = np.zeros(len(log), dtype=np.bool_)
    for j in range(category.shape[1]):
        logged = (log.action_probs * (category == category[:, j, None])).sum(axis=1)
        missed |= (target_probs[:, j] > 0) & (logged <= 0)
    return int(missed.sum())


def _check_table(name: str, m: int, log: LoggedFeedback) -> None:
    largest = int(log.candidates.max(initial=-1))
    if largest >= m:
        raise DataError(
            f"ope: {name} must have a row for variant {largest}, got {m} rows; encode every variant"
        )
