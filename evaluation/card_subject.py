"""What a card is about: tuned writers, the writer they are compared with, the cells, and what all of them wrote there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from copybandit.evaluation.card_figures import Draws
from copybandit.evaluation.card_log import SeedLog
from copybandit.evaluation.cells import CellReward, Cells, write_cells
from copybandit.generators.editor import Editor
from copybandit.generators.protocol import Generator
from copybandit.sim.types import Brief, Floats, Ints, Variant
from copybandit.sim.world import World

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

PROBED = 120
"""Cells, at most, of measures that draw many texts for each."""


@dataclass(frozen=True, kw_only=True)
class Drafts:
    """What one method wrote for the cells, one row of n texts per seed.

    Attributes:
        first: first proposals, whether the editor passes them or not: what the writer does when nobody looks.
        shown: what would be shown: the first of three proposals that the editor passes, else the reference copy.
        refused: shape (seeds,), share of first proposals that the editor refused.
    """

    first: tuple[tuple[str, ...], ...]
    shown: tuple[tuple[str, ...], ...]
    refused: Floats


@dataclass(frozen=True, kw_only=True)
class Likelihoods:
    """How likely first proposals are, in nats at the sampling temperature, and how long; each of shape (seeds, n).

    Attributes:
        own: tuned copy under its own writer.
        frozen: the same under the writer before tuning.
        before: copy of the writer before tuning under itself.
        tokens, tokens_before: of tuned copy and of copy before tuning, ends included.
    """

    own: Floats
    frozen: Floats
    before: Floats
    tokens: Floats
    tokens_before: Floats


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Everything that measures read.

    Attributes:
        tuned: one writer per seed of one method.
        before: the writer they are compared with; it stays frozen and is the reference of every KL.
        ours, theirs: what they wrote; `theirs` has a row for each of `ours`, with random numbers of its own.
        reward: what tuning optimises, in the cells of the split that is read.
        other: the same in the cells that tuning saw.
        gold: the truth.
        references: reference copy of each product of the shop.
        relative: shape (n_products,), log(price / median price of its category).
        trails: of each seed, folders of the steps that led to its writer, in order; may be empty.
        logs: of each seed, what is known of its tuning; none where nothing tells.
        budget: nats per text that tuning was allowed.
        seed: of everything drawn here.
        draws: of the intervals.
    """

    tuned: tuple[CausalLM, ...]
    before: CausalLM
    ours: Drafts
    theirs: Drafts
    reward: CellReward
    other: CellReward
    gold: World
    references: tuple[str, ...]
    relative: Floats
    trails: tuple[tuple[Path, ...], ...]
    logs: tuple[SeedLog, ...]
    budget: float
    seed: int
    draws: Draws = field(default_factory=Draws)

    @property
    def cells(self) -> Cells:
        """Those that are read."""
        return self.reward.cells

    @property
    def calls(self) -> float | None:
        """Reward calls that tuning took per seed; None where nothing tells."""
        return float(np.mean([log.calls for log in self.logs])) if self.logs else None

    @cached_property
    def rates(self) -> tuple[Floats, Floats]:
        """True click rate of shown copy in each cell, tuned and before, each of shape (seeds, n)."""
        ours, theirs = (self.cells.rates(self.gold, drafts.shown) for drafts in (self.ours, self.theirs))
        return ours, theirs

    @cached_property
    def likelihoods(self) -> Likelihoods:
        """Of first proposals; three forward passes per seed, which several measures share."""
        briefs, before = self.cells.briefs, self.before
        pairs = list(zip(self.tuned, self.ours.first, strict=True))

        def tokens(rows: Sequence[Sequence[str]]) -> Floats:
            return np.array([[len(ids) for ids in before.response_ids(row)] for row in rows], np.float64)

        return Likelihoods(
            own=np.stack([writer.log_prob(briefs, row) for writer, row in pairs]),
            frozen=np.stack([before.log_prob(briefs, row) for _, row in pairs]),
            before=np.stack([before.log_prob(briefs, row) for row in self.theirs.first]),
            tokens=tokens(self.ours.first),
            tokens_before=tokens(self.theirs.first),
        )

    def probe(self, cells: Cells | None = None) -> Ints:
        """Rows of whole products, evenly spaced, `PROBED` cells at most but one product at least."""
        cells = self.cells if cells is None else cells
        products = np.unique(cells.product)
        each = max(1, len(cells) // len(products))
        wanted = max(1, min(len(products), PROBED // each))
        kept = products[np.linspace(0, len(products) - 1, wanted).round().astype(np.int64)]
        return np.flatnonzero(np.isin(cells.product, kept))

    def rng(self, *stream: int) -> np.random.Generator:
        """Random numbers of one purpose."""
        return np.random.default_rng([self.seed, 30, *stream])


@dataclass(kw_only=True)
class _Recorded:
    """A writer whose first proposals are kept."""

    base: Generator
    first: list[str] | None = None

    @property
    def generator_id(self) -> str:
        return self.base.generator_id

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        found = self.base.propose(briefs, n, rng)
        if self.first is None:
            self.first = [row[0].text for row in found]
        return found

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        return self.base.log_prob(briefs, texts)


def write_drafts(
    writers: Sequence[Generator],
    cells: Cells,
    references: Sequence[str],
    editor: Editor,
    seed: int,
    method: int,
) -> Drafts:
    """Let each writer write one text per cell.

    Args:
        writers: one per seed.
        cells: what for.
        references: reference copy of each product of the shop.
        editor: of the run.
        seed: of the card.
        method: another one draws other random numbers.
    """
    first, shown, refused = [], [], []
    for place, writer in enumerate(writers):
        kept = _Recorded(base=writer)
        rng = np.random.default_rng([seed, 31, method, place])
        written = write_cells(kept, cells, references, editor, rng)
        first.append(tuple(kept.first or ()))
        shown.append(written.texts)
        refused.append(written.refused)
    return Drafts(first=tuple(first), shown=tuple(shown), refused=np.array(refused))


def write_rows(writer: Generator, cells: Cells, rows: Ints, rng: np.random.Generator) -> list[str]:
    """One first proposal for each of some cells."""
    return [row[0].text for row in writer.propose([cells.briefs[r] for r in rows.tolist()], 1, rng)]


def gains(reward: CellReward, gold: World, rows: Ints, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """What tuning optimises, and the true gain over the reference copy, each in log-odds and of shape (n,).

    The true gain is 0 where the editor refuses the text: then the reference copy is shown.
    """
    found = reward(rows, list(texts))
    copy = gold.encode(list(texts), reward.cells.product[rows])
    gain = gold.gain(reward.cells.leaning(gold)[rows], copy)
    return found.total, np.where(dict(found.components)["refused"] > 0, 0.0, gain)
