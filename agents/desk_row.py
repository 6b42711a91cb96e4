"""What a desk hands to a policy that serves it by compiled code, and the protocol of such a policy."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from copybandit.agents.batch import Learner
from copybandit.sim.types import Floats

Request: TypeAlias = tuple[int, ArrayLike, ArrayLike, ArrayLike, float, float]
"""Row, context, candidates, state, time and a uniform number."""
Answer: TypeAlias = tuple[int, float, float, int]
"""Row, reward, weight and the number of state channels."""


@runtime_checkable
class Served(Learner, Protocol):
    """A learner with compiled forms of `action_probs`, `decide` and `update` for one row of a desk.

    The rows are numbers, shape (capacity, 3 + p + k (s + 1)): time, context, state, action_probs, reward, weight; and
    indices, shape (capacity, k + 1): candidates and the column that was drawn. Both forms answer alike.
    """

    def serve(self, request: Request, numbers: Floats, indices: NDArray[np.int32], actions: Floats) -> int:
        """Writes the request, decides and draws: the column, or -1 where it must go the long way."""
        ...

    def answer(self, told: Answer, numbers: Floats, indices: NDArray[np.int32], actions: Floats) -> bool:
        """Learns a row; False, and nothing is changed, where it must go the long way."""
        ...
