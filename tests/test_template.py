"""The template writer: conforms, says the same every time, and knows exactly what it would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given

from copybandit.generators.check import check_generator
from copybandit.generators.editor import check, edit
from copybandit.generators.moves import moves
from copybandit.generators.template import INTEREST_TEMPLATE, REFERENCE, TemplateWriter
from copybandit.sim.catalogue import draw_catalogue
from copybandit.sim.types import Brief, DataError, Floats, Product, Segment, Variant
from tests.briefs import briefs

SEGMENT = Segment(segment_id=4, interests=("garden", "tea"), size=30)
MUG = Product(
    product_id="p", name="mug", title="Blue mug", category="k", brand="", price=4.0, facts=("blue", "soft")
)


def some_briefs() -> list[Brief]:
    products = draw_catalogue(6, np.random.default_rng(0))
    return [Brief(product=product, segment=segment) for product in products for segment in (None, SEGMENT)]


@pytest.mark.parametrize("writer", [REFERENCE, INTEREST_TEMPLATE], ids=lambda writer: writer.generator_id)
def test_a_template_conforms(writer: TemplateWriter) -> None:
    proposals = check_generator(writer, some_briefs(), np.random.default_rng(1))
    assert all(len({variant.text for variant in row}) == 1 for row in proposals)


def test_a_name_that_begins_small_stays_so() -> None:
    """A sentence may begin with iPad: no writer and no repair makes IPad of it."""
    pad = replace(MUG, name="iPad Air", title="Apple iPad Air", brand="Apple")
    texts = [
        TemplateWriter(move_ids=(move.move_id, "only-name")).text(Brief(product=pad)) for move in moves()
    ]
    assert any("iPad Air" in text for text in texts) and not any("IPad" in text for text in texts)
    assert edit(Brief(product=pad), "iPad Air, in blue").text == "iPad Air, in blue."


@given(brief=briefs())
def test_templates_pass_the_editor(brief: Brief) -> None:
    assert check(brief, REFERENCE.text(brief)) == () == check(brief, INTEREST_TEMPLATE.text(brief))


def test_what_templates_say() -> None:
    assert REFERENCE.text(Brief(product=MUG)) == "Meet the blue mug."
    assert REFERENCE.text(Brief(product=MUG, segment=SEGMENT)) == "Meet the blue mug."
    assert INTEREST_TEMPLATE.text(Brief(product=MUG, segment=SEGMENT)) == "For garden lovers: a blue mug."
    assert INTEREST_TEMPLATE.text(Brief(product=MUG)) == "Meet the blue mug."
    assert REFERENCE.text(Brief(product=replace(MUG, facts=()))) == "The mug, plain and simple."
    assert TemplateWriter(move_ids=("int-if",)).text(Brief(product=MUG)) == "Mug."


def test_log_prob_is_certain() -> None:
    brief = Brief(product=MUG)
    assert REFERENCE.log_prob([brief, brief], ["Meet the blue mug.", "Else."]).tolist() == [0.0, -np.inf]
    with pytest.raises(DataError, match="1 briefs, 2 texts"):
        REFERENCE.log_prob([brief], ["a", "b"])


def test_an_unknown_move_is_refused() -> None:
    with pytest.raises(DataError, match="unknown move 'absent'"):
        TemplateWriter(move_ids=("absent",))


@dataclass(frozen=True)
class Faulty:
    """A template with one fault."""

    fault: str
    generator_id: str = "faulty"
    calls: list[int] = field(default_factory=list)

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        writer = replace(REFERENCE, generator_id="faulty")
        self.calls.append(n)
        rows = writer.propose(briefs, n + (self.fault == "too many"), rng)
        if self.fault == "no label":
            return [[replace(variant, generator_id="?") for variant in row] for row in rows]
        if self.fault == "no segment":
            return [[replace(variant, segment_id=-1) for variant in row] for row in rows]
        if self.fault == "global state":
            return [[replace(variant, lineage=str(len(self.calls))) for variant in row] for row in rows]
        return rows

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        if self.fault == "batch":
            return np.full(len(texts), -float(len(texts)))
        value = {"positive": 0.5, "nan": np.nan}.get(self.fault, -1.0)
        return np.full((len(texts), 1) if self.fault == "shape" else len(texts), value)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("too many", "lists of 3 variants"),
        ("no label", "must carry product, segment and writer"),
        ("no segment", "must carry product, segment and writer"),
        ("global state", "same variants from the same random state"),
        ("shape", r"float64 of shape \(36,\)"),
        ("positive", "at most 0"),
        ("nan", "at most 0"),
        ("batch", "must not depend on the batch"),
    ],
)
def test_the_check_finds_each_fault(fault: str, rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        check_generator(Faulty(fault), some_briefs(), np.random.default_rng(0))
    check_generator(Faulty("none"), some_briefs(), np.random.default_rng(0))
