"""Settings of the network inside neural-linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from copybandit.sim.types import DataError


class NetworkOptions(TypedDict, total=False):
    """Settings of the network, with the defaults of `NetworkSettings`."""

    hidden: int
    width: int
    rank: int
    kept: int
    every: int
    steps: int
    rate: float
    decay: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """How large the network is and how it is fitted."""

    hidden: int = 32
    """Units of the first layer."""
    width: int = 16
    """Units of the last layer: the head's features."""
    rank: int = 8
    """Of the crosses."""
    kept: int = 20_000
    """Rows remembered."""
    every: int = 2_000
    """Rows between two fits."""
    steps: int = 100
    """Of Adam, 256 rows each, per fit."""
    rate: float = 0.01
    """Adam's learning rate."""
    decay: float = 3.0
    """Precision of the weights below the head; at 10 small effects are not found, at 1 noise is."""
    seed: int = 0
    """Of the first weights and of the minibatches."""

    def __post_init__(self) -> None:
        if min(self.kept, self.every, self.steps) < 1 or not (0 < self.rate < 1 and 0 <= self.decay < np.inf):
            raise DataError(
                f"neural_linear: kept, every and steps must be at least 1, rate in (0, 1), decay >= 0, got {self}; "
                "correct the settings"
            )
