"""A truth that moves: what wording does, and how much match counts, drift from week to week.

    w' = rho w + sqrt(1 - rho^2) e,   e like w in size, encoder by encoder;   log b_M' = log b_M + s n

so the size of the effects stays what it was pinned to while old knowledge of them fades: two truths k weeks apart correlate
by rho^k in coefficients. Only the part of wording that carries over from product to product moves.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import numpy as np

from copybandit.sim.encoders import Encoder, Joined
from copybandit.sim.types import DataError, Floats
from copybandit.sim.wording import Idiosyncratic, Saturated
from copybandit.sim.world import World


def drifted(world: World, rho: float, match_sd: float, rng: np.random.Generator) -> World:
    """The gold world a week later.

    Args:
        world: a gold world.
        rho: correlation of wording effects with last week's, in [0, 1]; 1 stands still.
        match_sd: standard deviation of the change of log b_match; 0 stands still.
        rng: draws the change.

    Raises:
        DataError: a number out of range, or a world whose wording is no gold one.
    """
    if not (0 <= rho <= 1 and match_sd >= 0):
        raise DataError(
            f"drift: rho must be in [0, 1] and match_sd at least 0, got {rho} and {match_sd}; correct them"
        )
    wording = world.wording
    if not isinstance(wording, Idiosyncratic):
        raise DataError(f"drift: needs a gold wording, got {type(wording).__name__}; drift the gold world")
    linear = wording.inner.inner
    moved = tuple(
        np.hstack([_moved(part, rho, rng) for part in np.split(block, _ends(encoder), axis=1)])
        for encoder, block in zip(linear.encoders, linear.coefficients, strict=True)
    )
    inner: Saturated = replace(wording.inner, inner=replace(linear, coefficients=moved))
    b_match = world.coefficients.b_match * float(np.exp(match_sd * rng.normal()))
    return replace(
        world,
        wording=replace(wording, inner=inner),
        coefficients=replace(world.coefficients, b_match=b_match),
    )


def _ends(encoder: Encoder) -> list[int]:
    """Where the coefficients of an encoder's parts end, but for the last."""
    parts = encoder.encoders if isinstance(encoder, Joined) else (encoder,)
    return list(accumulate(part.dimension for part in parts))[:-1]


def _moved(block: Floats, rho: float, rng: np.random.Generator) -> Floats:
    """Coefficients of one encoder, shape (members, d): each keeps a share and takes another one's, its sign drawn anew."""
    other = block[:, rng.permutation(block.shape[1])] * (1 - 2 * rng.integers(2, size=block.shape[1]))
    return np.asarray(rho * block + np.sqrt(1 - rho**2) * other)
