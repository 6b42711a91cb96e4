"""Several places to fill at once: an ordered slate out of any policy, place by place, without repeating a variant.

    P(slate) = product over places l of p_l(v_l | v_1 .. v_{l-1})

``renormalise`` takes the policy's probabilities once and spreads what is left over what is left (Plackett-Luce; Plackett,
Appl. Statist. 1975); ``ask again`` asks the policy each time with the chosen variants absent. Either way the probabilities
of every place are logged whole, so the probability of the slate and of any other choice at any place is known exactly.
With fewer candidates than places, or where all that are left have probability 0 (paused, say), the slate is shorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from copybandit.agents.batch import ABSENT, Batch, Policy
from copybandit.agents.batch_rows import take
from copybandit.agents.decide import decide
from copybandit.sim.types import Bools, DataError, Floats, Ints

Mode = Literal["renormalise", "ask again"]


@dataclass(frozen=True, kw_only=True)
class Slates:
    """What was shown in n requests with k candidates in up to L places.

    Attributes:
        column: shape (n, L), candidate column in each place, -1 where the slate had ended.
        action_probs: shape (n, L, k), distribution that the place was drawn from given those before it; 0 where the slate
            had ended.

    Raises:
        DataError: shapes differ, there is no such column, one stands twice, a place is filled after an empty one, or what
            was shown has no probability in (0, 1].
    """

    column: Ints
    action_probs: Floats

    def __post_init__(self) -> None:
        if self.action_probs.ndim != 3 or self.action_probs.shape[:2] != self.column.shape:
            raise DataError(
                f"slates: action_probs must be (n, L, k) with column (n, L), got {self.action_probs.shape} and "
                f"{self.column.shape}; log one distribution per place"
            )
        low, high = int(self.column.min(initial=0)), int(self.column.max(initial=ABSENT))
        if low < ABSENT or high >= self.action_probs.shape[2]:
            raise DataError(
                f"slates: column must be in [-1, {self.action_probs.shape[2]}), got {low} to {high}; use candidate columns"
            )
        self._check_places()
        if not ((self.conditional > 0) & (self.conditional <= 1 + 1e-9)).all():
            raise DataError(
                "slates: what was shown must have a probability in (0, 1], got "
                f"{self.conditional.min()} to {self.conditional.max()}; "
                "log the distributions that the slate was drawn from"
            )

    def _check_places(self) -> None:
        filled = self.filled
        if (filled[:, 1:] & ~filled[:, :-1]).any():
            raise DataError("slates: places must be filled from the first on, got a gap; close it")
        ranked = np.sort(self.column, axis=1)
        if ((ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] != ABSENT)).any():
            raise DataError("slates: a column may stand once in a slate, got it twice; drop the repeats")

    def __len__(self) -> int:
        return len(self.column)

    @property
    def filled(self) -> Bools:
        """Which places hold a candidate, shape (n, L)."""
        return np.asarray(self.column != ABSENT)

    @property
    def conditional(self) -> Floats:
        """Probability of what each place shows given the places before, shape (n, L); 1 where the slate had ended."""
        at = np.maximum(self.column, 0)[..., None]
        chosen = np.take_along_axis(self.action_probs, at, 2)[..., 0]
        return np.where(self.filled, chosen, 1.0)

    @property
    def propensity(self) -> Floats:
        """Probability of the whole slate, shape (n,)."""
        return np.asarray(self.conditional.prod(axis=1))


class SlatePolicy:
    """An ordered slate by any policy.

    Args:
        policy: fills each place; its promise that absent candidates do not count is relied upon.
        places: L, at least 1.
        mode: how a place is filled after the first.

    Raises:
        DataError: a setting is out of range.
    """

    def __init__(self, policy: Policy, *, places: int, mode: Mode = "renormalise") -> None:
        if places < 1 or mode not in get_args(Mode):
            raise DataError(
                f"slate: places must be at least 1 and mode one of {', '.join(get_args(Mode))}, got {places} and "
                f"{mode!r}; correct the settings"
            )
        self.policy = policy
        self.places = places
        self.mode = mode

    @property
    def name(self) -> str:
        """Name for logs and reports."""
        return f"{self.policy.name} x {self.places}"

    def draw(self, batch: Batch, rng: np.random.Generator) -> Slates:
        """Fills the places of each request, one `decide` a place."""
        column, probs = np.full((len(batch), self.places), ABSENT, dtype=np.int64), []
        for place, left in enumerate(self._places(batch, rng, column)):
            open_ = left.any(axis=1)
            column[open_, place] = decide(left[open_], rng)
            probs.append(left)
        return Slates(column=column, action_probs=np.stack(probs, axis=1))

    def slate_probs(self, batch: Batch, column: Ints, rng: np.random.Generator) -> Floats:
        """Distributions of each place given logged places before it, shape (n, L, k); ``column`` is (n, L).

        Raises:
            DataError: the slates are no slates of these requests, or have other places.
        """
        if column.shape != (len(batch), self.places):
            raise DataError(
                f"slate: column must be ({len(batch)}, {self.places}), got {column.shape}; give the logged slates"
            )
        low, high = int(column.min(initial=0)), int(column.max(initial=0))
        known = ABSENT <= low and high < batch.candidates.shape[1]
        here = known and np.take_along_axis(batch.present, np.maximum(column, 0), 1)
        if not np.all(here | (column == ABSENT)):
            raise DataError(
                "slate: column must point at present candidates; give the slates of these requests"
            )
        return np.stack(list(self._places(batch, rng, column)), axis=1)

    def _places(self, batch: Batch, rng: np.random.Generator, column: Ints) -> Iterator[Floats]:
        """Probabilities (n, k) of place after place, of what ``column`` does not hold in the places before."""
        probs = self.policy.action_probs(batch, rng)
        left = batch.present
        for place in range(self.places):
            if place:
                left = left & (np.arange(left.shape[1]) != column[:, place - 1, None])
                if self.mode == "ask again":
                    probs = self._ask_again(batch, left, rng)
            yield rescaled(probs, left) if place else probs

    def _ask_again(self, batch: Batch, left: Bools, rng: np.random.Generator) -> Floats:
        """The policy's probabilities where the others are absent, 0 in rows where none is left."""
        open_ = np.flatnonzero(left.any(axis=1))
        candidates = np.where(left, batch.candidates, np.int32(ABSENT))[open_]
        rest = replace(take(batch, open_), candidates=candidates)
        probs: Floats = np.zeros(left.shape)
        probs[open_] = self.policy.action_probs(rest, rng)
        return probs


def rescaled(probs: Floats, left: Bools) -> Floats:
    """Probabilities of what is left, scaled to sum to 1; rows where nothing is left are 0; both (n, k)."""
    kept = np.where(left, probs, 0.0)
    total = kept.sum(axis=1, keepdims=True)
    return np.asarray(kept / np.where(total > 0, total, 1.0))
