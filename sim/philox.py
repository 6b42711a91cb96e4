"""Counter-based random numbers: what a shopper does at a step depends on (seed, stream, shopper, step) alone.

Philox-4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), vectorised over rows. A batch of
one, a vector of a thousand and a sharded run therefore draw the same numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from copybandit.sim.types import DataError, Floats

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF
_ROUNDS = 10


def philox4x32(counter: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Ten rounds of Philox over counters.

    Args:
        counter: shape (n, 4), each below 2**32.
        key: two integers below 2**32.

    Returns:
        Shape (n, 4), each below 2**32.
    """
    if len(counter) == 1:
        # On one row plain integers are ten times faster than arrays.
        return np.array([_one(counter[0].tolist(), key)], dtype=np.uint64)
    columns = philox_columns(counter[:, 0], counter[:, 1], counter[:, 2], counter[:, 3], key)
    return np.stack(columns, axis=1)


def philox_columns(
    c0: NDArray[np.uint64],
    c1: NDArray[np.uint64],
    c2: NDArray[np.uint64],
    c3: NDArray[np.uint64],
    key: tuple[int, int],
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """The same over the columns of counters, each of shape (n,); they are not changed."""
    m0, m1, low, half = np.uint64(_M0), np.uint64(_M1), np.uint64(_LOW), np.uint64(32)
    c0, c1, c2, c3 = (np.array(column, dtype=np.uint64) for column in (c0, c1, c2, c3))
    p0, p1 = np.empty_like(c0), np.empty_like(c0)
    # In place: fresh memory for every one of a hundred small operations would cost more than they do.
    for k0, k1 in _keys(key):
        np.multiply(m0, c0, out=p0)
        np.multiply(m1, c2, out=p1)
        np.right_shift(p1, half, out=c0)
        c0 ^= c1
        c0 ^= np.uint64(k0)
        np.bitwise_and(p1, low, out=c1)
        np.right_shift(p0, half, out=c2)
        c2 ^= c3
        c2 ^= np.uint64(k1)
        np.bitwise_and(p0, low, out=c3)
    return c0, c1, c2, c3


def _one(counter: list[int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    c0, c1, c2, c3 = counter
    for k0, k1 in _keys(key):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & _LOW, (p0 >> 32) ^ c3 ^ k1, p0 & _LOW
    return c0, c1, c2, c3


def _keys(key: tuple[int, int]) -> list[tuple[int, int]]:
    """The key of each round: a Weyl sequence."""
    return [((key[0] + turn * _W0) & _LOW, (key[1] + turn * _W1) & _LOW) for turn in range(_ROUNDS)]


def uniforms(seed: int, stream: int, shopper: ArrayLike, step: ArrayLike) -> Floats:
    """Four independent uniforms in (0, 1) for each row.

    Args:
        seed: of the experiment, in [0, 2**32).
        stream: what the numbers are for, so that two uses never share them; in [0, 2**32).
        shopper: shape (n,), non-negative.
        step: shape (n,) or a scalar, non-negative.

    Returns:
        Shape (n, 4).

    Raises:
        DataError: a seed, stream, shopper or step is out of range.
    """
    for name, value in (("seed", seed), ("stream", stream)):
        if not 0 <= value <= _LOW:
            raise DataError(f"random draws: {name} must be in [0, 2**32), got {value}; choose another")
    who = _counts("shopper", np.atleast_1d(shopper))
    when = np.broadcast_to(_counts("step", np.asarray(step)), who.shape)
    low, half = np.uint64(_LOW), np.uint64(32)
    counter = np.stack([who & low, who >> half, when & low, when >> half], axis=1)
    bits = philox4x32(counter, (int(seed), int(stream)))
    return np.asarray((bits.astype(np.float64) + 0.5) / 2.0**32)


def _counts(name: str, values: NDArray[np.generic]) -> NDArray[np.uint64]:
    if values.dtype.kind not in "iu":
        raise DataError(f"random draws: {name} must be whole numbers, got {values.dtype}; cast it")
    if values.dtype.kind == "i" and values.size and values.astype(np.int64).min() < 0:
        raise DataError(
            f"random draws: {name} must be at least 0, got {values.astype(np.int64).min()}; number from 0"
        )
    return values.astype(np.uint64)
