"""Delayed conversion: the known truth within three standard errors, where the naive fit is biased; and the funnel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from copybandit.sim.conversion import Clicks, fit_conversion, log_likelihood
from copybandit.sim.events import KINDS, EventTable
from copybandit.sim.funnel import click_outcomes, funnel
from copybandit.sim.types import DataError

W, V = np.array([-1.0, 0.8, -0.5]), np.array([-2.3, 0.4, 0.2])


def drawn(n: int, seed: int, span: float = 40.0) -> Clicks:
    """Clicks of the last `span` days, their conversions as far as they can be seen now."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=n), rng.integers(2, size=n)])
    delay = np.where(rng.random(n) < expit(x @ W), rng.exponential(np.exp(-(x @ V))), np.inf)
    age = np.minimum(rng.uniform(0, span, n), 30.0)
    converted = delay <= age
    return Clicks(x=x, converted=converted, days=np.where(converted, delay, age))


@pytest.mark.parametrize("seed", range(4))
def test_the_truth_is_found_where_the_naive_fit_is_biased(seed: int) -> None:
    clicks = drawn(30_000, seed)
    model = fit_conversion(clicks)
    assert (np.abs(model.conversion - W) < 3 * model.conversion_error).all()
    assert (np.abs(model.delay - V) < 3 * model.delay_error).all()
    naive = LogisticRegression(C=1e6).fit(clicks.x[:, 1:], clicks.converted)
    assert abs(float(naive.intercept_[0]) - W[0]) > 10 * model.conversion_error[0]
    truth = expit(clicks.x @ W).mean()
    assert model.probability(clicks.x).mean() == pytest.approx(truth, rel=0.05)
    assert naive.predict_proba(clicks.x[:, 1:])[:, 1].mean() < 0.85 * truth


def test_standard_errors_are_those_of_repeated_fits() -> None:
    fits = [fit_conversion(drawn(4_000, seed)) for seed in range(60)]
    spread = np.std([np.r_[f.conversion, f.delay] for f in fits], axis=0)
    stated = np.mean([np.r_[f.conversion_error, f.delay_error] for f in fits], axis=0)
    np.testing.assert_allclose(stated, spread, rtol=0.4)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_gradient_is_that_of_the_likelihood(seed: int) -> None:
    clicks = drawn(50, seed)
    theta = np.random.default_rng(seed).normal(size=6)
    numeric = approx_fprime(theta, lambda t: log_likelihood(t, clicks)[0], 1e-6)
    np.testing.assert_allclose(log_likelihood(theta, clicks)[1], numeric, rtol=1e-3, atol=2e-3)


def test_probabilities_within_a_time_rise_to_the_whole() -> None:
    clicks = drawn(2_000, 0)
    model = fit_conversion(clicks)
    early, late = (model.probability_within(clicks.x, days) for days in (1.0, 1e6))
    assert (early < late).all()
    np.testing.assert_allclose(late, model.probability(clicks.x))
    assert model.mean_delay(clicks.x).mean() == pytest.approx(np.exp(-(clicks.x @ V)).mean(), rel=0.3)


def test_what_cannot_be_fitted_is_refused() -> None:
    clicks = drawn(100, 0)
    with pytest.raises(DataError, match="needs at least 2 converted clicks and 1 that is not, got 0 of 100"):
        fit_conversion(Clicks(x=clicks.x, converted=np.zeros(100, np.bool_), days=clicks.days))
    with pytest.raises(DataError, match="clicks row 3: x must be finite"):
        Clicks(
            x=np.where(np.arange(100)[:, None] == 3, np.nan, clicks.x),
            converted=clicks.converted,
            days=clicks.days,
        )
    with pytest.raises(DataError, match=r"days 0 to 30\.0, got"):
        Clicks(x=clicks.x, converted=clicks.converted, days=clicks.days + 40)


