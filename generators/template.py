"""The writer without a model: one move, filled the same way every time. Baseline, reference copy and fallback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.generators.grammar import Move, fill, is_adjective, moves
from copybandit.sim.types import Brief, DataError, Floats, Variant


@dataclass(frozen=True, kw_only=True)
class TemplateWriter:
    """Writes every brief with the first of `move_ids` that the brief can fill.

    Attributes:
        move_ids: in order of preference.
        generator_id: name of the writer.
    """

    move_ids: tuple[str, ...] = ("imp-meet", "only-name")
    generator_id: str = "template"

    def __post_init__(self) -> None:
        known = {move.move_id for move in moves()}
        for move_id in self.move_ids:
            if move_id not in known:
                raise DataError(f"template: unknown move {move_id!r}; choose from {', '.join(sorted(known))}")

    def text(self, brief: Brief) -> str:
        """The one text for a brief; a brief that fills no move gets its product's name."""
        values = first_values(brief)
        for move_id in self.move_ids:
            move = next(move for move in moves() if move.move_id == move_id)
            if move.slots <= values.keys():
                return fill(move, values)
        return fill(Move("name", "{name}"), values)

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        """The same variant `n` times for each brief."""
        return [[self._variant(brief)] * n for brief in briefs]

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        """0 for the one text it writes, -inf for any other, shape (n,)."""
        same = [self.text(brief) == text for brief, text in zip(briefs, texts, strict=True)]
        return np.where(same, 0.0, -np.inf)

    def _variant(self, brief: Brief) -> Variant:
        return Variant(
            text=self.text(brief),
            product_id=brief.product.product_id,
            segment_id=brief.segment.segment_id if brief.segment else -1,
            generator_id=self.generator_id,
        )


def first_values(brief: Brief) -> dict[str, str]:
    """What fills each slot when facts and interests are taken in their own order."""
    product = brief.product
    adjectives = [fact for fact in product.facts if is_adjective(fact)]
    phrases = [fact for fact in product.facts if not is_adjective(fact)]
    interests = brief.segment.interests if brief.segment else ()
    values = {"name": product.name, "price": f"{product.price:.2f}"}
    for slots, words in ((("adj", "adj2"), adjectives), (("phrase",), phrases), (("interest", "interest2"), interests)):
        values |= dict(zip(slots, words, strict=False))
    return values


REFERENCE = TemplateWriter()
"""Writes the reference copy of every product, against which worlds measure wording and match."""
INTEREST_TEMPLATE = TemplateWriter(
    move_ids=("int-lovers", "int-if", "imp-meet", "only-name"), generator_id="template+interest"
)
"""The template with the segment's first interest word: the cheapest personal copy."""
