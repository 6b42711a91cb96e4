"""The parts of a model that is linear in shared features and has one scalar per variant.

    score = start + scale * (x . theta + rho_v) = start + scale * (common + sum_j theta_j (x_j - mean of x_j) + rho_v)

The mean is over the present candidates of the request, so a feature is told by how it sets a candidate apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import Kind, Parts, Record, evened, shared_parts
from copybandit.agents.policy_arrow import Scores
from copybandit.agents.policy_best import best_of_normals
from copybandit.sim.types import Floats


@dataclass(frozen=True, kw_only=True)
class LinearParts:
    """Parts of the mean scores of n requests with k candidates.

    Attributes:
        kinds: of each of the j parts.
        names: of each.
        value: shape (n, k, j).
        record: what is remembered of each candidate.
    """

    kinds: tuple[Kind, ...]
    names: tuple[str, ...]
    value: Floats
    record: Record

    def choice(
        self,
        batch: Batch,
        choose: Callable[[Floats], Floats],
        epsilon: float,
        *,
        bonus: Floats | None = None,
        even: Floats | None = None,
    ) -> Parts:
        """With the policy's rule; ``bonus`` (n, k) is a part of its own, ``even`` as in `Parts`."""
        extra = () if bonus is None else (np.where(batch.present, bonus, 0.0)[..., None],)
        return Parts(
            kinds=self.kinds if bonus is None else (*self.kinds, "doubt"),
            names=self.names if bonus is None else (*self.names, ""),
            value=np.concatenate([self.value, *extra], axis=2),
            present=batch.present,
            choose=choose,
            even=even,
            epsilon=epsilon,
            record=self.record,
        )


def linear_parts(
    batch: Batch,
    x: Floats,
    names: tuple[str, ...],
    *,
    start: Floats,
    scale: Floats,
    theta: Floats,
    rho: Floats,
    record: Record,
) -> LinearParts:
    """Takes mean scores apart.

    Args:
        batch: the requests.
        x: shape (n, k, d), the first column 1.
        names: of the features, shape (d - 1,).
        start: shape (n, k), score before any feedback.
        scale: shape (n, k).
        theta: shape (d,), what was learned on top of ``start``.
        rho: shape (n, k), of each candidate.
        record: what is remembered of each candidate.
    """
    shared = scale[..., None] * shared_parts(x, theta, batch.present)
    shared[..., 0] += scale * theta[0]
    value = np.concatenate([start[..., None], shared, (scale * rho)[..., None]], axis=2)
    feature: tuple[Kind, ...] = ("feature",)
    return LinearParts(
        kinds=("warm start", "common", *(feature * len(names)), "record"),
        names=("", "", *names, ""),
        value=np.where(batch.present[..., None], value, 0.0),
        record=record,
    )


def best_given_scores(scores: Scores, batch: Batch, points: int) -> tuple[Callable[[Floats], Floats], Floats]:
    """Probability of being the best, (n, k): as a function of the mean scores, and in equal doubt.

    Args:
        scores: posterior of the batch's candidates.
        batch: the requests.
        points: of the quadrature.

    Returns:
        The function of mean scores (n, k), doubt as it is, and the probabilities were the scores independent with the
        same variance, the mean over the candidates present.
    """

    def choose(mean: Floats) -> Floats:
        return best_of_normals(replace(scores, mean=mean), batch.present, batch.candidates, points)

    own = np.broadcast_to(evened(scores.variance(), batch.present), scores.own.shape)
    even = replace(scores, loading=np.zeros_like(scores.loading), own=own)
    return choose, best_of_normals(even, batch.present, batch.candidates, points)
