"""Interest: calibrated on shoppers it has not seen, explained to the last decimal, judged against simple rivals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from copybandit.agents.sequence_trainer import fit_sequence
from copybandit.sim.calibration import fit_platt, judge_calibration, reliability_curve, wilson
from copybandit.sim.interest_explain import explain
from copybandit.sim.interest_judge import Origins, judge_interest, known_part
from copybandit.sim.interest_pairs import purchase_pairs
from copybandit.sim.interest_repeat import RepeatInterest
from copybandit.sim.interest_scorers import (
    Factorised,
    OwnPurchases,
    WithOwnPurchases,
)
from copybandit.sim.sequence import SequenceModel, sequences
from copybandit.sim.store import load_record, save_record
from copybandit.sim.types import DataError
from tests.fitted_interest import FAST, fits, rows


def test_the_parts_of_an_explanation_sum_to_the_score() -> None:
    have = fits()
    rng = np.random.default_rng(2)
    searchers = have.events.shopper[:5]
    for shopper in (*searchers, *rng.integers(len(have.events.shopper_ids), size=15)):
        product = int(rng.integers(len(have.shop.products)))
        told = explain(have.factorised, have.events, have.shop.products, int(shopper), product)
        score = have.factorised.score(have.events, have.x, np.array([shopper]), np.array([product]))
        assert abs(sum(c.value for c in told.contributions) - told.score) < 1e-9
        assert abs(float(score[0]) - told.score) < 1e-9
        text = {"history", "search", "average shopper"}
        wanted = sum(c.value for c in told.contributions if c.part in text)
        assert abs(sum(c.value for c in told.words) - wanted) < 1e-9
        assert {"intercept", "category", "price band", "history"} <= {c.part for c in told.contributions}
        assert [abs(c.value) for c in told.words] == sorted((abs(c.value) for c in told.words), reverse=True)
    assert "search" in {
        c.part
        for c in explain(have.factorised, have.events, have.shop.products, int(searchers[0]), 0).contributions
    }


def test_an_explanation_names_what_the_shopper_bought_and_the_words_of_the_product() -> None:
    have = fits()
    told = explain(have.factorised, have.events, have.shop.products, 7, 3)
    own = {have.shop.products[i].name for i in have.events.product[have.events.shopper == 7] if i >= 0}
    assert {c.name for c in told.contributions if c.part == "history"} == own
    words = {c.name for c in told.words}
    assert {w.lower() for w in have.shop.products[3].title.split() if w.isalpha()} & words


def test_an_index_that_does_not_exist_is_refused() -> None:
    have = fits()
    with pytest.raises(DataError, match=r"shopper must be 0 to 8\d\d, got 9999; give an index of the log"):
        explain(have.factorised, have.events, have.shop.products, 9999, 0)


def test_both_models_beat_popularity_where_negatives_are_matched_and_are_calibrated() -> None:
    have = fits()
    known, _ = known_part(have.events)
    late = rows(known, have.split, have.x, have.factorised, have.sequence, have.repeat)
    both = {name: Origins(early=have.early[name], late=late[name]) for name in late}
    judged = judge_interest(have.events, have.split, both, np.random.default_rng(3))
    assert [(j.negatives, j.model) for j in judged] == [
        (scheme, name) for scheme in ("uniform", "matched") for name in ("popularity", *both)
    ]
    auc = {(j.negatives, j.model): j.report.auc for j in judged}
    assert auc["matched", "popularity"] == pytest.approx(0.5, abs=0.04)
    assert auc["uniform", "popularity"] > auc["matched", "popularity"]
    for model in both:
        assert auc["matched", model] > auc["matched", "popularity"] + 0.05
    for j in judged:
        if j.model in both:
            assert j.report.slope == pytest.approx(1.0, abs=0.35), (j.model, j.negatives)
            assert j.report.ece < 0.06
            assert j.report.log_loss < j.report.log_loss_constant
    assert have.report.ece < 0.06 and have.report.calibration_slope == pytest.approx(1.0, abs=0.35)


def test_a_repeat_model_is_kept(tmp_path: Path) -> None:
    have = fits()
    save_record(tmp_path / "r", have.repeat)
    again = load_record(tmp_path / "r", RepeatInterest)
    pairs = np.arange(5), np.arange(5)
    wanted = have.repeat.score(have.events, have.x, *pairs)
    np.testing.assert_array_equal(again.score(have.events, have.x, *pairs), wanted)


def test_own_purchases_are_counted_before_the_cut_and_weighed_beside_a_score() -> None:
    have = fits()
    known, _ = known_part(have.events)
    own = known.take((known.kind == 3) & (known.shopper == 11))
    product = np.arange(len(have.shop.products))
    pairs = np.full(len(product), 11), product
    wanted = np.bincount(own.product, minlength=len(product))
    np.testing.assert_allclose(np.expm1(OwnPurchases().score(known, *pairs)), wanted, atol=1e-9)
    both = WithOwnPurchases(inner=Factorised(model=have.factorised, products=have.x)).score(known, *pairs)
    assert both.shape == (len(product), 2)
    np.testing.assert_allclose(both[:, 1], np.log1p(wanted))


def test_the_sequence_model_runs_alike_in_torch_and_numpy_is_kept_and_reads_cold_items(
    tmp_path: Path,
) -> None:
    import torch

    have = fits()
    model, items = have.sequence, have.sequence.items(have.x)
    window = sequences(have.events)[:6, -20:]
    window = window[(window >= 0).all(axis=1)]
    unit = torch.nn.GRU(items.shape[1], items.shape[1], batch_first=True).double()
    unit.load_state_dict(
        {
            "weight_ih_l0": torch.as_tensor(model.input_gates.T.copy()),
            "weight_hh_l0": torch.as_tensor(model.state_gates.T.copy()),
            "bias_ih_l0": torch.as_tensor(model.gate_bias[0]),
            "bias_hh_l0": torch.as_tensor(model.gate_bias[1]),
        }
    )
    with torch.no_grad():
        state = unit(torch.as_tensor(items[window]))[1][0].numpy()
    mean = items[window].sum(axis=1) / (20 + 6.0)
    wanted = state @ model.from_state + mean @ model.from_mean
    np.testing.assert_allclose(model.shopper_vectors(window, items), wanted, atol=1e-10)
    save_record(tmp_path / "s", model)
    again = load_record(tmp_path / "s", SequenceModel)
    np.testing.assert_array_equal(again.residual, model.residual)
    cold = model.cold_items(have.x[:3])
    np.testing.assert_allclose(cold, items[:3] - model.residual[:3])


def test_training_is_reproducible() -> None:
    have = fits()
    known, _ = known_part(have.events)
    short = replace(FAST, epochs=1)
    one, two = (
        fit_sequence(known, have.x, have.split.fit, np.random.default_rng(5), short) for _ in range(2)
    )
    np.testing.assert_array_equal(one.features, two.features)


def test_sequences_keep_the_latest_in_order() -> None:
    have = fits()
    found = sequences(have.events, length=5)
    for shopper in range(0, 50, 7):
        own = have.events.take((have.events.shopper == shopper) & (have.events.kind == 3)).sorted_by_time()
        wanted = own.product[-5:]
        np.testing.assert_array_equal(found[shopper][5 - len(wanted) :], wanted)
        assert (found[shopper][: 5 - len(wanted)] == -1).all()


def test_no_negative_was_bought_and_uniform_ones_are_flat() -> None:
    have = fits()
    everyone = np.ones(len(have.events.shopper_ids), np.bool_)
    pairs = purchase_pairs(
        have.events, everyone, len(have.shop.products), np.random.default_rng(0), scheme="uniform"
    )
    bought = have.events.kind == 3
    code = have.events.shopper[bought] * len(have.shop.products) + have.events.product[bought]
    fake = pairs.label == 0
    assert not np.isin(pairs.shopper[fake] * len(have.shop.products) + pairs.product[fake], code).any()


def test_a_known_calibration_is_found() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=(40_000, 2))
    logit = 0.7 + score @ np.array([1.5, -0.4])
    label = (rng.random(len(logit)) < expit(logit)).astype(np.int64)
    platt = fit_platt(score, label)
    np.testing.assert_allclose([*platt.slopes, platt.intercept], [1.5, -0.4, 0.7], atol=0.06)
    judged = judge_calibration(logit, label)
    assert judged.slope == pytest.approx(1, abs=0.04) and judged.ece < 0.01
    assert judge_calibration(2 * logit, label).slope == pytest.approx(0.5, abs=0.02)
    curve = reliability_curve(expit(logit), label)
    inside = (curve.low <= curve.predicted) & (curve.predicted <= curve.high)
    assert curve.count.sum() == len(label) and inside.mean() >= 0.7


def test_labels_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(DataError, match="labels must hold both 0 and 1, got 4 that are all 1; give a longer"):
        fit_platt(np.arange(4.0), np.ones(4, np.int64))
    with pytest.raises(DataError, match="calibration row 1: scores must be finite"):
        fit_platt(np.array([0.0, np.nan]), np.array([0, 1]))


def test_wilson_is_known() -> None:
    low, high = wilson(np.array([0.5, 0.0, 0.3]), np.array([10.0, 10.0, 0.0]))
    np.testing.assert_allclose(low, [0.2366, 0.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(high, [0.7634, 0.2775, 1.0], atol=1e-4)
