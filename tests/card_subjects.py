"""Subjects of a card whose texts are given, for tests of its measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from copybandit.evaluation.card_figures import Draws
from copybandit.evaluation.card_prepare import relative_price
from copybandit.evaluation.card_subject import Drafts, Subject
from copybandit.evaluation.card_trail import Step
from copybandit.evaluation.pipeline import Pipeline
from copybandit.generators.lm import CausalLM
from copybandit.generators.template import REFERENCE


def drafts(rows: Sequence[Sequence[str]]) -> Drafts:
    fixed = tuple(tuple(row) for row in rows)
    return Drafts(first=fixed, shown=fixed, refused=np.zeros(len(fixed)))


def subject_of(pipeline: Pipeline, ours: Sequence[str], theirs: Sequence[str]) -> Subject:
    """A subject whose texts are given, for measures that read texts alone."""
    shop, tiny = pipeline.shop(), CausalLM.load("tiny")
    return Subject(
        tuned=(tiny,),
        before=tiny,
        ours=drafts([ours]),
        theirs=drafts([theirs]),
        reward=pipeline.reward("select"),
        other=pipeline.reward("fit"),
        gold=pipeline.gold(),
        references=shop.references,
        relative=relative_price(shop.products),
        trails=((),),
        logs=(),
        budget=6.0,
        seed=0,
        draws=Draws(replicates=200),
    )


def written(pipeline: Pipeline, form: str = "") -> list[str]:
    """Reference copy of the select cells, or a form filled with name and first interest."""
    briefs = pipeline.cells("select").briefs
    if not form:
        return [REFERENCE.text(brief) for brief in briefs]
    return [
        form.format(name=b.product.name, word=b.segment.interests[0] if b.segment else "") for b in briefs
    ]


def verdicts(measure: object) -> dict[str, bool | None]:
    return {one.name: one.passed for one in measure.gates}  # type: ignore[attr-defined]


def steps_of(*golds: float) -> tuple[Step, ...]:
    flat = np.zeros(4)
    return tuple(Step(update=k, kl=0.1 * k, reward=flat, gold=np.full(4, g)) for k, g in enumerate(golds))
