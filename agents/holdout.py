"""Sticky holdout: a share of the shoppers always gets a frozen control, so that what learning is worth can be told.

Who is held out depends on the salt and the shopper's id alone, through SHA-256: the same in every process, on every
machine and on every day, and independent between salts. Lift is the mean of the others less the mean of the held out, by
the assignment and without weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.agents.batch import Batch, Policy
from copybandit.agents.batch_rows import take
from copybandit.sim.philox import uniforms
from copybandit.sim.types import Bools, DataError, Floats, Ints

_STREAM = 31


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """Who is held out.

    Attributes:
        share: chance of a shopper to be held out, in [0, 1).
        salt: of the draw; another one draws other shoppers.
    """

    share: float
    salt: str

    def __post_init__(self) -> None:
        if not (0 <= self.share < 1 and self.salt):
            raise DataError(
                f"holdout: share must be in [0, 1) and the salt not empty, got {self.share} and {self.salt!r}; "
                "correct them"
            )

    def holds(self, shopper_id: Sequence[str]) -> Bools:
        """Whether shoppers are held out, by id; shape (n,)."""
        drawn = [_hash(f"{self.salt}\0{one}") for one in shopper_id]
        return np.array(drawn, dtype=np.float64) < self.share * 2.0**64

    def holds_index(self, shopper: Ints) -> Bools:
        """The same for shoppers known by number, shape (n,), at least 0: many at once, by Philox under the salt."""
        return np.asarray(uniforms(_hash(self.salt) >> 32, _STREAM, shopper, 0)[:, 0] < self.share)


def held_probs(
    policy: Policy, control: Policy, batch: Batch, held: Bools, rng: np.random.Generator
) -> Floats:
    """Probabilities of each request by the policy that its shopper gets, shape (n, k); ``held`` (n,) get the control."""
    if not held.any():
        return policy.action_probs(batch, rng)
    probs = np.empty(batch.candidates.shape)
    for rows, chooser in ((~held, policy), (held, control)):
        if rows.any():
            probs[rows] = chooser.action_probs(take(batch, rows), rng)
    return probs


def _hash(text: str) -> int:
    """The first 64 bits of SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
