"""How checkpoints of former layouts become those of the present one: one function per version, from it to the next.

1    the normal equations of linear policies as sums: gram, cross, diagonal, moment, residual_moment
2    the same posterior centred, as `policy_arrow` keeps it: shared, each, since
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.policy_arrow import Arrow
from copybandit.sim.types import DataError

SCHEMA = 2
"""Version of the layout that is written."""
Tensors = dict[str, NDArray[Any]]
SUMS = ("gram", "cross", "diagonal", "moment", "residual_moment")
LINEAR = ("linucb", "lints", "softmax", "squarecb")


def _centre(policy: str, settings: Mapping[str, Any], tensors: Tensors) -> Tensors:
    """Version 1 to 2: S = gram - cross' D^-1 cross, c = cross / D, level = residual_moment / D, right likewise.

    Raises:
        DataError: a tensor is missing.
    """
    if policy not in LINEAR:
        return tensors
    sums = {name: tensors.get(f"state.{name}") for name in SUMS}
    if any(array is None for array in sums.values()):
        missing = next(name for name, array in sums.items() if array is None)
        raise DataError(
            f"checkpoint of schema 1: tensor state.{missing} must be there, got none; save it again"
        )
    gram, cross, diagonal, moment, residual = (np.asarray(sums[name], dtype=np.float64) for name in SUMS)
    arrow = Arrow(
        n_actions=len(diagonal),
        width=len(gram),
        ridge=settings["ridge"],
        residual_ridge=settings["residual_ridge"],
    )
    arrow.centre[:], arrow.level[:] = cross / diagonal[:, None], residual / diagonal
    arrow.diagonal[:] = diagonal
    arrow.schur[:] = gram - cross.T @ arrow.centre
    arrow.right[:] = moment - cross.T @ arrow.level
    arrow.refresh()
    arrow.theta[:] = arrow.solve_shared(arrow.right)
    kept = {name: array for name, array in tensors.items() if name.removeprefix("state.") not in SUMS}
    return {**kept, **{f"state.{name}": array for name, array in arrow.get_state().items()}}


MIGRATIONS: dict[int, Callable[[str, Mapping[str, Any], Tensors], Tensors]] = {1: _centre}
"""From the version to the next, given the policy's name, its settings and its tensors."""
