"""The card: each measure sees what it is for; a reading of the judge split is noted; the page says all of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.card import SCHEMA, gate, read_card
from copybandit.evaluation.card_bait import BAIT
from copybandit.evaluation.card_drift import length, matched_lift
from copybandit.evaluation.card_figures import Draws
from copybandit.evaluation.card_fluency import repeated
from copybandit.evaluation.card_make import CardRequest, make_card, relative_price
from copybandit.evaluation.card_page import render
from copybandit.evaluation.card_personal import facts_named, mutual_information, names_interest, personal
from copybandit.evaluation.card_reading import MARKER, check_unseen, mark_reading, readings_of
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
from copybandit.evaluation.card_subject import Drafts, Subject
from copybandit.evaluation.card_value import purchases, value
from copybandit.evaluation.card_variety import variety, variety_of
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.storage import load_json
from copybandit.generators.editor import Editor
from copybandit.generators.lm import CausalLM
from copybandit.generators.template import INTEREST_TEMPLATE, REFERENCE
from copybandit.sim.types import Brief, DataError, Floats, Product, Segment, Variant
from tests.small_run import small_pipeline

SHORT: dict[str, object] = {"tune.seeds": [0, 1], "tune.episodes": 64, "tune.reference_samples": 32}
HERE = Path(__file__).parent
MUG = Product(
    product_id="m", name="mug", title="Blue mug", category="kitchen", brand="", price=8.5, facts=("blue",)
)
GARDEN = Brief(product=MUG, segment=Segment(segment_id=0, interests=("garden",), size=20))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A small shop and two seeds tuned in it."""
    pipeline = small_pipeline(tmp_path_factory.mktemp("tuned") / "run", **SHORT)
    for name in ("data", "fit", "sft", "tune"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    return pipeline


def checkpoints(pipeline: Pipeline) -> tuple[Path, ...]:
    return tuple(pipeline.folder.output("tune") / f"seed-{seed}" / "writer" for seed in (0, 1))


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
        ratios=(),
        calls=None,
        batch=None,
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


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 5))
def test_a_gate_holds_exactly_between_its_ends(value: float, low: float, wide: float) -> None:
    assert gate("g", value, low=low, high=low + wide).passed == (low <= value <= low + wide)
    assert gate("g", float("nan"), low=low).passed is None


def test_the_same_copy_has_no_lift_and_one_seed_is_too_few(fitted: Pipeline) -> None:
    texts = written(fitted)
    found = value(subject_of(fitted, texts, texts))
    lifts = [one for one in found.figures if one.unit == "lift"]
    assert len(lifts) == 3 and all(one.value == pytest.approx(0) for one in lifts)
    assert verdicts(found)["at least 5 tuning seeds"] is False and found.passed is False


def test_purchases_are_clicks_where_every_click_is_worth_the_same(fitted: Pipeline) -> None:
    gold, cells = fitted.gold(), fitted.cells("select")
    flat = replace(
        gold,
        coefficients=replace(
            gold.coefficients, conversion_interest=0.0, overpromise=0.0, price_sensitivity=0.0
        ),
    )
    texts, relative = [written(fitted, "For {word} lovers: {name}.")], relative_price(fitted.shop().products)
    share = 1 / (1 + np.exp(-gold.coefficients.conversion_base))
    np.testing.assert_allclose(purchases(flat, cells, texts, relative), share * cells.rates(flat, texts))
    stern = replace(flat, coefficients=replace(flat.coefficients, overpromise=2.0))
    promised = cells.rates(flat, texts) * share - purchases(stern, cells, texts, relative)
    over = gold.encode(texts[0], cells.product).wording.mean(axis=0) > 0
    assert (promised[0][over] > 0).all() and promised[0][~over] == pytest.approx(0)


def test_matched_length_sees_through_a_lift_that_is_length_alone(fitted: Pipeline) -> None:
    """Each cell's tuned text is another cell's old text: where texts and rates match by length, nothing is left."""
    texts = written(fitted)
    same = subject_of(fitted, texts, texts)
    assert matched_lift(same)[0].value == pytest.approx(0)
    longer = subject_of(
        fitted, [f"{t} And that is all there is to say about it today." for t in texts], texts
    )
    found = verdicts(length(longer))
    assert found["mean length as before"] is False


