"""Where every model on shared features begins: its features, and what is believed of their coefficients before data."""

from __future__ import annotations

from typing import Unpack

from copybandit.agents.policy_arrow import Arrow
from copybandit.agents.policy_features import FeatureOptions, SharedFeatures
from copybandit.agents.stateful import Settings
from copybandit.sim.types import DataError

RIDGES = (1e-12, 1e12)
"""Least and largest precision before data; with features of at most 1e12 every square stays finite."""


def begin(
    *, ridge: float = 100.0, residual_ridge: float = 44.0, **options: Unpack[FeatureOptions]
) -> tuple[SharedFeatures, Arrow]:
    """The features, and the precision of theta and rho before data; the arguments are `LinearOptions`.

    Raises:
        DataError: a setting is out of range.
    """
    low, high = RIDGES
    if not (low <= ridge <= high and low <= residual_ridge <= high):
        raise DataError(
            f"linear model: ridge and residual_ridge must be in [{low:g}, {high:g}], got {ridge} and {residual_ridge}; "
            "correct the settings"
        )
    features = SharedFeatures(**options)
    d = features.width
    arrow = Arrow(n_actions=features.n_actions, width=d, ridge=ridge, residual_ridge=residual_ridge)
    return features, arrow


def settings_of(features: SharedFeatures, arrow: Arrow) -> Settings:
    """Arguments of `begin` that make the like of both."""
    return {**features.settings(), "ridge": arrow.ridge, "residual_ridge": arrow.residual_ridge}
