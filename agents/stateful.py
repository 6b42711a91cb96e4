"""What a policy must tell so that it can be put down and taken up again: its settings, and what feedback has changed.

A policy made anew from the same settings, given the same state, says the same and learns the same, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import Learner
from copybandit.agents.explain_parts import Explainable
from copybandit.agents.forgetful import Forgetful
from copybandit.sim.types import DataError

Arrays = Mapping[str, NDArray[Any]]
"""Named arrays of numbers."""
Settings = dict[str, Any]
"""Arguments of a constructor: numbers, text, tuples of them, or arrays."""


class Stateful(Learner, Protocol):
    """A policy that can be saved. Its constructor takes what `settings` tells, as keywords.

    What is put around a policy (`Around`) tells its own settings; those of the policy inside stand beside them.
    """

    def settings(self) -> Settings:
        """Arguments that make a fresh one of its like."""
        ...

    def get_state(self) -> Arrays:
        """All that feedback changes, derived numbers that are not made again alike included; views, not copies."""
        ...

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all.

        Raises:
            DataError: it is not the state of a policy with these settings, or holds what is not finite.
        """
        ...


class Lasting(Stateful, Forgetful, Explainable, Protocol):
    """A policy that can be saved, can forget and can be explained: every one of `policy_kinds`."""


def check_state(own: Arrays, state: Arrays) -> None:
    """Refuses a state with other names, shapes or types than a policy's own, or with numbers that are not finite.

    Raises:
        DataError: it is one.
    """
    if missing := sorted(own.keys() - state.keys()):
        raise DataError(f"state: array {missing[0]} must be there, got none; load a whole state")
    if unknown := sorted(state.keys() - own.keys()):
        raise DataError(
            f"state: arrays must be {', '.join(sorted(own))}, got {unknown[0]} too; load a state of such a policy"
        )
    for name, array in own.items():
        found = state[name]
        if found.shape != array.shape or found.dtype != array.dtype:
            raise DataError(
                f"state: array {name} must be {array.dtype}{array.shape}, got {found.dtype}{found.shape}; "
                "load a state of a policy with the same settings"
            )
        if not np.isfinite(found).all():
            raise DataError(f"state: array {name} must be finite, got nan or infinity; load an earlier state")


def fill(own: Arrays, state: Arrays) -> None:
    """Copies a state into a policy's own arrays, whole or not at all.

    Raises:
        DataError: as `check_state`.
    """
    check_state(own, state)
    for name, array in own.items():
        array[...] = state[name]


def within(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The arrays of a part, named PREFIX.NAME."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def part(prefix: str, state: Arrays) -> dict[str, NDArray[Any]]:
    """What `within` named, as the part named it."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in state.items() if name.startswith(start)}
