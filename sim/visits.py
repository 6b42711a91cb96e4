"""What reaches a shop in one step and what comes back, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.types import Floats, Ints

Reward = Literal["click", "conversion", "value"]


@dataclass(frozen=True, kw_only=True)
class Visits:
    """Requests that reach the shop in one step, before anything is shown.

    Attributes:
        shopper: shape (n,), index of the shopper.
        product: shape (n,), index of the product.
        position: shape (n,), 1 is the first place.
        time: shape (n,), days since the start.
        candidates: shape (n, k), variant indices, -1 for absent.
        context: shape (n, p), what the policy may know of the request.
        state: shape (n, k, s), channel 0 is the warm-start click probability.
    """

    shopper: Ints
    product: Ints
    position: Ints
    time: Floats
    candidates: NDArray[np.int32]
    context: Floats
    state: Floats


@dataclass(frozen=True, kw_only=True)
class Response:
    """What shoppers did: click and conversion are 0 or 1, value is money; each of shape (n,)."""

    click: Floats
    conversion: Floats
    value: Floats
