"""The conformance check every policy must pass: what makes a vector a usable, loggable distribution."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from copybandit.agents.batch import ABSENT, Batch, Policy
from copybandit.sim.types import DataError, Floats, Ints

TOLERANCE = 1e-9


def check_policy(
    policy: Policy,
    batch: Batch,
    rng: np.random.Generator,
    *,
    floor: float = 0.0,
    tolerance: float = TOLERANCE,
) -> None:
    """Checks that ``policy.action_probs`` is a distribution over present candidates and nothing else.

    Every call sees the same random state, so a policy that draws must draw per variant, not per column.

    Args:
        policy: the policy, fresh or trained; it is not changed.
        batch: any valid batch.
        rng: source for the permutation and for the policy.
        floor: each present candidate must have at least floor / (number present).
        tolerance: largest difference that counts as equal.

    Raises:
        DataError: names the rule that is broken.
    """
    order = rng.permuted(np.tile(np.arange(batch.candidates.shape[1]), (len(batch), 1)), axis=1)
    probs = _probs(policy, batch, rng)
    _check_distribution(policy, batch, probs, floor)
    same = {
        "the same when asked twice": (batch, probs),
        "permuted with the candidate columns": (permute(batch, order), np.take_along_axis(probs, order, 1)),
        "unchanged by absent candidates": (pad(batch), np.pad(probs, ((0, 0), (1, 2)))),
        "the same for a batch of one": (head(batch), probs[:1]),
    }
    for rule, (changed, expected) in same.items():
        gap = float(np.abs(_probs(policy, changed, rng) - expected).max(initial=0.0))
        if not gap <= tolerance:
            raise DataError(
                f"policy {policy.name}: action_probs must be {rule}, differ by {gap:.3g}; correct the policy"
            )


def permute(batch: Batch, order: Ints) -> Batch:
    """The batch with the candidate columns of each row in another order; ``order`` has shape (n, k)."""
    return replace(
        batch,
        candidates=np.take_along_axis(batch.candidates, order, 1),
        state=np.take_along_axis(batch.state, order[:, :, None], 1),
    )


def pad(batch: Batch) -> Batch:
    """The batch with one absent candidate before the others and two after, their state 0."""
    return replace(
        batch,
        candidates=np.pad(batch.candidates, ((0, 0), (1, 2)), constant_values=ABSENT),
        state=np.pad(batch.state, ((0, 0), (1, 2), (0, 0))),
    )


def head(batch: Batch) -> Batch:
    """The first request alone."""
    return replace(
        batch,
        candidates=batch.candidates[:1],
        state=batch.state[:1],
        context=batch.context[:1],
        time=batch.time[:1],
    )


def _probs(policy: Policy, batch: Batch, rng: np.random.Generator) -> Floats:
    return policy.action_probs(batch, copy.deepcopy(rng))


def _check_distribution(policy: Policy, batch: Batch, probs: Floats, floor: float) -> None:
    """Shape, range, sum, support and floor."""
    if probs.shape != batch.candidates.shape:
        raise DataError(
            f"policy {policy.name}: action_probs must be {batch.candidates.shape}, got {probs.shape}; "
            "return one probability per candidate"
        )
    if not ((probs >= 0) & (probs <= 1)).all():
        raise DataError(
            f"policy {policy.name}: action_probs must be in [0, 1], got {probs.min()} to {probs.max()}; "
            "correct the policy"
        )
    off = float(np.abs(probs.sum(axis=1) - 1).max(initial=0.0))
    if off > TOLERANCE:
        raise DataError(
            f"policy {policy.name}: rows must sum to 1, off by {off:.3g}; normalise the probabilities"
        )
    if (probs[~batch.present] != 0).any():
        raise DataError(
            f"policy {policy.name}: absent candidates must have probability 0, got "
            f"{probs[~batch.present].max()}; mask them"
        )
    least = floor / batch.present.sum(axis=1, keepdims=True) - TOLERANCE
    if (batch.present & (probs < least)).any():
        raise DataError(
            f"policy {policy.name}: present candidates must keep {floor} / k, got "
            f"{probs[batch.present].min():.3g}; mix in the uniform floor"
        )