def log(*rows: tuple[str, int, int, float]) -> EventTable:
    """Events of (kind, shopper, product, day)."""
    kinds, shopper, product, day = zip(*rows, strict=True)
    n = len(rows)
    return EventTable(
        shopper_ids=tuple(f"s{i}" for i in range(max(shopper) + 1)),
        product_ids=tuple(f"p{i}" for i in range(max(product) + 1)),
        kind=np.array([KINDS.index(k) for k in kinds], np.int8),
        time=np.datetime64("2024-01-01", "us") + (np.array(day) * 86_400e6).astype("timedelta64[us]"),
        shopper=np.array(shopper),
        product=np.array(product),
        quantity=np.ones(n, np.int64),
        price=np.full(n, 2.0),
        query=np.full(n, "", dtype=np.str_),
    )


def test_each_click_meets_its_first_later_purchase_within_the_window() -> None:
    events = log(
        ("purchase", 0, 0, 0.0),  # before the view: not its conversion
        ("view", 0, 0, 1.0),
        ("view", 0, 0, 2.0),
        ("purchase", 0, 0, 3.5),
        ("purchase", 0, 0, 5.0),
        ("view", 0, 1, 4.0),  # bought after the window
        ("purchase", 0, 1, 40.0),
        ("view", 1, 0, 30.0),  # not bought so far
        ("view", 1, 1, 39.0),
        ("purchase", 1, 1, 39.0),  # at once
    )
    clicks, shopper, product = click_outcomes(events, np.ones((len(events), 1)))
    assert list(zip(shopper.tolist(), product.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert clicks.converted.tolist() == [True, False, False, True]
    np.testing.assert_allclose(clicks.days, [2.5, 30.0, 10.0, 0.0])


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (str(rng.choice(["view", "purchase"])), int(rng.integers(9)), int(rng.integers(4)), float(d) / 7)
        for d in rng.permutation(300)
    ]
    events = log(*rows)
    one = click_outcomes(events, np.ones((300, 1)))[0]
    two = click_outcomes(events.take(rng.permutation(300)), np.ones((300, 1)))[0]
    np.testing.assert_array_equal(one.days, two.days)
    np.testing.assert_array_equal(one.converted, two.converted)


def test_the_funnel_counts_pairs_of_shopper_and_product() -> None:
    events = log(
        ("view", 0, 0, 0),
        ("view", 0, 0, 1),
        ("view", 0, 1, 1),
        ("view", 1, 0, 1),
        ("view", 1, 1, 1),
        ("add_to_cart", 0, 0, 1),
        ("add_to_cart", 1, 0, 1),
        ("purchase", 0, 0, 2),
        ("return", 0, 0, 9),
    )
    steps = {(s.start, s.end): s for s in funnel(events)}
    assert steps["view", "add_to_cart"].rate == 0.5 and steps["view", "add_to_cart"].n == 4
    assert steps["add_to_cart", "purchase"].rate == 0.5
    assert steps["view", "purchase"].rate == 0.25
    assert steps["purchase", "return"].rate == 1.0
    for step in steps.values():
        assert 0 <= step.low <= step.rate <= step.high <= 1


def test_a_log_without_views_has_no_rate_rather_than_a_zero() -> None:
    step = funnel(log(("purchase", 0, 0, 0), ("purchase", 1, 0, 0)))[0]
    assert step.n == 0 and np.isnan(step.rate) and (step.low, step.high) == (0.0, 1.0)


def test_shoppers_who_all_do_alike_widen_the_interval() -> None:
    alike = [("view", s, p, 0.0) for s in range(20) for p in range(20)]
    alike += [("add_to_cart", s, p, 0.0) for s in range(10) for p in range(20)]
    mixed = [("view", s, p, 0.0) for s in range(20) for p in range(20)]
    mixed += [("add_to_cart", s, p, 0.0) for s in range(20) for p in range(20) if (s + p) % 2]
    wide, narrow = funnel(log(*alike))[0], funnel(log(*mixed))[0]
    assert wide.rate == narrow.rate == 0.5
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
