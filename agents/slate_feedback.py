"""What a policy learns from a slate: one row per place, corrected for places that fewer people look at.

A click in place l happens with probability examine(l) * P(click of the variant), examine known. Three ways:

    prior    the row's warm start is examine(l) * prior: exact for policies whose click is prior times something
             (LinUCB, LinTS, SquareCB, softmax, epsilon-greedy, bagging), nearly so for the logistic one
    weight   a click counts 1, its absence examine(l): (1 - e p) is (1 - p)^e up to e (1 - e) p^2 / 2, so that the likelihood
             of policies that count is right at click rates of some percent; for any policy with rewards in [0, 1]
    cascade  places are read from the top to the first click: those down to it count 1, those below it 0; examine is not used

Position-based model: Lagree, Vernade, Cappe, NeurIPS 2016. Cascade: Craswell et al., WSDM 2008; Kveton et al., ICML 2015.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.batch_rows import take
from copybandit.agents.slate import Slates
from copybandit.sim.types import DataError, Floats, Ints

By = Literal["prior", "weight", "cascade"]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """How places are looked at, and how a policy is told.

    Attributes:
        examine: probability that each place is looked at, in (0, 1]; not used by ``cascade``.
        by: way of the correction.

    Raises:
        DataError: a probability is outside (0, 1], or there is no such way.
    """

    examine: tuple[float, ...]
    by: By = "weight"

    def __post_init__(self) -> None:
        if not all(0 < one <= 1 for one in self.examine) or self.by not in get_args(By):
            raise DataError(
                f"examination: examine must be in (0, 1] and by one of {', '.join(get_args(By))}, got {self.examine} and "
                f"{self.by!r}; correct the settings"
            )


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One row per filled place: what `Learner.update` takes."""

    batch: Batch
    column: Ints
    reward: Floats
    weight: Floats


def rows_of(
    batch: Batch, slates: Slates, reward: Floats, examination: Examination, weight: Floats | None = None
) -> Rows:
    """Rows of feedback in the order of requests, then places.

    Args:
        batch: the n requests as they were when the slates were drawn.
        slates: what was shown in L places.
        reward: shape (n, L), in [0, 1] where filled; what stands elsewhere is ignored.
        examination: how places are looked at.
        weight: shape (n,), how much each request counts; 1 where None.

    Raises:
        DataError: shapes do not fit, there are more places than the examination knows, or a reward is outside [0, 1].
    """
    ones = np.ones(len(slates)) if weight is None else weight
    _check(batch, slates, reward, examination, ones)
    request, place = np.nonzero(slates.filled)
    told = reward[request, place]
    if not ((told >= 0) & (told <= 1)).all():
        raise DataError(
            f"slate feedback: reward must be in [0, 1], got {told.min()} to {told.max()}; rescale it"
        )
    rows = take(batch, request)
    return _corrected(rows, slates.column[request, place], told, ones[request], request, place, examination)


def _check(batch: Batch, slates: Slates, reward: Floats, examination: Examination, weight: Floats) -> None:
    n, places = slates.column.shape
    if len(batch) != n or reward.shape != (n, places) or weight.shape != (n,):
        raise DataError(
            f"slate feedback: batch, reward and weight must be ({n},), ({n}, {places}) and ({n},), got {len(batch)}, "
            f"{reward.shape} and {weight.shape}; give one reward per place"
        )
    if examination.by != "cascade" and places > len(examination.examine):
        raise DataError(
            f"slate feedback: examine must know {places} places, got {len(examination.examine)}; add the others"
        )


def _corrected(
    rows: Batch, column: Ints, reward: Floats, weight: Floats, request: Ints, place: Ints, how: Examination
) -> Rows:
    if how.by == "cascade":
        return Rows(batch=rows, column=column, reward=reward, weight=weight * _read(reward, request))
    seen = np.array(how.examine)[place]
    if how.by == "prior":
        state = rows.state.copy()
        state[..., 0] *= seen[:, None]
        return Rows(batch=replace(rows, state=state), column=column, reward=reward, weight=weight)
    # A click counts 1 and its absence e: weight r + (1 - r) e, of which the share r / weight is clicks.
    counted = reward + (1 - reward) * seen
    return Rows(batch=rows, column=column, reward=reward / counted, weight=weight * counted)


def _read(reward: Floats, request: Ints) -> Floats:
    """1 down to the first click of a request, 0 below it, shape (rows,); rows of a request stand together in order."""
    clicks: Ints = np.cumsum(reward > 0) - (reward > 0)
    start = np.searchsorted(request, request)
    return np.asarray(clicks == clicks[start], dtype=np.float64)


def learn_slates(
    policy: Learner,
    batch: Batch,
    slates: Slates,
    reward: Floats,
    examination: Examination,
    weight: Floats | None = None,
) -> None:
    """Teaches a policy what came of slates; arguments and errors as `rows_of` and `Learner.update`."""
    rows = rows_of(batch, slates, reward, examination, weight)
    policy.update(rows.batch, rows.column, rows.reward, rows.weight)
