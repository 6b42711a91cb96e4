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
from msgspec.structs import replace as replace_struct

from copybandit.evaluation.card import SCHEMA, gate, read_card
from copybandit.evaluation.card_bait import BAIT, bait_margins
from copybandit.evaluation.card_drift import RATIO_NAME, distance
from copybandit.evaluation.card_figures import Draws
from copybandit.evaluation.card_fluency import grade, repeated
from copybandit.evaluation.card_frontier import frontier
from copybandit.evaluation.card_length import length, matched_lift
from copybandit.evaluation.card_log import SeedLog, read_logs
from copybandit.evaluation.card_make import make_card
from copybandit.evaluation.card_page import render
from copybandit.evaluation.card_personal import facts_named, mutual_information, names_interest, personal
from copybandit.evaluation.card_prepare import relative_price
from copybandit.evaluation.card_reading import MARKER, Origin, check_unseen, mark_reading, readings_of
from copybandit.evaluation.card_request import CardRequest
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
from copybandit.evaluation.card_trail import Step, Trails, overoptimised
from copybandit.evaluation.card_value import purchases, value
from copybandit.evaluation.card_variety import variety, variety_of
from copybandit.evaluation.cells import VETO, CellReward
from copybandit.evaluation.frontier import Drawn, kl_of_best
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.storage import load_json, save_json
from copybandit.generators.editor import Editor
from copybandit.generators.lm import CausalLM
from copybandit.generators.rejection import Rejection
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
    """Over five seeds every cell has its long text three times from the tuned writer, twice before; else they are one."""
    cells, gold, texts = fitted.cells("select"), fitted.gold(), written(fitted)
    short = written(fitted, "Meet the {name}.")
    long = written(fitted, "Your very own {name}, here for you and for yours, today.")

    def rows(times: int) -> list[list[str]]:
        both = list(enumerate(zip(short, long, strict=True)))
        return [[b if (place + seed) % 5 < times else a for place, (a, b) in both] for seed in range(5)]

    ours, theirs = rows(3), rows(2)
    subject = replace(subject_of(fitted, texts, texts), ours=drafts(ours), theirs=drafts(theirs))
    plain_lift = cells.rates(gold, ours).mean() / cells.rates(gold, theirs).mean() - 1
    found, shared, _ = matched_lift(subject)
    assert abs(plain_lift) > 0.01 and shared == 1
    assert found.value == pytest.approx(0, abs=1e-9)


def test_copy_of_another_length_fails_and_leaves_nothing_to_match(fitted: Pipeline) -> None:
    texts = written(fitted)
    measure = length(
        subject_of(fitted, [f"{t} And that is all there is to say about it." for t in texts], texts)
    )
    found = verdicts(measure)
    assert found["mean length as before"] is False
    assert found["clicks at matched length: lower end above 0"] is None
    assert measure.gates[-1].note == "tuned copy and copy before tuning have too few lengths in common"
    assert measure.figures[-1].value is not None and measure.figures[-1].value < 0.2


def test_two_seeds_on_either_side_do_not_make_up_for_each_other(fitted: Pipeline) -> None:
    texts = written(fitted)
    one = subject_of(fitted, texts, texts)
    shorter, longer = (
        [" ".join([*text.split(), *["today"] * more][: len(text.split()) + more]) for text in texts]
        for more in (-3, 3)
    )
    two = replace(one, ours=drafts([shorter, longer]), theirs=drafts([texts, texts]))
    assert verdicts(length(two))["mean length as before"] is False
    logs = tuple(SeedLog(ratios=np.array([r]), calls=10, batch=2) for r in (0.7, 1.3))
    both = distance(replace(two, tuned=one.tuned * 2, logs=logs))
    assert verdicts(both)[RATIO_NAME] is False
    assert both.figures[-1].value == pytest.approx(0.7, abs=1e-9) or both.figures[-1].value == pytest.approx(
        1.3
    )


def test_what_is_not_known_is_not_judged_and_says_why(fitted: Pipeline) -> None:
    texts = written(fitted)
    subject = subject_of(fitted, texts, texts)
    ratio = distance(subject).gates[1]
    assert ratio.passed is None and ratio.note == "tuning left no record of ratios beside the checkpoints"
    bare = gate("g", None)
    assert bare.passed is None and bare.note


