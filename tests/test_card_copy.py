"""The card, measures 7 to 11: what they read of texts alone, and the sets that ship with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copybandit.evaluation.card_bait import BAIT, bait_margins
from copybandit.evaluation.card_fluency import grade, repeated
from copybandit.evaluation.card_personal import facts_named, mutual_information, names_interest, personal
from copybandit.evaluation.card_rules import (
    FACTS,
    HALLUCINATED,
    clean_copy,
    facts,
    policy,
    read_drafts,
    refused_clean,
    rule_packs,
)
from copybandit.evaluation.card_safety import injections, run_battery, safety
from copybandit.evaluation.cells import VETO, CellReward
from copybandit.evaluation.pipeline import Pipeline
from copybandit.generators.editor import Editor
from copybandit.generators.rejection import Rejection
from copybandit.generators.template import INTEREST_TEMPLATE
from copybandit.sim.types import Brief, Floats, Product, Segment, Variant
from tests.card_subjects import subject_of, verdicts, written

HERE = Path(__file__).parent
MUG = Product(
    product_id="m", name="mug", title="Blue mug", category="kitchen", brand="", price=8.5, facts=("blue",)
)
GARDEN = Brief(product=MUG, segment=Segment(segment_id=0, interests=("garden",), size=20))


def test_wording_of_one_product_cannot_be_tried_on_another() -> None:
    assert np.isnan(mutual_information(["a b", "c d"], np.array([0, 1]), np.array([3, 3])))


def test_mutual_information_is_nothing_for_everybodys_copy_and_much_for_each_ones() -> None:
    product = np.repeat(np.arange(40), 3)
    segment = np.tile(np.arange(3), 40)
    rng = np.random.default_rng(0)
    words = np.array(["warm", "bright", "quiet", "new"])
    chance = [" ".join(rng.choice(words, 3)) for _ in product]
    own = [f"for {('garden', 'travel', 'music')[k]} lovers" for k in segment]
    assert mutual_information(chance, segment, product) < 0.1
    assert mutual_information(own, segment, product) > 0.5 * np.log(3)


def test_what_copy_names() -> None:
    assert names_interest(GARDEN, "A Garden mug.") and not names_interest(GARDEN, "A gardener's mug.")
    brief = Brief(product=replace(MUG, facts=("blue", "holds 350 ml")))
    assert (
        facts_named(brief, "The blue mug.") == 0.5 and facts_named(brief, "A mug that holds 350 ml.") == 0.5
    )


def test_swap_gate_fails_for_copy_that_is_the_same_for_all(fitted: Pipeline) -> None:
    flat, own = (
        written(fitted, "Meet the {name}."),
        [INTEREST_TEMPLATE.text(brief) for brief in fitted.cells("select").briefs],
    )
    found = personal(subject_of(fitted, flat, own))
    assert found.figures[0].value == pytest.approx(0, abs=1e-9)
    assert found.figures[2].value is not None and found.figures[2].value < 0.1
    assert found.figures[2].before is not None and found.figures[2].before > 0.9


def test_invented_facts_and_forbidden_claims_are_counted_in_drafts(fitted: Pipeline) -> None:
    honest = written(fitted)
    lying = [f"{text} It weighs 7 kg." if row % 4 == 0 else text for row, text in enumerate(honest)]
    boasting = [f"{text} It cures cancer." if row == 0 else text for row, text in enumerate(honest)]
    subject = subject_of(fitted, lying, honest)
    found = facts(subject, read_drafts(subject))
    assert found.figures[0].value == pytest.approx(-(-len(lying) // 4) / len(lying), rel=0.3)
    assert found.figures[0].value is not None and found.figures[0].value > HALLUCINATED
    assert found.passed is False and found.figures[0].before is not None
    subject = subject_of(fitted, boasting, honest)
    hits = verdicts(policy(subject, read_drafts(subject)))
    assert hits["hard hits, pack health"] is False and hits["hard hits, pack eu"] is True


def test_claim_rules_hardly_ever_refuse_clean_copy() -> None:
    clean = clean_copy()
    assert len(clean) > 150
    assert refused_clean(clean, frozenset(rule_packs())).mean() <= 0.03
    assert refused_clean(clean, FACTS).mean() <= 0.1


def test_what_ships_stands_in_the_labelled_sets() -> None:
    for shipped, stem in (
        ("card_injections.json", "injection_cases"),
        ("card_clean_copy.json", "editor_cases"),
    ):
        rows = json.loads((HERE.parent / "evaluation" / shipped).read_text("utf-8"))
        known: dict[str, dict[str, Any]] = {}
        for author in "123456":
            path = HERE / f"{stem}{'' if author == '1' else f'_{author}'}.jsonl"
            cases = map(json.loads, path.read_text("utf-8").splitlines())
            known |= {f"set{author}/{case['id']}": case for case in cases}
        for row in rows:
            case = known[row["id"]]
            assert {key: case["product"][key] for key in row["product"]} == row["product"]
            if "text" in row:
                assert (row["text"], case["label"], case["part"]) == (case["text"], "clean", "test")
            else:
                assert row["forbidden"] == case["must_not_appear"] and case["attack"]
                assert row["part"] == case["part"]


@dataclass(frozen=True, kw_only=True)
class Obedient:
    """Writes whatever the fields tell it to: the worst writer there can be."""

    generator_id: str = "obedient"

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        texts = [
            f"The {b.product.name}. {b.product.title} {' '.join(b.product.facts)} {b.product.brand}."
            for b in briefs
        ]
        return [
            [Variant(text=text, product_id=b.product.product_id, generator_id=self.generator_id)] * n
            for b, text in zip(briefs, texts, strict=True)
        ]

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        return np.zeros(len(texts))


def test_the_guards_hold_back_a_writer_that_obeys() -> None:
    attacks = injections()
    found = run_battery(Obedient(), Editor(), attacks, np.random.default_rng(0))
    assert found.n == len(attacks) > 150
    unseen = [one for one in attacks if not one.known]
    assert 50 < len(unseen) < found.n
    assert run_battery(Obedient(), Editor(), unseen, np.random.default_rng(0)).shown < 0.15 * len(unseen)
    assert found.bare > 0.9 * found.n and found.shown < 0.1 * found.n


def test_abuse_is_found_and_bait_fails(fitted: Pipeline) -> None:
    honest = written(fitted)
    rude = [f"{text} You fucking idiot." if row == 0 else text for row, text in enumerate(honest)]
    subject = subject_of(fitted, rude, honest)
    measure = safety(subject, read_drafts(subject), injections()[:8])
    found = verdicts(measure)
    assert found.pop("texts that break a rule of safety") is False
    assert len(found) == 3 and all(found.values())
    figures = {one.name: one.value for one in measure.figures}
    assert {name for name in figures if name.startswith("bait, ")} == {f"bait, {name}" for name in BAIT}
    assert figures["bait that the editor refuses"] == 1
    would = figures["bait that would earn more than its honest copy if it did not"]
    assert would is not None and 0 < would < 1  # the veto is what holds some of it


def test_without_its_editor_the_reward_is_baited_by_what_the_veto_held(fitted: Pipeline) -> None:
    """The bare margin is the margin under an editor that refuses nothing, down to the floor of the reward."""
    reward, rows = fitted.reward("select"), np.arange(30)
    blind = CellReward(reward.world, reward.cells, Blind())
    honest = written(fitted)[:30]
    base = reward(rows, honest).total
    for one, other in zip(bait_margins(reward, rows, honest), bait_margins(blind, rows, honest), strict=True):
        assert one.refused.all() and not other.refused.any()
        np.testing.assert_allclose(np.maximum(one.bare + base, VETO) - base, other.margin, atol=1e-12)


class Blind(Editor):
    """Lets everything pass."""

    def check(self, brief: Brief, text: str) -> tuple[Rejection, ...]:
        return ()


def test_longer_words_and_sentences_take_more_years_of_school() -> None:
    assert grade(["The cat sat. It ran."]) < grade(["The cat sat, and then it ran."])
    assert grade(["The cat sat on it."]) < grade(["Exceptional refreshment accompanies everybody."])
    assert grade(["ab cd. ef gh."]) == pytest.approx(4.71 * 8 / 4 + 0.5 * 4 / 2 - 21.43)


def test_repetition() -> None:
    assert repeated(["a b c d a b c"]) == pytest.approx(1 / 5) and repeated(["a b"]) == 0
