"""Warm start from a log: what another policy's season says is learned before the first decision.

Weights: "none" counts every row once. "inverse" counts it as often as an even choice would have shown it,
1 / (k * propensity) with k candidates present and at most ``most``, so that a learner whose model is wrong leans no more to
what the logging policy liked. Neither changes what a well-specified model converges to.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.batch_rows import take
from copybandit.agents.forgetful import rehearse
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats, Ints

Weighting = Literal["none", "inverse"]


def warm_start(
    policy: Learner,
    log: LoggedFeedback,
    requests: Batch,
    *,
    batch_size: int = 500,
    weighting: Weighting = "none",
    most: float = 10.0,
) -> Floats:
    """Teaches a log to a learner in order of time; rows of the same time keep their order.

    Args:
        policy: learns; it is changed.
        log: n rows, e.g. of `sim.schema.read_feedback`.
        requests: the same n rows as a policy sees them, with the features the learner needs; see `requests_of`.
        batch_size: rows between two updates.
        weighting: "none" or "inverse", see above.
        most: largest inverse weight, above 0.

    Returns:
        The weights, shape (n,), in the log's order.

    Raises:
        DataError: the requests are not those of the log, a setting is out of range, or the learner refuses a row; nothing
            is learned.
    """
    if batch_size < 1 or not most > 0 or weighting not in ("none", "inverse"):
        raise DataError(
            f"warm start: batch_size must be at least 1, most above 0 and weighting none or inverse, got {batch_size}, "
            f"{most} and {weighting!r}; correct them"
        )
    if not np.array_equal(requests.candidates, log.candidates):
        raise DataError(
            f"warm start: requests must have the candidates of the log, got {requests.candidates.shape} and "
            f"{log.candidates.shape}, or others in some row; make them by requests_of"
        )
    weight: Floats = np.ones(len(log))
    if weighting == "inverse":
        weight = np.minimum(1 / (requests.present.sum(axis=1) * log.propensity), most)
    order = np.argsort(log.timestamp, kind="stable")
    parts: list[Ints] = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    for rows in parts:
        rehearse(policy, take(requests, rows), log.action[rows], log.reward[rows])
    for rows in parts:
        policy.update(take(requests, rows), log.action[rows], log.reward[rows], weight[rows])
    return weight


def requests_of(
    log: LoggedFeedback,
    prior: Floats,
    *,
    actions: Floats | None = None,
    context: Floats | None = None,
    state: Floats | None = None,
    since: np.datetime64 | None = None,
) -> Batch:
    """What a policy would have seen of the rows of a log; features it was not told are left out.

    Args:
        log: n rows with k candidates.
        prior: shape (n, k), click probability expected of each candidate, in (0, 1); or shape (m,), of each variant.
        actions: shape (m, q), features of all variants; none by default.
        context: shape (n, p), features of the requests; none by default.
        state: shape (n, k, s), channels of state after the prior, e.g. exposure stocks; none by default.
        since: time 0; the first row's by default.

    Raises:
        DataError: prior or state do not fit the log, or the batch cannot be used.
    """
    n, k = log.candidates.shape
    most = int(log.candidates.max(initial=-1))
    if prior.shape != (n, k) and not (prior.ndim == 1 and len(prior) > most):
        raise DataError(
            f"requests of a log: prior must be ({n}, {k}), or have a place for each variant up to {most}, got "
            f"{prior.shape}; give one for each candidate or each variant"
        )
    if state is not None and (state.ndim != 3 or state.shape[:2] != (n, k)):
        raise DataError(
            f"requests of a log: state must be ({n}, {k}, s), got {state.shape}; give the channels of each candidate"
        )
    each = prior if prior.ndim == 2 else np.where(log.candidates >= 0, prior[log.candidates], 0.0)
    m = max(most + 1, len(prior) if prior.ndim == 1 else 0)
    start = since if since is not None else log.timestamp.min() if n else np.datetime64(0, "us")
    return Batch(
        context=np.empty((n, 0)) if context is None else context,
        actions=np.empty((m, 0)) if actions is None else actions,
        candidates=log.candidates,
        state=np.concatenate([each[:, :, None], np.empty((n, k, 0)) if state is None else state], axis=2),
        time=(log.timestamp - start) / np.timedelta64(1, "D"),
    )