def test_the_log_counts_every_call_and_reads_the_way_to_the_chosen_step(tmp_path: Path) -> None:
    def record(restart: int, rewards: Sequence[float], ratios: Sequence[float]) -> None:
        select = [
            {"seed": 0, "restart": restart, "update": k, "reward": r} for k, r in enumerate(rewards, start=1)
        ]
        updates = [
            {"restart": restart, "update": k, "ratio": r, "episodes": 32 * k} for k, r in enumerate(ratios, 1)
        ]
        save_json(tmp_path / f"run-{restart}.json", {"select": select, "updates": updates, "calls": 100})

    record(0, [0.1, 0.9, 0.2], [1.0, 1.2, 5.0])
    record(1, [0.1, 0.3, 0.2], [9.0, 9.0, 9.0])
    (found,) = read_logs([tmp_path / "writer"], 40)
    assert found.ratios.tolist() == [1.2] and found.batch == 32
    assert found.calls == 2 * 100 + 40 * (
        1 + 6
    )  # the untuned writer and six steps were read in the select cells
    assert read_logs([tmp_path / "writer", tmp_path / "elsewhere" / "writer"], 40) == ()


def steps_of(*golds: float) -> tuple[Step, ...]:
    flat = np.zeros(4)
    return tuple(Step(update=k, kl=0.1 * k, reward=flat, gold=np.full(4, g)) for k, g in enumerate(golds))


def test_a_seed_without_steps_does_not_hide_that_another_went_too_far(fitted: Pipeline) -> None:
    texts = written(fitted)
    subject, rows = subject_of(fitted, texts, texts), np.arange(4)
    start = steps_of(0.0)[0]
    past = Trails(rows=rows, start=start, steps=(steps_of(0.0, 1.0, 0.5), *[steps_of(1.0)] * 9))
    found = overoptimised(subject, past)
    assert found.passed is False and found.figures[3].name.endswith("(1 of 10 seeds)")
    assert found.figures[3].value == pytest.approx(-0.5)
    bare = overoptimised(subject, Trails(rows=rows, start=start, steps=(steps_of(1.0),)))
    assert bare.passed is None and bare.gates[0].note == "no steps of tuning lie beside the checkpoints"


def test_the_frontier_has_no_figure_where_best_of_n_does_not_reach(fitted: Pipeline) -> None:
    texts = written(fitted)
    logs = (SeedLog(ratios=np.ones(1), calls=10**6, batch=2),)
    subject, rows = replace(subject_of(fitted, texts, texts), logs=logs), np.arange(4)
    drawn = Drawn(rows=rows, score=np.zeros((4, 64)), gold=np.zeros((4, 64)))
    far, near = (
        replace(one, kl=kl) for one, kl in zip(steps_of(0.5, 0.5), (kl_of_best(64) + 0.1, 1.0), strict=True)
    )
    for step, known in ((far, False), (near, True)):
        found = frontier(subject, Trails(rows=rows, start=far, steps=((step,),)), drawn)
        figures = {one.name: one.value for one in found.figures}
        assert (figures["less best of n at equal KL"] is not None) is known
        assert (
            figures["less best of n at equal reward calls"] is None
        )  # more calls than 64 texts for each cell
        assert found.passed is True and len(found.notes) == 1 + (not known)


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


def test_readings_are_noted_before_anything_is_measured(fitted: Pipeline) -> None:
    folder = fitted.folder
    assert readings_of(folder) == ()
    assert [one.checkpoints for one in mark_reading(folder, ["a"])] == [("a",)]
    assert [one.checkpoints for one in mark_reading(folder, ["b", "c"])] == [("a",), ("b", "c")]
    assert len(load_json(folder.path / MARKER)) == 2
    (folder.path / MARKER).write_text('{"by": 3}', "utf-8")
    with pytest.raises(DataError, match="must list the readings of the judge split, and does not"):
        readings_of(folder)
    (folder.path / MARKER).unlink()


def test_a_writer_tuned_on_what_is_to_be_judged_is_refused(tuned: Pipeline, tmp_path: Path) -> None:
    """The same products under another split: some that tuning saw are to be judged there."""
    other = small_pipeline(tmp_path / "other", seed=7)
    other.folder.run_stage("data", lambda stage: _copy_shop(tuned, stage))
    path = checkpoints(tuned)[0]
    assert check_unseen(path, tuned.folder, tuned.shop(), "judge") == Origin(run="run", checked=True)
    with pytest.raises(DataError, match="was tuned in run run on products that are to be judged in other"):
        check_unseen(path, other.folder, other.shop(), "judge")
    assert check_unseen(tmp_path, tuned.folder, tuned.shop(), "judge") == Origin(run="", checked=False)


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
    assert verdicts(card.measures[3])[RATIO_NAME] is True
    page = render(card)
    assert all(one.note for measure in card.measures for one in measure.gates if one.passed is None)
    assert "at least 5 tuning seeds is 2, allowed at least 5" in page and "What fails" in page
    assert "ORIGIN UNKNOWN" not in page and card.checkpoints[0].checked
    lost = replace_struct(card, checkpoints=(replace_struct(card.checkpoints[0], checked=False),))
    assert "ORIGIN UNKNOWN" in render(lost)
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