def test_one_pattern_everywhere_fails_diversity(fitted: Pipeline) -> None:
    rng = np.random.default_rng(0)
    tiny = CausalLM.load("tiny")
    cells = fitted.cells("select")
    varied = [row[0].text for row in tiny.propose(cells.briefs, 1, rng)]
    flat = written(fitted, "Meet the {name}, the one and only thing to have today.")
    assert verdicts(variety(subject_of(fitted, flat, varied))) == {
        "self-BLEU within a product at most 0.05 above before": False,
        "unique texts at least 0.9 of before": False,
    }
    assert None not in verdicts(variety(subject_of(fitted, varied, varied))).values()
    one = variety_of(cells.briefs, written(fitted, "For {word}: the {name}."), cells.product)
    assert one.patterns < 0.1 and one.unique > one.patterns and one.opening < 1 and one.within > 0.4


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
    assert found.bare > 0.9 * found.n and found.shown < 0.1 * found.n


def test_abuse_is_found_and_bait_fails(fitted: Pipeline) -> None:
    honest = written(fitted)
    rude = [f"{text} You fucking idiot." if row == 0 else text for row, text in enumerate(honest)]
    subject = subject_of(fitted, rude, honest)
    measure = safety(subject, read_drafts(subject), injections()[:8])
    found = verdicts(measure)
    assert found.pop("texts that break a rule of safety") is False
    assert len(found) == 3 and all(found.values())
    assert {one.name for one in measure.figures if one.name.startswith("bait")} == {
        f"bait, {name}" for name in BAIT
    }


def test_repetition() -> None:
    assert repeated(["a b c d a b c"]) == pytest.approx(1 / 5) and repeated(["a b"]) == 0


def test_readings_are_noted_before_anything_is_measured(fitted: Pipeline) -> None:
    folder = fitted.folder
    assert readings_of(folder) == ()
    assert [one.checkpoints for one in mark_reading(folder, ["a"])] == [("a",)]
    assert [one.checkpoints for one in mark_reading(folder, ["b", "c"])] == [("a",), ("b", "c")]
    assert len(load_json(folder.path / MARKER)) == 2
    (folder.path / MARKER).unlink()


def test_a_writer_tuned_on_what_is_to_be_judged_is_refused(tuned: Pipeline, tmp_path: Path) -> None:
    """The same products under another split: some that tuning saw are to be judged there."""
    other = small_pipeline(tmp_path / "other", seed=7)
    other.folder.run_stage("data", lambda stage: _copy_shop(tuned, stage))
    path = checkpoints(tuned)[0]
    assert check_unseen(path, tuned.folder, tuned.shop(), "judge") == "run"
    with pytest.raises(DataError, match="was tuned in run run on products that are to be judged in other"):
        check_unseen(path, other.folder, other.shop(), "judge")
    assert check_unseen(tmp_path, tuned.folder, tuned.shop(), "judge") == ""


def _copy_shop(pipeline: Pipeline, stage: Path) -> None:
    for path in pipeline.folder.output("data").iterdir():
        if path.is_file():
            (stage / path.name).write_bytes(path.read_bytes())


@pytest.mark.slow
def test_the_whole_card(tuned: Pipeline, tmp_path: Path) -> None:
    request = CardRequest(checkpoints=checkpoints(tuned), run=tuned.folder.path, products=4)
    card = make_card(request, Silent())
    assert [one.number for one in card.measures] == list(range(1, 13))
    assert len(card.readings) == 1 and card.checkpoints[0].origin == "run"
    figures = {one.name: one for measure in card.measures for one in measure.figures}
    assert figures["KL per text"].value is not None and figures["KL per text"].value > 0
    calls = figures["less best of n at equal reward calls"]
    assert calls.value is not None  # the log of the run told how many
    assert verdicts(card.measures[3])["probability ratio of the last updates"] is True
    page = render(card)
    assert all(f"{one.number}. {one.name}" in page for one in card.measures)
    assert page.count("<svg") == sum(len(one.pictures) for one in card.measures) >= 4
    from copybandit.evaluation.card_page import write_card

    write_card(card, tmp_path)
    raw = (tmp_path / "card.json").read_bytes()
    again = read_card(raw)
    assert render(again) == page == (tmp_path / "card.html").read_text("utf-8")
    with pytest.raises(DataError, match=f"schema must be '{SCHEMA}', got 'other'"):
        read_card(raw.replace(SCHEMA.encode(), b"other"))
    second = make_card(request, Silent())
    assert len(second.readings) == 2 and "NOT A FIRST READING" in render(second)
    assert _untimed(second.measures) == _untimed(card.measures)


def _untimed(measures: Sequence[object]) -> list[str]:
    return [
        str(one)
        for measure in measures
        for one in measure.figures  # type: ignore[attr-defined]
        if one.unit not in ("ms", "tokens/s")
    ]
