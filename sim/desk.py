"""A writer's desk: briefs, what a shop knows of them in numbers, and what copy for them is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.sim.copy_reward import Score
from copybandit.sim.storefront import Floats32
from copybandit.sim.types import Brief, DataError, Floats, Ints
from copybandit.sim.world import World


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The cells that copy is written for, and their score.

    Attributes:
        briefs: n briefs, a product and a segment each.
        references: reference copy of each brief; it earns 0.
        product: shape (n, d), the product in the space of tastes.
        segment: shape (n, d), how the segment's shoppers lean away from the average shopper.
        score: what texts are worth, by index of the brief.
    """

    briefs: tuple[Brief, ...]
    references: tuple[str, ...]
    product: Floats32
    segment: Floats32
    score: Score

    def __post_init__(self) -> None:
        n = len(self.briefs)
        if not n or len(self.references) != n:
            raise DataError(
                f"desk: needs a brief and one reference copy each, got {n} and {len(self.references)}; align them"
            )
        for name in ("product", "segment"):
            values = getattr(self, name)
            if values.shape != (n, self.product.shape[-1]) or not np.isfinite(values).all():
                raise DataError(
                    f"desk: {name} must be finite and ({n}, {self.product.shape[-1]}), got {values.shape}; "
                    "give one row per brief"
                )

    def __len__(self) -> int:
        return len(self.briefs)

    def __deepcopy__(self, memo: dict[int, object]) -> Desk:
        """Itself: Gymnasium copies the arguments of environments, and what nobody changes needs no copy."""
        return self


def desk_of(
    world: World,
    briefs: Sequence[Brief],
    product: Ints,
    leaning: Floats,
    references: Sequence[str],
    score: Score,
) -> Desk:
    """The desk over a world.

    Args:
        world: what the shop believes.
        briefs: n briefs.
        product: shape (n,), index of each brief's product.
        leaning: shape (n, d), how each brief's shoppers lean; see `World.leaning`.
        references: reference copy of each product of the catalogue.
        score: what texts are worth, by index of the brief.
    """
    return Desk(
        briefs=tuple(briefs),
        references=tuple(references[index] for index in product.tolist()),
        product=world.taste.products[product].astype(np.float32),
        segment=leaning.astype(np.float32),
        score=score,
    )
