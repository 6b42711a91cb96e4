"""LinUCB around the warm start: a shared linear correction plus one shrunk scalar per variant.

    E[click] = prior * (x . theta + rho_v),   x = [1, actions[v], context x action columns, state columns]

Before any feedback theta = e_0 and rho = 0, so the prediction is the warm start itself. Var(click) is close
to prior, so least squares weighs a row by 1 / prior and the factors cancel: with phi = prior * x,
phi phi' / prior = prior x x' and phi * reward / prior = x * reward; nothing is divided by a small number.
theta and rho are solved jointly and exactly: the rho block is diagonal, so its Schur complement leaves a
d x d system. LinUCB: Li, Chu, Langford, Schapire, WWW 2010.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.policy_pmf import check_epsilon, greedy_probs
from copybandit.sim.types import DataError, Floats, Ints

MAX_FEATURES = 32


class LinUCB:
    """Optimistic choice under a warm-started linear model that all variants share.

    Args:
        n_actions: number of variants m.
        n_features: columns q of ``Batch.actions``.
        interactions: pairs (context column, action column) whose products are features.
        state_channels: channels of ``Batch.state`` that are features, e.g. (1,) for the exposure stock.
        alpha: width of the optimism bonus in standard errors, >= 0.
        ridge: 1 / (prior variance of a coefficient of theta), above 0; 100 is a standard deviation of .1 and
            suits features of unit variance.
        residual_ridge: 1 / (prior variance of rho); 44 is a standard deviation of .15.
        epsilon: share of uniform exploration, in (0, 1].

    Raises:
        DataError: a setting is out of range, or there are more than 32 shared features.
    """

    name = "linucb"

    def __init__(
        self,
        *,
        n_actions: int,
        n_features: int,
        interactions: tuple[tuple[int, int], ...] = (),
        state_channels: tuple[int, ...] = (),
        alpha: float = 0.5,
        ridge: float = 100.0,
        residual_ridge: float = 44.0,
        epsilon: float = 0.02,
    ) -> None:
        if any(not 0 <= action < n_features for _, action in interactions):
            raise DataError(
                f"linucb: interactions must name action columns in [0, {n_features}), got {interactions}; "
                "give (context column, action column)"
            )
        width = n_features + len(interactions) + len(state_channels)
        if width > MAX_FEATURES:
            raise DataError(
                f"linucb: at most {MAX_FEATURES} shared features, got {width}; project the action features"
            )
        if not (0 < ridge < np.inf and 0 < residual_ridge < np.inf and 0 <= alpha < np.inf):
            raise DataError(
                f"linucb: ridge and residual_ridge must be above 0 and alpha >= 0, got {ridge}, "
                f"{residual_ridge}, "
                f"{alpha}; correct the settings"
            )
        self.n_features = n_features
        self.interactions = interactions
        self.state_channels = state_channels
        self.alpha = alpha
        self.ridge = ridge
        self.epsilon = check_epsilon(epsilon)
        self._gram: Floats = ridge * np.eye(1 + width)
        self._cross: Floats = np.zeros((n_actions, 1 + width))
        self._diagonal: Floats = np.full(n_actions, residual_ridge, dtype=np.float64)
        self._moment: Floats = ridge * np.eye(1 + width)[0]
        self._residual_moment: Floats = np.zeros(n_actions)
        self._solve()

    @property
    def theta(self) -> Floats:
        """Shared coefficients, shape (d,); e_0 before any feedback."""
        return np.array(self._theta)

    @property
    def residual(self) -> Floats:
        """Scalar correction of each variant, shape (m,)."""
        return np.array(self._rho)

    def predict(self, batch: Batch) -> Floats:
        """Expected click, shape (n, k), without the optimism bonus."""
        return np.asarray(batch.prior * (self._features(batch) @ self._theta + self._rho[batch.candidates]))

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), epsilon-greedy on prediction plus alpha standard errors."""
        x, c = self._features(batch), batch.candidates
        value = x @ self._theta + self._rho[c]
        # Joint posterior variance of x.theta + rho_v, through the block inverse.
        shift = x - self._pull[c]
        variance = 1 / self._diagonal[c] + np.square(shift @ self._root).sum(axis=-1)
        score = batch.prior * (value + self.alpha * np.sqrt(variance))
        return greedy_probs(score, batch.present, self.epsilon)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Adds the shown rows to the normal equations and solves them once."""
        check_feedback(batch, column, reward, weight)
        rows = np.arange(len(batch))
        x = self._features(batch, column)
        v, w = batch.shown(column), weight * batch.prior[rows, column]
        weighted = w[:, None] * x
        self._gram += weighted.T @ x
        self._moment += (weight * reward) @ x
        np.add.at(self._cross, v, weighted)
        self._diagonal += np.bincount(v, w, len(self._diagonal))
        self._residual_moment += np.bincount(v, weight * reward, len(self._diagonal))
        self._solve()

    def _features(self, batch: Batch, column: Ints | None = None) -> Floats:
        """x, shape (n, k, d), or (n, d) of one column per row."""
        if batch.actions.shape[1] != self.n_features:
            raise DataError(
                f"linucb: actions must have {self.n_features} columns, got {batch.actions.shape[1]}; "
                "make the policy for this feature set"
            )
        variants = batch.candidates.astype(np.int64) if column is None else batch.shown(column)
        state = batch.state if column is None else batch.state[np.arange(len(batch)), column]
        context = batch.context[:, None, :] if column is None else batch.context
        q, pairs = self.n_features, len(self.interactions)
        x = np.ones((*variants.shape, self._gram.shape[0]))
        x[..., 1 : 1 + q] = batch.actions[variants]
        for i, (p, a) in enumerate(self.interactions):
            x[..., 1 + q + i] = context[..., p] * x[..., 1 + a]
        for i, channel in enumerate(self.state_channels):
            x[..., 1 + q + pairs + i] = state[..., channel]
        return x

    def _solve(self) -> None:
        """Posterior mean of theta and rho, and a root of the inverse Schur complement."""
        self._pull = self._cross / self._diagonal[:, None]
        schur = self._gram - self._cross.T @ self._pull
        values, vectors = np.linalg.eigh((schur + schur.T) / 2)
        # In exact arithmetic no eigenvalue is below ridge; the floor undoes cancellation.
        self._root = vectors / np.sqrt(np.maximum(values, self.ridge))
        self._theta = self._root @ (self._root.T @ (self._moment - self._pull.T @ self._residual_moment))
        self._rho = (self._residual_moment - self._cross @ self._theta) / self._diagonal
