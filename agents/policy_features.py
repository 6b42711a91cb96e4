"""The features that all variants share: x = [1, actions[v], context x action columns, state columns, hashed crosses]."""

from __future__ import annotations

from typing import Required, TypedDict

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import FeatureNames
from copybandit.agents.hashed_crosses import HashedCrosses
from copybandit.agents.stateful import Settings
from copybandit.sim.types import DataError, Floats, Ints

MAX_FEATURES = 256
"""Most shared features: a refresh of the root, of their number cubed, then takes some 20 ms."""


class FeatureOptions(TypedDict, total=False):
    """What `SharedFeatures` are told, with their defaults."""

    n_actions: Required[int]
    """Number of variants m."""
    n_features: Required[int]
    """Columns q of ``Batch.actions``."""
    interactions: tuple[tuple[int, int], ...]
    """Pairs (context column, action column) whose products are features; default none."""
    state_channels: tuple[int, ...]
    """Channels of ``Batch.state`` that are features, e.g. (1,) for the exposure stock; default none."""
    n_context: int
    """Columns p of ``Batch.context``; only hashed crosses need it."""
    hashed_crosses: int
    """Features into which the products of all context and all action columns are hashed; default 0, none."""


class LinearOptions(FeatureOptions, total=False):
    """What every policy on shared features is told, with the defaults of `policy_prior.begin`."""

    ridge: float
    """1 / (prior variance of a shared coefficient), above 0; the default 100 is a standard deviation of .1 and suits
    features of unit variance."""
    residual_ridge: float
    """1 / (prior variance of a variant's own scalar); the default 44 is a standard deviation of .15."""


class SharedFeatures:
    """The map from a batch to x.

    Its ``plan``, shape (., 4), says what is added up after the actions: (feature, context column, action column, sign) of
    a product, or (feature, -1, state channel, 1). The arguments are `FeatureOptions`.

    Raises:
        DataError: an interaction names no action column, hashed crosses have no columns to cross, or there are more than
            256 shared features.
    """

    def __init__(
        self,
        *,
        n_actions: int,
        n_features: int,
        interactions: tuple[tuple[int, int], ...] = (),
        state_channels: tuple[int, ...] = (),
        n_context: int = 0,
        hashed_crosses: int = 0,
    ) -> None:
        _check_pairs(interactions, n_features)
        _check_crosses(hashed_crosses, n_context, n_features)
        named = 1 + n_features + len(interactions) + len(state_channels)
        if named + hashed_crosses > 1 + MAX_FEATURES:
            raise DataError(
                f"features: at most {MAX_FEATURES} shared features, got {named + hashed_crosses - 1}; "
                "project the action features"
            )
        self.n_actions, self.n_features, self.n_context = n_actions, n_features, n_context
        self.interactions, self.state_channels = interactions, state_channels
        self.width = named + hashed_crosses
        self._hashed = HashedCrosses(n_context=n_context, n_features=n_features, buckets=hashed_crosses)
        terms = [(p, a, 1) for p, a in interactions] + [(-1, channel, 1) for channel in state_channels]
        plan = [(1 + n_features + i, *term) for i, term in enumerate(terms)]
        self.plan: Ints = np.concatenate(
            [np.array(plan, dtype=np.int64).reshape(-1, 4), self._hashed.plan(named)]
        )
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
        if h := self._hashed.buckets:
            each = x if column is None else x[:, None, :]  # a view: what is put in is put into x
            each[..., -h:] = self._hashed(batch.context, each[..., 1 : 1 + q])
        return x

    def names(self, given: FeatureNames) -> tuple[str, ...]:
        """What the features are called, all but the constant, shape (d - 1,); ``given`` names every column."""
        return (
            *given.actions,
            *(f"{given.actions[a]} for {given.context[p]}" for p, a in self.interactions),
            *(given.state[channel] for channel in self.state_channels),
            *self._hashed.names(given.context, given.actions),
        )

    def check(self, batch: Batch) -> None:
        """Refuses a batch that x cannot be made from.

        Raises:
            DataError: it has other features, or variants that the policy was not made for.
        """
        m, q = batch.actions.shape
        columns, depth = batch.context.shape[1], batch.state.shape[2]
        fits = q == self.n_features and m <= self.n_actions
        fits = fits and (not self._hashed.buckets or columns == self.n_context)
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
        if self._hashed.buckets and columns != self.n_context:
            raise DataError(
                f"features: hashed crosses need {self.n_context} context columns, got {columns}; "
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
            "n_context": self.n_context,
            "hashed_crosses": self._hashed.buckets,
        }


def _check_pairs(interactions: tuple[tuple[int, int], ...], n_features: int) -> None:
    if any(not 0 <= action < n_features for _, action in interactions):
        raise DataError(
            f"features: interactions must name action columns in [0, {n_features}), got {interactions}; "
            "give (context column, action column)"
        )


def _check_crosses(hashed_crosses: int, n_context: int, n_features: int) -> None:
    if hashed_crosses < 0 or n_context < 0 or (hashed_crosses and not n_context * n_features):
        raise DataError(
            f"features: hashed_crosses must be 0, or above 0 with n_context and n_features above 0, got {hashed_crosses}, "
            f"{n_context} and {n_features}; give the number of context columns"
        )


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
