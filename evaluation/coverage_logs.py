"""Simulated logs whose true policy value is an exact sum, in named regimes from easy to hopeless.

A regime is a few kinds of request times some actions. A row is one cell (kind, action) drawn by the logging policy, so
whole batches of logs are drawn at once. Both policies are softmax(spread x normal) of each kind; spread 0 is uniform:
the larger the logging policy's spread, the heavier the weights (share of effective rows about exp(-spread^2)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from copybandit.sim.types import DataError, Floats

KINDS = 30


@dataclass(frozen=True, kw_only=True)
class Regime:
    """What the logs of a regime are like.

    Attributes:
        name: as reports call it.
        rows: of each log.
        actions: of every kind of request.
        low: least mean reward of a cell.
        high: largest mean reward of a cell.
        reward: click (0 or 1), or dense (anything in [0, 1]).
        logging: spread of the logging policy's logits.
        target: spread of the evaluated policy's logits.
        model_error: standard deviation of the log of the reward model's error.
    """

    name: str
    rows: int
    actions: int
    low: float
    high: float
    reward: Literal["click", "dense"]
    logging: float
    target: float
    model_error: float = 0.3

    def __post_init__(self) -> None:
        if min(self.rows, self.actions) < 2 or not 0 < self.low <= self.high < 1:
            raise DataError(
                f"Regime {self.name}: needs 2 rows and actions and 0 < low <= high < 1, got {self}; correct it"
            )


REGIMES = (
    Regime(name="dense", rows=2000, actions=5, low=0.2, high=0.8, reward="dense", logging=0.7, target=0.7),
    Regime(
        name="clicks_10", rows=5000, actions=5, low=0.05, high=0.15, reward="click", logging=0.5, target=0.7
    ),
    Regime(
        name="clicks_2", rows=20_000, actions=8, low=0.01, high=0.03, reward="click", logging=0.0, target=0.7
    ),
    Regime(
        name="rare", rows=10_000, actions=34, low=0.002, high=0.006, reward="click", logging=0.0, target=1.3
    ),
    Regime(
        name="rare_bts",
        rows=10_000,
        actions=34,
        low=0.002,
        high=0.006,
        reward="click",
        logging=1.75,
        target=0.0,
    ),
    Regime(
        name="dense_bts", rows=2000, actions=34, low=0.2, high=0.8, reward="dense", logging=2.2, target=0.0
    ),
)
"""``rare`` and ``rare_bts`` have the click rate and the weights of Open Bandit's random -> bts and bts -> random."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of many logs, arrays of shape (logs, rows)."""

    reward: Floats
    weight: Floats
    q: Floats
    v: Floats


@dataclass(frozen=True, kw_only=True)
class Population:
    """The cells of a regime, flat arrays of shape (KINDS * actions,).

    Attributes:
        regime: what they were drawn from.
        prob: of a row to be this cell under the logging policy.
        weight: evaluated over logging probability of the action.
        mean: reward.
        q: the reward model's guess of it, wrong by `model_error`.
        target: probability of the cell under the evaluated policy.
    """

    regime: Regime
    prob: Floats
    weight: Floats
    mean: Floats
    q: Floats
    target: Floats

    @property
    def value(self) -> float:
        """True value of the evaluated policy."""
        return float(self.target @ self.mean)

    def model_values(self, q: Floats) -> Floats:
        """Model averaged over the evaluated policy at each cell's kind, shape (KINDS * actions,)."""
        by_kind = (self.target * q).reshape(KINDS, -1).sum(axis=1) * KINDS
        return np.repeat(by_kind, self.regime.actions)

    def draw(self, logs: int, rows: int, q: Floats, rng: np.random.Generator) -> Batch:
        """Rows of independent logs, with a reward model of the cells' rewards of shape (KINDS * actions,)."""
        cumulative = np.cumsum(self.prob)
        cell = np.searchsorted(cumulative, rng.random((logs, rows)) * cumulative[-1], side="right")
        cell = np.minimum(cell, len(cumulative) - 1)
        mean, uniform = self.mean[cell], rng.random((logs, rows))
        # u^((1 - m) / m) has mean m.
        reward = (
            (uniform < mean).astype(float) if self.regime.reward == "click" else uniform ** (1 / mean - 1)
        )
        return Batch(reward=reward, weight=self.weight[cell], q=q[cell], v=self.model_values(q)[cell])


def population(regime: Regime, rng: np.random.Generator) -> Population:
    """Draw the cells of a regime."""
    shape = (KINDS, regime.actions)
    behavior = _softmax(regime.logging * rng.standard_normal(shape))
    target = _softmax(regime.target * rng.standard_normal(shape))
    mean = rng.uniform(regime.low, regime.high, shape)
    error = np.exp(regime.model_error * rng.standard_normal(shape))
    return Population(
        regime=regime,
        prob=behavior.ravel() / KINDS,
        weight=(target / behavior).ravel(),
        mean=mean.ravel(),
        q=np.minimum(mean * error, 1.0).ravel(),
        target=target.ravel() / KINDS,
    )


def _softmax(logits: Floats) -> Floats:
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True))
