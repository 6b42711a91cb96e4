"""Interest, wording, worlds and segments on a shop whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.storage import load_json
from copybandit.sim.encoders import Style
from copybandit.sim.oracle import WITHIN_BRIEF_SD, within_brief_sd
from copybandit.sim.rounds import poisson_ridge
from copybandit.sim.segments import MIN_CELL, leaning_reliability, segment_shoppers
from copybandit.sim.types import DataError
from copybandit.sim.wording import Arms, centred, fit_wording, judge_wording, log_ctr


def test_interest_beats_popularity_on_popularity_matched_negatives(fitted: Pipeline) -> None:
    report = load_json(fitted.folder.output("fit") / "report.json")["interest_model"]
    assert report["auc_popularity_matched"] > report["auc_popularity_baseline"] + 0.05
    assert 0.5 < report["calibration_slope"] < 2


def test_reference_copy_has_no_wording_and_no_match(fitted: Pipeline) -> None:
    shop = fitted.shop()
    for world in (fitted.gold(), fitted.fitted().world):
        copy = world.encode(shop.references, np.arange(len(shop.products)))
        np.testing.assert_allclose(copy.wording, 0, atol=1e-12)
        np.testing.assert_allclose(copy.topic, 0, atol=1e-12)


def test_match_has_no_mean_over_shoppers(fitted: Pipeline) -> None:
    shop = fitted.shop()
    everyone = np.arange(len(shop.events.shopper_ids))
    for world in (fitted.gold(), fitted.fitted().world):
        copy = world.encode(shop.sample.texts[:40], shop.sample.product[:40])
        wording = copy.wording.mean(axis=0)
        np.testing.assert_allclose(world.gain(world.leaning(everyone), copy), wording, atol=1e-9)


def test_terms_add_up_and_mean_click_agrees_with_them(fitted: Pipeline) -> None:
    shop, world = fitted.shop(), fitted.gold()
    copy = world.encode(shop.sample.texts[:5], shop.sample.product[:5])
    shoppers = np.arange(50)
    mean = world.mean_click(shoppers, copy)
    for row in range(5):
        terms = world.terms(shoppers, copy.take(np.full(50, row)))
        parts = terms.base + terms.interest + terms.match + terms.wording - terms.fatigue + terms.drift
        np.testing.assert_allclose(terms.log_odds, parts)
        assert terms.click_prob.mean() == pytest.approx(mean[row], rel=1e-12)


def test_switching_match_off_leaves_wording_alone(fitted: Pipeline) -> None:
    shop, world = fitted.shop(), fitted.gold()
    copy = world.encode(shop.sample.texts[:5], shop.sample.product[:5])
    gain = world.without_match().gain(world.leaning(np.arange(30)), copy)
    np.testing.assert_allclose(gain, copy.wording.mean(axis=0))


def test_gold_wording_is_pinned_within_briefs(fitted: Pipeline) -> None:
    shop, world = fitted.shop(), fitted.gold()
    value = world.encode(shop.sample.texts, shop.sample.product).wording.mean(axis=0)
    # two parts that are independent in law, not in every draw
    assert within_brief_sd(value, shop.sample.product) == pytest.approx(WITHIN_BRIEF_SD, rel=0.05)


def test_base_rate_is_what_was_asked_for(fitted: Pipeline) -> None:
    shop = fitted.shop()
    rounds = shop.rounds
    assert rounds is not None
    # Earlier copy is a little better or worse than reference copy, hence the wide band.
    assert 0.010 < rounds.feedback.click.mean() < 0.020


@pytest.mark.parametrize("seed", [0, 1])
def test_fitted_and_gold_wording_agree_in_part(seed: int, tmp_path: Path) -> None:
    chosen = load_settings("quickstart", {"seed": seed})
    pipeline = Pipeline(chosen, RunFolder.create(tmp_path / "run", chosen), Silent())
    for name in ("data", "fit"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    report = load_json(pipeline.folder.output("fit") / "report.json")
    assert 0.3 < report["response_model"]["corr_fitted_gold"] < 0.8


def test_segments_are_large_and_sorted(fitted: Pipeline) -> None:
    found = fitted.fitted()
    sizes = [segment.size for segment in found.segments]
    assert sizes == sorted(sizes, reverse=True) and sum(sizes) == len(found.label)
    assert all(len(segment.interests) == 3 for segment in found.segments)


@given(st.integers(0, 2**31), st.floats(0.3, 2.0))
@settings(max_examples=20, deadline=None)
def test_reliability_is_the_share_of_a_leaning_that_is_not_noise(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    truth, topics = rng.normal(size=(4000, 3)), np.eye(3)
    earlier, later = (truth + noise * rng.normal(size=truth.shape) for _ in range(2))
    label = segment_shoppers(earlier, np.ones(4000, dtype=np.bool_), 4, 0)
    found = leaning_reliability(earlier, later, label, topics)
    assert found == pytest.approx(1 / (1 + noise**2), abs=0.06)


def test_a_leaning_that_does_not_last_is_worth_nothing() -> None:
    rng = np.random.default_rng(0)
    earlier, later = rng.normal(size=(2, 4000, 3))
    label = segment_shoppers(earlier, np.ones(4000, dtype=np.bool_), 4, 0)
    assert leaning_reliability(earlier, later, label, np.eye(3)) < 0.06
    assert leaning_reliability(earlier, earlier, label, np.eye(3)) == pytest.approx(1)


def test_too_many_segments_are_refused() -> None:
    with pytest.raises(DataError, match="lower n_segments"):
        segment_shoppers(np.eye(50), np.ones(50, dtype=np.bool_), 50 // MIN_CELL + 1, 0)


def _arms(effect: float, shift: float, seed: int) -> Arms:
    rng = np.random.default_rng(seed)
    texts, group, rate = [], [], []
    for test in range(300):
        base = 0.015 * np.exp(shift * rng.normal())
        for arm in range(3):
            asks = rng.random() < 0.5
            texts.append(f"{'Is' if asks else 'See'} this word{rng.integers(50)} {arm}{'?' if asks else '.'}")
            group.append(test)
            rate.append(base * np.exp(effect * asks))
    impressions = np.full(len(texts), 20_000)
    clicks = rng.binomial(impressions, np.array(rate))
    return Arms(texts=texts, group=np.array(group), clicks=clicks, impressions=impressions)


def test_wording_recovers_a_known_effect_and_ranks_new_tests() -> None:
    train, test = _arms(0.4, 0.5, 0), _arms(0.4, 0.5, 1)
    model = fit_wording(train, (Style.fit(train.texts),), np.random.default_rng(0))
    found = model.members(["Is this good?"]).mean() - model.members(["See this good."]).mean()
    assert found == pytest.approx(0.4, abs=0.06)
    left = np.arange(0, 900, 3)
    right = left + 1
    score = model.members(test.texts).mean(axis=0)
    observed, _ = log_ctr(test)
    report = judge_wording(score, test, left, right, (observed[left] - observed[right]) * 20)
    # half of the pairs differ in nothing that counts, so .5 of them is luck and .5 is skill
    assert report.pair_accuracy > 0.7
    assert report.slope_interval[0] < 1.05 and report.slope_interval[1] > 0.95


def test_no_effect_gives_no_effect() -> None:
    arms = _arms(0.0, 0.5, 2)
    model = fit_wording(arms, (Style.fit(arms.texts),), np.random.default_rng(0))
    spread = model.members(arms.texts).mean(axis=0).std()
    assert spread < 0.03


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=3, max_size=30), st.integers(0, 2**16))
def test_centring_removes_any_group_constant(group: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    code = np.array(group)
    values, weight = rng.normal(size=len(code)), rng.uniform(0.1, 2, len(code))
    shifted = values + rng.normal(size=5)[code] * 10
    np.testing.assert_allclose(centred(values, code, weight), centred(shifted, code, weight), atol=1e-9)
    total = np.bincount(code, weight * centred(values, code, weight))
    np.testing.assert_allclose(total, 0, atol=1e-9)


def test_poisson_regression_recovers_the_truth_within_three_errors() -> None:
    rng = np.random.default_rng(0)
    x = np.c_[np.ones(100_000), rng.normal(size=(100_000, 2))]
    truth = np.array([-3.0, 0.3, -0.2])
    y = rng.poisson(np.exp(x @ truth)).astype(np.float64)
    beta, error = poisson_ridge(x, y, np.ones(len(y)), np.full(3, 1e-6))
    assert (np.abs(beta - truth) < 3 * error).all()
