"""Linear policies with coefficients of each variant's own, for shops with few variants and much traffic.

    E[click] = prior * (1 + z . theta_v),   z = [1, context],   theta_v ~ N(0, 1 / ridge) before any feedback

Before any feedback the prediction is the warm start. Var(click) is close to prior, so that least squares weighs a row by
1 / prior and nothing is divided by a small number, as in `LinearModel`; what one variant earns says nothing about another.
LinUCB with disjoint models: Li, Chu, Langford, Schapire, WWW 2010; LinTS: Agrawal & Goyal, ICML 2013.
"""

from __future__ import annotations

from typing import Required, TypedDict, Unpack

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.policy_context import ContextFeatures
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_independent import best_of_independent
from copybandit.agents.policy_pmf import check_epsilon, check_points, check_setting, greedy_probs, with_floor
from copybandit.agents.policy_roots import Roots
from copybandit.sim.types import Floats, Ints


class DisjointOptions(TypedDict, total=False):
    """What every policy with disjoint coefficients is told, with the defaults of its model."""

    n_actions: Required[int]
    """Number of variants m."""
    n_context: Required[int]
    """Columns of ``Batch.context``."""
    ridge: float
    """1 / (prior variance of a coefficient), above 0; the default 100 is a standard deviation of .1."""
    waves: int
    """Random waves over the context, 0 (the default) for a linear model; see `ContextFeatures`."""
    width: float
    """Width of the kernel that the waves stand for, in units of the context; default 1."""


class DisjointModel:
    """Posterior of theta_v, variant by variant; the arguments are `DisjointOptions`.

    Raises:
        DataError: a setting is out of range, or the variants need more than 1 GiB.
    """

    def __init__(
        self, *, n_actions: int, n_context: int, ridge: float = 100.0, waves: int = 0, width: float = 1.0
    ) -> None:
        check_setting("disjoint model", "ridge", ridge)
        self._read = ContextFeatures(n_context=n_context, waves=waves, width=width)
        self._roots = Roots(n_actions, self._read.width, ridge)
        self._moment: Floats = np.zeros((n_actions, self._read.width))
        self._theta: Floats = np.zeros((n_actions, self._read.width))

    @property
    def theta(self) -> Floats:
        """Coefficients of each variant, shape (m, d); 0 before any feedback."""
        return np.array(self._theta)

    def scores(self, batch: Batch) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the expected click of each candidate, each of shape (n, k)."""
        z, c = self._features(batch), batch.candidates
        lift = (self._theta[c] @ z[:, :, None])[:, :, 0]
        doubt = np.sqrt(self._roots.variance(z, np.where(batch.present, c, -1)))
        return batch.prior * (1 + lift), batch.prior * doubt

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Adds the shown rows to the normal equations of their variants."""
        check_feedback(batch, column, reward, weight)
        z, shown = self._features(batch), batch.shown(column)
        prior = batch.prior[np.arange(len(batch)), column]
        self._roots.add(z, shown, weight * prior)
        np.add.at(self._moment, shown, (weight * (reward - prior))[:, None] * z)
        told = np.unique(shown[weight > 0])
        self._theta[told] = self._roots.solve(told, self._moment[told])

    def _features(self, batch: Batch) -> Floats:
        """z, shape (n, d)."""
        check_variants(batch, len(self._theta))
        return self._read(batch.context)


class DisjointLinUCB:
    """Optimistic choice under `DisjointModel`: epsilon-greedy on prediction plus alpha standard errors.

    Args:
        alpha: width of the optimism bonus in standard errors, >= 0.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the model.

    Raises:
        DataError: a setting is out of range.
    """

    name = "disjoint_linucb"

    def __init__(
        self, *, alpha: float = 0.5, epsilon: float = 0.02, **options: Unpack[DisjointOptions]
    ) -> None:
        self.alpha = check_setting(self.name, "alpha", alpha, zero=True)
        self.epsilon = check_epsilon(epsilon)
        self.model = DisjointModel(**options)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on prediction plus alpha standard errors; ``rng`` is not used."""
        mean, deviation = self.model.scores(batch)
        return greedy_probs(mean + self.alpha * deviation, batch.present, self.epsilon)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the model."""
        self.model.update(batch, column, reward, weight)


class DisjointLinTS:
    """Chooses each candidate as often as the posterior thinks it the best; scores of variants are independent.

    Args:
        spread: standard deviations are multiplied by it, above 0; below 1 explores less than the posterior says.
        points: of the quadrature, at least 8.
        epsilon: share of uniform exploration, in (0, 1].
        options: of the model.

    Raises:
        DataError: a setting is out of range.
    """

    name = "disjoint_lints"

    def __init__(
        self,
        *,
        spread: float = 1.0,
        points: int = 64,
        epsilon: float = 0.02,
        **options: Unpack[DisjointOptions],
    ) -> None:
        self.spread = check_setting(self.name, "spread", spread)
        self.points = check_points(self.name, points)
        self.epsilon = check_epsilon(epsilon)
        self.model = DisjointModel(**options)

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), posterior probability of being the best, mixed with the floor; ``rng`` is not used."""
        mean, deviation = self.model.scores(batch)
        best = best_of_independent(mean, self.spread * deviation, batch.present, self.points)
        return with_floor(best, batch.present, self.epsilon)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the model."""
        self.model.update(batch, column, reward, weight)
