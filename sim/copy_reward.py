"""What copy earns in a cell: the lower bound of its gain over the reference copy, averaged over the cell's shoppers.

    reward = max(match + wording - DOUBT * sd(wording over the ensemble), VETO);  VETO where the text is refused

in log-odds of a click. Interest cancels, since both texts are about the same product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from copybandit.sim.types import Bools, Floats, Ints
from copybandit.sim.world import World

DOUBT = 0.5
"""Standard deviations of the wording ensemble that the reward subtracts."""
VETO = -0.6
"""Reward of copy that is refused, in log-odds: well below the worst honest copy."""

Veto = Callable[[int, str], bool]
"""Index of a cell and a text for it -> whether the text may not be shown."""


class Scored(Protocol):
    """Reward of b texts."""

    @property
    def total(self) -> Floats:
        """What is optimised, shape (b,)."""
        ...

    @property
    def components(self) -> tuple[tuple[str, Floats], ...]:
        """Named parts of it, each of shape (b,)."""
        ...


class Score(Protocol):
    """Anything that says what texts are worth in cells."""

    def __call__(self, index: Ints, texts: list[str], /) -> Scored:
        """Reward of each text in its cell, index of shape (b,)."""
        ...


@dataclass(frozen=True, kw_only=True)
class CopyScores:
    """Reward of b texts and its parts, each of shape (b,), in log-odds; `refused` is true where the veto fell."""

    total: Floats
    match: Floats
    wording: Floats
    doubt: Floats
    refused: Bools

    @property
    def components(self) -> tuple[tuple[str, Floats], ...]:
        """The parts by name."""
        return (
            ("match", self.match),
            ("wording", self.wording),
            ("doubt", self.doubt),
            ("refused", self.refused.astype(np.float64)),
        )


class CopyReward:
    """Scores copy for cells.

    Args:
        world: gives the gain; the fitted one for tuning.
        product: shape (n,), product of each cell.
        leaning: shape (n, d), how each cell's shoppers lean; see `World.leaning`.
        veto: refuses texts.
    """

    def __init__(self, world: World, product: Ints, leaning: Floats, veto: Veto) -> None:
        self.world, self._product, self._leaning, self._veto = world, product, leaning, veto

    def __call__(self, index: Ints, texts: Sequence[str]) -> CopyScores:
        """Reward of each text in its cell, index of shape (b,)."""
        copy = self.world.encode(texts, self._product[index])
        match = self.world.gain(self._leaning[index], copy) - copy.wording.mean(axis=0)
        wording, doubt = copy.wording.mean(axis=0), DOUBT * copy.wording.std(axis=0)
        cells = index.tolist()
        refused = np.array(
            [self._veto(i, text) for i, text in zip(cells, texts, strict=True)], dtype=np.bool_
        )
        total = np.where(refused, VETO, np.maximum(match + wording - doubt, VETO))
        return CopyScores(total=total, match=match, wording=wording, doubt=doubt, refused=refused)
