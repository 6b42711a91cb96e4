"""A linear model with coefficients of each variant's own.

    E[click] = prior * (1 + z . theta_v),   z = [1, context, waves over the context],   theta_v ~ N(0, 1 / ridge)

Before any feedback the prediction is the warm start. Var(click) is close to prior, so that least squares weighs a row by
1 / prior and nothing is divided by a small number, as in `LinearModel`; what one variant earns says nothing about another.
"""

from __future__ import annotations

from typing import Required, TypedDict

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_linear import LinearParts
from copybandit.agents.explain_parts import FeatureNames, Kind, Record
from copybandit.agents.forgetful import check_forget, fade
from copybandit.agents.policy_context import ContextFeatures
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_pmf import check_setting
from copybandit.agents.policy_roots import Roots
from copybandit.agents.stateful import Arrays, Settings, fill
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
        self._roots = Roots(n_actions, self._read.size, ridge)
        self._moment: Floats = np.zeros((n_actions, self._read.size))
        self._theta: Floats = np.zeros((n_actions, self._read.size))

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

    def parts(self, batch: Batch, names: FeatureNames) -> LinearParts:
        """The expected click in parts: prior, and prior * z_j theta_vj, all waves in one."""
        z, c = self._features(batch), batch.candidates
        lift = batch.prior[..., None] * self._theta[c] * z[:, None, :]
        value, told = [batch.prior[..., None], lift], names.context
        if self._read.waves:
            plain = 1 + self._read.n_context
            value[1:] = lift[..., :plain], lift[..., plain:].sum(axis=2, keepdims=True)
            told = (*told, "such requests")
        seen = self._roots.precision[c, 0, 0] - self._roots.ridge
        own: tuple[Kind, ...] = ("record",)
        return LinearParts(
            kinds=("warm start", *(own * (1 + len(told)))),
            names=("", "", *(f"its own record for {name}" for name in told)),
            value=np.where(batch.present[..., None], np.concatenate(value, axis=2), 0.0),
            record=Record(seen=seen, clicks=self._moment[c, 0] + seen, unit="expected clicks"),
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Adds the shown rows to the normal equations of their variants."""
        check_feedback(batch, column, reward, weight)
        z, shown = self._features(batch), batch.shown(column)
        prior = batch.prior[np.arange(len(batch)), column]
        self._roots.add(z, shown, weight * prior)
        np.add.at(self._moment, shown, (weight * (reward - prior))[:, None] * z)
        self._solve(np.unique(shown[weight > 0]))

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Mixes precision and moment with those before data; see `forgetful`."""
        check_forget(keep, variants, len(self._theta))
        if keep == 1:
            return
        self._roots.fade(keep, variants)
        fade(self._moment, 0.0, keep, variants)
        self._solve(np.arange(len(self._theta)) if variants is None else variants)

    def _solve(self, variants: Ints) -> None:
        self._theta[variants] = self._roots.solve(variants, self._moment[variants])

    def _features(self, batch: Batch) -> Floats:
        """z, shape (n, d)."""
        check_variants(batch, len(self._theta))
        return self._read(batch.context)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"n_actions": len(self._theta), "ridge": self._roots.ridge, **self._read.settings()}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {**self._roots.get_state(), "moment": self._moment, "theta": self._theta}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)
