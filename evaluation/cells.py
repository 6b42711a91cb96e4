"""Cells: a product times a segment, the unit that copy is written and judged for; and the reward of copy in a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.agents.reward_seam import Reward
from copybandit.evaluation.copy_costs import CopyCosts
from copybandit.generators.editor import Editor
from copybandit.generators.protocol import Generator
from copybandit.sim.copy_reward import VETO, CopyReward
from copybandit.sim.desk import Desk, desk_of
from copybandit.sim.segments import MIN_CELL
from copybandit.sim.types import Bools, Brief, DataError, Floats, Ints, Product, Segment
from copybandit.sim.world import World

__all__ = ["VETO", "CellReward", "Cells", "Written", "make_cells", "write_briefs", "write_cells"]

ATTEMPTS = 3
"""Proposals a writer may make before the reference copy stands in."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Briefs of one split.

    Attributes:
        briefs: n briefs, each with a segment.
        product: shape (n,), product index.
        segment: shape (n,), segment index.
        shoppers: for each segment, indices of its shoppers in this split.
    """

    briefs: tuple[Brief, ...]
    product: Ints
    segment: Ints
    shoppers: tuple[Ints, ...]

    def __len__(self) -> int:
        return len(self.briefs)

    def take(self, rows: Ints) -> Cells:
        """Some of the cells, by place."""
        return replace(
            self,
            briefs=tuple(self.briefs[row] for row in rows.tolist()),
            product=self.product[rows],
            segment=self.segment[rows],
        )

    def leaning(self, world: World) -> Floats:
        """How each cell's shoppers lean under a world, shape (n, d)."""
        by_segment = np.array([world.leaning(rows) for rows in self.shoppers])
        return by_segment[self.segment]

    def ctr(self, world: World, texts: Sequence[str]) -> Floats:
        """Mean click probability in the first place of each cell's text, shape (n,)."""
        copy = world.encode(texts, self.product)
        found = np.empty(len(self))
        for index, shoppers in enumerate(self.shoppers):
            rows = np.flatnonzero(self.segment == index)
            found[rows] = world.mean_click(shoppers, copy.take(rows))
        return found

    def rates(self, world: World, rows: Sequence[Sequence[str]]) -> Floats:
        """`ctr` of several rows of texts, one row per seed, shape (seeds, n)."""
        return np.stack([self.ctr(world, texts) for texts in rows])


def make_cells(
    products: Sequence[Product], segments: Sequence[Segment], label: Ints, shoppers: Bools, catalogue: Bools
) -> Cells:
    """Cross the products and the shoppers of one split; segments with under `MIN_CELL` shoppers are left out.

    Args:
        products: the catalogue.
        segments: all segments.
        label: shape (n_shoppers,), segment of each shopper.
        shoppers: shape (n_shoppers,), who is in the split.
        catalogue: shape (n_products,), what is in the split.
    """
    groups = tuple(np.flatnonzero(shoppers & (label == segment.segment_id)) for segment in segments)
    large = [index for index, group in enumerate(groups) if len(group) >= MIN_CELL]
    if not large or not catalogue.any():
        raise DataError(
            f"cells: at least one product and a segment of {MIN_CELL} shoppers are needed, got {int(catalogue.sum())} "
            f"products and segments of {[len(group) for group in groups]}; give more data or lower n_segments"
        )
    pairs = [(int(product), index) for product in np.flatnonzero(catalogue) for index in range(len(large))]
    return Cells(
        briefs=tuple(
            Brief(product=products[product], segment=segments[large[index]]) for product, index in pairs
        ),
        product=np.array([product for product, _ in pairs]),
        segment=np.array([index for _, index in pairs]),
        shoppers=tuple(groups[index] for index in large),
    )


class CellReward:
    """The number that tuners optimise: `CopyReward` of the fitted world, with the editor's veto.

    Args:
        world: the fitted world.
        cells: of the fit split; prompt i is the prompt of cell i.
        editor: what it refuses gets `VETO`.
        costs: what texts cost beside it; None measures nothing.
    """

    def __init__(self, world: World, cells: Cells, editor: Editor, costs: CopyCosts | None = None) -> None:
        self.world, self.cells, self.editor, self.costs = world, cells, editor, costs
        self._score = CopyReward(
            world,
            cells.product,
            cells.leaning(world),
            lambda i, text: bool(editor.check(cells.briefs[i], text)),
        )
        self._place = {brief: place for place, brief in enumerate(cells.briefs)}

    def __call__(self, index: Ints, texts: list[str]) -> Reward:
        """Reward of each text in its cell."""
        scored = self._score(index, texts)
        briefs = [self.cells.briefs[cell] for cell in index.tolist()]
        costs = self.costs(briefs, texts) if self.costs else ()
        return Reward(total=scored.total, components=scored.components, costs=costs)

    @property
    def caps(self) -> tuple[tuple[str, float], ...]:
        """Most that the mean of each cost may be, by name."""
        return self.costs.caps if self.costs else ()

    def by_brief(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        """Total of each text for its brief, which is one of the cells', shape (b,): what `BestOfN` chooses by."""
        return self(np.array([self._place[brief] for brief in briefs], np.int64), list(texts)).total

    def desk(self) -> Desk:
        """The same cells and reward as a desk, for `copybandit.envs.copy_writing`."""
        cells, world = self.cells, self.world
        return desk_of(world, cells.briefs, cells.product, cells.leaning(world), world.references, self)


@dataclass(frozen=True, kw_only=True)
class Written:
    """Copy for briefs.

    Attributes:
        texts: one per brief; the reference copy where no proposal passed the editor.
        refused: share of first proposals that the editor refused.
        fallback: share of briefs where the reference copy stands in.
    """

    texts: tuple[str, ...]
    refused: float
    fallback: float


def write_cells(
    writer: Generator, cells: Cells, references: Sequence[str], editor: Editor, rng: np.random.Generator
) -> Written:
    """Write one approved text per cell; the reference copy of its product stands in."""
    return write_briefs(writer, cells.briefs, [references[p] for p in cells.product], editor, rng)


def write_briefs(
    writer: Generator,
    briefs: Sequence[Brief],
    stand_in: Sequence[str],
    editor: Editor,
    rng: np.random.Generator,
) -> Written:
    """Write one approved text per brief: the first of `ATTEMPTS` proposals that the editor passes, else the stand-in."""
    texts: list[str | None] = [None] * len(briefs)
    waiting, refused_first = list(range(len(briefs))), 0
    for attempt in range(ATTEMPTS):
        proposals = writer.propose([briefs[row] for row in waiting], 1, rng)
        for row, (variant,) in zip(waiting, proposals, strict=True):
            if not editor.check(briefs[row], variant.text):
                texts[row] = variant.text
        waiting = [row for row in waiting if texts[row] is None]
        refused_first = len(waiting) if attempt == 0 else refused_first
        if not waiting:
            break
    final = tuple(other if text is None else text for text, other in zip(texts, stand_in, strict=True))
    n = max(1, len(briefs))
    return Written(texts=final, refused=refused_first / n, fallback=len(waiting) / n)
