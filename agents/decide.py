"""The only place that samples an action. Simulator, service and evaluation go through it.

The probabilities that are logged are the ones that were drawn from: propensities are exact by construction.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import ABSENT
from copybandit.agents.fast import kernel
from copybandit.sim.types import DataError, Decision, Floats, Ints


def decide(action_probs: Floats, rng: np.random.Generator) -> Ints:
    """Draws one column per row by the inverse of the cumulative distribution; one uniform number per row.

    Args:
        action_probs: shape (n, k), rows sum to 1.
        rng: source of the n uniform numbers.

    Returns:
        Shape (n,), never a column with probability 0.

    Raises:
        DataError: a row is no distribution.
    """
    if action_probs.ndim != 2:
        raise DataError(
            f"decide: action_probs must be (n, k), got {action_probs.shape}; make one request a batch of one"
        )
    return draw(action_probs, rng.random(len(action_probs)))


def draw(action_probs: Floats, uniform: Floats) -> Ints:
    """`decide` with the uniform numbers, shape (n,), given.

    Raises:
        DataError: a row is no distribution.
    """
    fast = kernel()
    if fast is not None:
        column: Ints = np.empty(len(action_probs), dtype=np.int64)
        with suppress(TypeError):  # arrays of another kind
            if fast.draw(action_probs, uniform, column):
                return column
    total = action_probs.sum(axis=1)
    bad = ~(np.abs(total - 1) <= 1e-9) | (action_probs < 0).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"decide row {row}: action_probs must be >= 0 and sum to 1, got {action_probs[row].tolist()}; "
            "correct the policy"
        )
    cumulative = np.cumsum(action_probs, axis=1)
    last = cumulative[:, -1]
    # Rounding may carry u * total up to the total itself, which no column covers.
    u = np.minimum(uniform * last, np.nextafter(last, 0))
    return np.asarray((cumulative <= u[:, None]).sum(axis=1), dtype=np.int64)


def decide_one(
    *,
    candidates: NDArray[np.int32],
    action_probs: Floats,
    rng: np.random.Generator,
    decision_id: str,
    time: datetime,
    shopper_id: str,
    product_id: str,
) -> Decision:
    """Decides one request and stamps the propensity.

    Args:
        candidates: shape (k,), variant indices, -1 for absent.
        action_probs: shape (k,), sums to 1, 0 where absent.
        rng: source of one uniform number.
        decision_id: unique id of the request.
        time: when it was decided.
        shopper_id: who asked.
        product_id: for which product.

    Returns:
        The record of the decision.

    Raises:
        DataError: the probabilities are no distribution over the present candidates.
    """
    if candidates.shape != action_probs.shape or (action_probs[candidates == ABSENT] != 0).any():
        raise DataError(
            f"decision {decision_id}: action_probs must be 0 where a candidate is absent, got "
            f"{action_probs.tolist()} for {candidates.tolist()}; mask them"
        )
    return Decision(
        decision_id=decision_id,
        time=time,
        shopper_id=shopper_id,
        product_id=product_id,
        candidates=tuple(candidates.tolist()),
        action_probs=tuple(action_probs.tolist()),
        position_in_candidates=int(decide(action_probs[None, :], rng)[0]),
    )
