"""The features that all variants share: x = [1, actions[v], context x action columns, state columns]."""

from __future__ import annotations

from typing import Required, TypedDict

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import FeatureNames
from copybandit.agents.stateful import Settings
from copybandit.sim.types import DataError, Floats, Ints

MAX_FEATURES = 256
"""Most shared features: a refresh of the root, of their number cubed, then takes some 20 ms."""


class LinearOptions(TypedDict, total=False):
    """What every policy on shared features is told, with the defaults of its model."""

    n_actions: Required[int]
    """Number of variants m."""
    n_features: Required[int]
    """Columns q of ``Batch.actions``."""
    interactions: tuple[tuple[int, int], ...]
    """Pairs (context column, action column) whose products are features; default none."""
    state_channels: tuple[int, ...]
    """Channels of ``Batch.state`` that are features, e.g. (1,) for the exposure stock; default none."""
    ridge: float
    """1 / (prior variance of a shared coefficient), above 0; the default 100 is a standard deviation of .1 and suits
    features of unit variance."""
    residual_ridge: float
    """1 / (prior variance of a variant's own scalar); the default 44 is a standard deviation of .15."""


class SharedFeatures:
    """The map from a batch to x.

    Its ``plan``, shape (., 2), says what follows the actions: (context column, action column) of a product, or
    (-1, state channel).

    Args:
        n_actions: number of variants m.
        n_features: columns q of ``Batch.actions``.
        interactions: pairs (context column, action column).
        state_channels: channels of ``Batch.state``.

    Raises:
        DataError: an interaction names no action column, or there are more than 256 shared features.
    """

    def __init__(
        self,
        *,
        n_actions: int,
        n_features: int,
        interactions: tuple[tuple[int, int], ...] = (),
        state_channels: tuple[int, ...] = (),
    ) -> None:
        if any(not 0 <= action < n_features for _, action in interactions):
            raise DataError(
                f"features: interactions must name action columns in [0, {n_features}), got {interactions}; "
                "give (context column, action column)"
            )
        width = n_features + len(interactions) + len(state_channels)
        if width > MAX_FEATURES:
            raise DataError(
                f"features: at most {MAX_FEATURES} shared features, got {width}; project the action features"
            )
        self.n_actions = n_actions
        self.n_features = n_features
        self.interactions = interactions
        self.state_channels = state_channels
        self.width = 1 + width
        plan = [*interactions, *((-1, channel) for channel in state_channels)]
        self.plan: Ints = np.array(plan, dtype=np.int64).reshape(-1, 2)
        self._columns = 1 + max((p for p, _ in interactions), default=-1)
        self._depth = 1 + max(state_channels, default=-1)
        self._from_zero = min((p for p, _ in interactions), default=0) >= 0 <= min(state_channels, default=0)

    def __call__(self, batch: Batch, column: Ints | None = None) -> Floats:
        """x, shape (n, k, d), or (n, d) of one column per row.

        Raises:
            DataError: the batch has other features, or variants that the policy was not made for.
        """
        self.check(batch)
        variants = batch.candidates.astype(np.int64) if column is None else batch.shown(column)
        state = batch.state if column is None else batch.state[np.arange(len(batch)), column]
        context = batch.context[:, None, :] if column is None else batch.context
        q, pairs = self.n_features, len(self.interactions)
        x = np.ones((*variants.shape, self.width))
        x[..., 1 : 1 + q] = batch.actions[variants]
        for i, (p, a) in enumerate(self.interactions):
            x[..., 1 + q + i] = context[..., p] * x[..., 1 + a]
        for i, channel in enumerate(self.state_channels):
            x[..., 1 + q + pairs + i] = state[..., channel]
        return x

    def names(self, given: FeatureNames) -> tuple[str, ...]:
        """What the features are called, all but the constant, shape (d - 1,); ``given`` names every column."""
        return (
            *given.actions,
            *(f"{given.actions[a]} for {given.context[p]}" for p, a in self.interactions),
            *(given.state[channel] for channel in self.state_channels),
        )

    def check(self, batch: Batch) -> None:
        """Refuses a batch that x cannot be made from.

        Raises:
            DataError: it has other features, or variants that the policy was not made for.
        """
        m, q = batch.actions.shape
        columns, depth = batch.context.shape[1], batch.state.shape[2]
        fits = q == self.n_features and m <= self.n_actions
        if fits and columns >= self._columns and depth >= self._depth and self._from_zero:
            return
        if q != self.n_features:
            raise DataError(
                f"features: actions must have {self.n_features} columns, got {q}; "
                "make the policy for this feature set"
            )
        check_variants(batch, self.n_actions)
        if any(not 0 <= p < columns for p, _ in self.interactions):
            raise DataError(
                f"features: interactions need context columns {self.interactions}, got {columns} columns; "
                "give the context the policy was made for"
            )
        if any(not 0 <= channel < depth for channel in self.state_channels):
            raise DataError(
                f"features: state_channels must be in [0, {depth}), got {self.state_channels}; "
                "give the state the policy was made for"
            )

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {
            "n_actions": self.n_actions,
            "n_features": self.n_features,
            "interactions": self.interactions,
            "state_channels": self.state_channels,
        }


def check_variants(batch: Batch, n_actions: int) -> None:
    """Refuses a batch with variants that a policy has no place for.

    Raises:
        DataError: a candidate is n_actions or above.
    """
    if len(batch.actions) > n_actions and batch.candidates.size and int(batch.candidates.max()) >= n_actions:
        raise DataError(
            f"policy: candidates must be below {n_actions}, got {int(batch.candidates.max())}; "
            "make the policy for all variants"
        )
