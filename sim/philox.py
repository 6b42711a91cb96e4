"""Counter-based random numbers: what a shopper does at a step depends on (seed, stream, shopper, step) and on nothing else.

Philox-4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), vectorised over rows. A batch of
one, a vector of a thousand and a sharded run therefore draw the same numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from copybandit.sim.types import Floats

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def philox4x32(counter: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Ten rounds of Philox over counters.

    Args:
        counter: shape (n, 4), each below 2**32.
        key: two integers below 2**32.

    Returns:
        Shape (n, 4), each below 2**32.
    """
    c0, c1, c2, c3 = (counter[:, column] for column in range(4))
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return np.stack([c0, c1, c2, c3], axis=1)


def uniforms(seed: int, stream: int, shopper: ArrayLike, step: ArrayLike) -> Floats:
    """Four independent uniforms in (0, 1) for each row.

    Args:
        seed: of the experiment, below 2**32.
        stream: what the numbers are for, so that two uses never share them; below 2**32.
        shopper: shape (n,), non-negative.
        step: shape (n,) or a scalar, non-negative, below 2**62.

    Returns:
        Shape (n, 4).
    """
    who = np.atleast_1d(np.asarray(shopper, dtype=np.uint64))
    when = np.broadcast_to(np.asarray(step, dtype=np.uint64), who.shape)
    counter = np.stack([who & _LOW, who >> _32, when & _LOW, when >> _32], axis=1)
    bits = philox4x32(counter, (seed & 0xFFFFFFFF, stream & 0xFFFFFFFF))
    return (bits.astype(np.float64) + 0.5) / 2.0**32
