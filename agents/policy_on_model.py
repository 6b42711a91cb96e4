"""What the policies on `LinearModel` share: the model, how it learns, forgets and is saved, and its compiled desk."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import Batch
from copybandit.agents.desk_row import Answer, Request
from copybandit.agents.fast import desk_kernel
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_linear import LinearModel
from copybandit.agents.policy_pmf import check_epsilon
from copybandit.agents.stateful import Arrays, Settings
from copybandit.sim.types import Floats, Ints


class OnLinearModel:
    """A linear model and a uniform share; a policy adds its rule.

    Args:
        epsilon: share of uniform exploration, in (0, 1].
        options: of the linear model.

    Raises:
        DataError: a setting is out of range.
    """

    def __init__(self, epsilon: float, **options: Unpack[LinearOptions]) -> None:
        self.epsilon = check_epsilon(epsilon)
        self._model = LinearModel(**options)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the linear model."""
        self._model.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the model learned toward the warm start; see `forgetful`."""
        self._model.forget(keep, variants)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {"epsilon": self.epsilon, **self._model.settings()}

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return self._model.get_state()

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        self._model.set_state(state)


class ServedOnLinearModel(OnLinearModel):
    """The same with a compiled form of its rule, for a `desk`: `desk_row.Served`."""

    def _serve(self, compiled: ModuleType, row: tuple[Any, ...], slots: int) -> int:
        """The compiled decision: its column, or -1 where the request is unusable."""
        raise NotImplementedError

    def serve(self, request: Request, numbers: Floats, indices: NDArray[np.int32], actions: Floats) -> int:
        """The compiled decision of a `desk`: its column, or -1 where it must go the long way."""
        compiled = desk_kernel()
        if compiled is None:
            return -1
        row = (*request, numbers, indices, actions, *self._model.posterior)
        try:
            return self._serve(compiled, row, indices.shape[1] - 1)
        except TypeError:  # arrays of another kind
            return -1

    def answer(self, told: Answer, numbers: Floats, indices: NDArray[np.int32], actions: Floats) -> bool:
        """The compiled update of a `desk`; False, and nothing is changed, where it must go the long way."""
        compiled = desk_kernel()
        if compiled is None or not compiled.answer(*told, numbers, indices, actions, *self._model.posterior):
            return False
        self._model.count(1)
        return True
