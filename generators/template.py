"""The writer without a model: the same moves, filled the same way every time. Baseline, reference copy and fallback.

English headlines follow `move_ids`; every other kind of copy takes the first moves of its file that fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.generators.compose import compose
from copybandit.generators.grammar import Move, fill, is_plain_headline, move_named, slot_values
from copybandit.sim.types import Brief, DataError, Floats, Variant


@dataclass(frozen=True, kw_only=True)
class TemplateWriter:
    """Writes every headline with the first of `move_ids` that the brief can fill.

    Attributes:
        move_ids: in order of preference.
        generator_id: name of the writer.

    Raises:
        DataError: a move is unknown.
    """

    move_ids: tuple[str, ...] = ("imp-meet", "only-name")
    generator_id: str = "template"

    def __post_init__(self) -> None:
        for move_id in self.move_ids:
            move_named(move_id)

    def text(self, brief: Brief) -> str:
        """The one text for a brief; a headline that fills no move is its product's name.

        Raises:
            DataError: see `compose`.
        """
        if not is_plain_headline(brief):
            return compose(brief).text
        values = slot_values(brief)
        for move in map(move_named, self.move_ids):
            if move.slots <= values.keys():
                return fill(move, values)
        return fill(Move("name", "{name}."), values)

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        """The same variant `n` times for each brief."""
        return [[self._variant(brief)] * n for brief in briefs]

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        """0 for the one text it writes, -inf for any other, shape (n,).

        Raises:
            DataError: there is not one text per brief.
        """
        if len(briefs) != len(texts):
            raise DataError(f"log_prob: {len(briefs)} briefs, {len(texts)} texts; give one text per brief")
        same = [self.text(brief) == text for brief, text in zip(briefs, texts, strict=True)]
        return np.where(same, 0.0, -np.inf)

    def _variant(self, brief: Brief) -> Variant:
        return Variant(
            text=self.text(brief),
            product_id=brief.product.product_id,
            segment_id=brief.segment.segment_id if brief.segment else -1,
            generator_id=self.generator_id,
        )


REFERENCE = TemplateWriter()
"""Writes the reference copy of every product, against which worlds measure wording and match."""
INTEREST_TEMPLATE = TemplateWriter(
    move_ids=("int-lovers", "int-if", "imp-meet", "only-name"), generator_id="template+interest"
)
"""The template with the segment's first interest word: the cheapest personal copy."""
