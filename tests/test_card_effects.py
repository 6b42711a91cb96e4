"""The card, measures 1 to 5: lift, the way of tuning, the frontier, distance and length see what they are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copybandit.evaluation.card import gate
from copybandit.evaluation.card_drift import RATIO_NAME, distance
from copybandit.evaluation.card_frontier import frontier
from copybandit.evaluation.card_length import length, matched_lift
from copybandit.evaluation.card_log import SeedLog, read_logs
from copybandit.evaluation.card_prepare import relative_price
from copybandit.evaluation.card_trail import Trails, overoptimised
from copybandit.evaluation.card_value import purchases, value
from copybandit.evaluation.frontier import Drawn, kl_of_best
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.storage import save_json
from tests.card_subjects import drafts, steps_of, subject_of, verdicts, written


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
