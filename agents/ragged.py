"""Arrays of unlike shapes, and names, as flat arrays beside their shapes: what a file of tensors can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from copybandit.agents.stateful import Arrays
from copybandit.sim.types import DataError


def packed(name: str, pieces: Sequence[NDArray[Any]], dims: int, dtype: DTypeLike) -> dict[str, NDArray[Any]]:
    """Pieces of ``dims`` axes each: NAME, all numbers one after the other, and NAME.shape, shape (pieces, dims)."""
    flat = np.concatenate([np.empty(0, dtype=dtype), *(piece.ravel() for piece in pieces)])
    shapes = np.array([piece.shape for piece in pieces], dtype=np.int64).reshape(-1, dims)
    return {name: flat, f"{name}.shape": shapes}


def unpacked(name: str, state: Arrays, dims: int, dtype: DTypeLike) -> list[NDArray[Any]]:
    """The pieces that `packed` packed, each an array of its own.

    Raises:
        DataError: an array is missing, or of another type or size.
    """
    flat, shapes = (array_of(state, one) for one in (name, f"{name}.shape"))
    sizes = shapes.prod(axis=1) if shapes.ndim == 2 else shapes
    if (
        flat.dtype != np.dtype(dtype)
        or shapes.dtype != np.int64
        or shapes.ndim != 2
        or shapes.shape[1] != dims
        or (shapes < 0).any()
        or flat.shape != (int(sizes.sum()),)
    ):
        raise DataError(
            f"state: array {name} must be {np.dtype(dtype)} pieces of {dims} axes, as many numbers as {name}.shape says, "
            f"got {flat.dtype}{flat.shape} and {shapes.dtype}{shapes.shape}; load a whole state"
        )
    pieces = np.split(flat, np.cumsum(sizes)[:-1]) if len(sizes) else []
    return [piece.reshape(shape).copy() for piece, shape in zip(pieces, shapes.tolist(), strict=True)]


def packed_names(name: str, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Text as UTF-8: NAME, all bytes, and NAME.shape, how many each name has."""
    coded = [np.frombuffer(one.encode("utf-8", "surrogatepass"), dtype=np.uint8) for one in names]
    return packed(name, coded, 1, np.uint8)


def unpacked_names(name: str, state: Arrays) -> list[str]:
    """The names that `packed_names` packed.

    Raises:
        DataError: an array is missing or damaged.
    """
    try:
        return [one.tobytes().decode("utf-8", "surrogatepass") for one in unpacked(name, state, 1, np.uint8)]
    except UnicodeDecodeError as error:
        raise DataError(
            f"state: array {name} must be UTF-8, got {error.reason}; load a whole state"
        ) from error


def array_of(state: Arrays, name: str) -> NDArray[Any]:
    """One array of a state.

    Raises:
        DataError: it is missing.
    """
    if name not in state:
        raise DataError(f"state: array {name} must be there, got none; load a whole state")
    return state[name]


def typed(state: Arrays, name: str, dtype: DTypeLike, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """One array of a state, of this type and, where it is given, this shape; a copy.

    Raises:
        DataError: it is missing, or of another type or shape.
    """
    array = array_of(state, name)
    if array.dtype != np.dtype(dtype) or shape not in (None, array.shape):
        raise DataError(
            f"state: array {name} must be {np.dtype(dtype)}{shape or ''}, got {array.dtype}{array.shape}; "
            "load a whole state"
        )
    return array.copy()
