"""Probability vectors that policies share: uniform over what is present, and greedy with a uniform floor."""

from __future__ import annotations

import numpy as np

from copybandit.sim.types import Bools, DataError, Floats

TIE = 1e-9
"""Scores closer than this, relative to the best, are ties: rounding must not depend on the column order."""


def check_epsilon(epsilon: float) -> float:
    """Returns epsilon if it keeps every propensity positive.

    Raises:
        DataError: epsilon is outside (0, 1].
    """
    if not 0 < epsilon <= 1:
        raise DataError(
            f"policy: epsilon must be in (0, 1], got {epsilon}; raise it so that propensities stay positive"
        )
    return epsilon


def check_setting(policy: str, name: str, value: float, *, zero: bool = False) -> float:
    """Returns a setting that is finite and above 0, or, with ``zero``, at least 0.

    Raises:
        DataError: it is not.
    """
    if not (0 < value < np.inf or (zero and value == 0)):
        rule = ">= 0" if zero else "above 0"
        raise DataError(f"{policy}: {name} must be finite and {rule}, got {value}; correct the setting")
    return value


def check_points(policy: str, points: int) -> int:
    """Returns a number of points that `policy_best` can use.

    Raises:
        DataError: it is below 8 or odd.
    """
    if points < 8 or points % 2:
        raise DataError(f"{policy}: points must be even and at least 8, got {points}; raise it")
    return points


def check_rate(policy: str, reward: Floats) -> None:
    """Refuses rewards that are no click rates.

    Raises:
        DataError: one is outside [0, 1].
    """
    if len(reward) and not (reward.min() >= 0 and reward.max() <= 1):
        raise DataError(
            f"{policy}: reward must be in [0, 1], got {reward.min()} to {reward.max()}; use clicks or rescale"
        )


def uniform_probs(present: Bools) -> Floats:
    """Equal probability for each present candidate, shape (n, k)."""
    return np.asarray(present / present.sum(axis=1, keepdims=True), dtype=np.float64)


def with_floor(probs: Floats, present: Bools, epsilon: float) -> Floats:
    """Mixes in a uniform distribution: each present candidate keeps at least epsilon / (number present)."""
    return (1 - epsilon) * probs + epsilon * uniform_probs(present)


def best_of(score: Floats, present: Bools) -> Bools:
    """Which present candidates have the highest score, ties included, shape (n, k)."""
    masked = np.where(present, score, -np.inf)
    top = masked.max(axis=1, keepdims=True)
    return np.asarray(masked >= top - TIE * np.abs(top))


def greedy_probs(score: Floats, present: Bools, epsilon: float) -> Floats:
    """All of 1 - epsilon on the best score, ties split evenly, epsilon spread over the present candidates.

    Args:
        score: shape (n, k); values where absent are ignored.
        present: shape (n, k).
        epsilon: share of uniform exploration, in (0, 1].

    Returns:
        Shape (n, k).
    """
    return with_floor(greedy(score, present), present, epsilon)


def greedy(score: Floats, present: Bools) -> Floats:
    """All probability on the best score, ties split evenly, shape (n, k)."""
    return uniform_probs(best_of(score, present))
