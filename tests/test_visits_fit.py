"""Visits, baskets and realism: the truth is found again, and distances say what they should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from copybandit.sim.baskets import BasketModel, basket_visits, real_marginals, session_visits
from copybandit.sim.events import KINDS, EventTable
from copybandit.sim.realism import compare_marginals, js_divergence, ks_distance, log_elasticity
from copybandit.sim.types import DataError
from copybandit.sim.visits_fit import VisitModel, Visits, fit_visits

TRUTH = VisitModel(
    rate_shape=1.5,
    rate_scale=12.0,
    regularity=1,
    leave_a=0.8,
    leave_b=6.0,
    sizes=np.sort(np.random.default_rng(0).geometric(0.2, 500)).astype(np.float64),
    tie=0.5,
)


def log(
    kind: list[str],
    shopper: list[int],
    product: list[int],
    day: NDArray[np.floating[Any]],
    price: NDArray[np.floating[Any]],
) -> EventTable:
    n = len(kind)
    return EventTable(
        shopper_ids=tuple(f"s{i}" for i in range(max(shopper) + 1)),
        product_ids=tuple(f"p{i}" for i in range(max(product) + 1)),
        kind=np.array([KINDS.index(k) for k in kind], np.int8),
        time=np.datetime64("2024-01-01", "us") + (day * 86_400e6).astype("timedelta64[us]"),
        shopper=np.array(shopper),
        product=np.array(product),
        quantity=np.ones(n, np.int64),
        price=np.asarray(price, np.float64),
        query=np.full(n, "", dtype=np.str_),
    )


@pytest.mark.parametrize("regularity", [1, 3])
def test_a_model_fitted_to_its_own_visits_draws_the_same_visits(regularity: int) -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(60, size=6000)
    truth = replace(TRUTH, regularity=regularity, rate_scale=12.0 / regularity)
    seen, held = (truth.simulate(first, 300, rng) for _ in range(2))
    found = fit_visits(seen, held, 300, rng)
    assert found.regularity == regularity
    assert found.rate_shape / found.rate_scale == pytest.approx(1.5 / 12 * regularity, rel=0.15)
    assert found.tie == pytest.approx(0.5, abs=0.06)
    again = found.simulate(first, 300, rng)
    assert len(again.day) == pytest.approx(len(seen.day), rel=0.06)
    assert ks_distance(seen.gaps().astype(float), again.gaps().astype(float)) < 0.03
    assert ks_distance(seen.size.astype(float), again.size.astype(float)) < 0.03


def test_a_log_that_tells_gaps_up_to_a_longest_one_is_drawn_so() -> None:
    rng = np.random.default_rng(2)
    truth = replace(TRUTH, rate_shape=3.0, rate_scale=6.0, regularity=2, leave_a=0.01, longest_gap=10)
    first = rng.integers(60, size=3000)
    seen, held = (truth.simulate(first, 300, rng) for _ in range(2))
    assert seen.gaps().max() == 10 and 0.05 < (seen.gaps() == 10).mean() < 0.2
    found = fit_visits(seen, held, 300, rng, longest_gap=10)
    drawn = found.simulate(first, 300, rng)
    assert drawn.gaps().max() == 10
    assert ks_distance(seen.gaps().astype(float), drawn.gaps().astype(float)) < 0.05
    unaware = replace(found, longest_gap=None).simulate(first, 300, rng)
    assert unaware.gaps().max() > 20


def test_visits_lie_between_the_first_and_the_last_day() -> None:
    first = np.array([0, 5, 300])
    seen = TRUTH.simulate(first, 300, np.random.default_rng(0))
    assert set(seen.shopper.tolist()) == {0, 1, 2}
    assert (seen.day >= first[seen.shopper]).all() and seen.day.max() <= 300
    assert (seen.gaps() > 0).all() and seen.size.min() >= 1


def test_too_few_visits_are_refused() -> None:
    one = np.arange(30)
    visits = Visits(shopper=one, day=one, size=one + 1)
    with pytest.raises(DataError, match="a shopper who came twice, got 30 visits and 0 returns"):
        fit_visits(visits, visits, 30, np.random.default_rng(0))


def test_baskets_count_products_and_sessions_end_after_half_an_hour() -> None:
    minute = 1 / 1440
    day = np.array([0.0, 10 * minute, 20 * minute, 0.5, 1.0, 1.0])
    events = log(
        ["view", "purchase", "purchase", "view", "purchase", "purchase"],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 1, 1, 1],
        day,
        np.full(6, 2.0),
    )
    baskets = basket_visits(events)
    assert list(zip(baskets.shopper, baskets.day - baskets.day[0], baskets.size, strict=True)) == [
        (0, 0, 1), (0, 1, 1), (1, 1, 1),
    ]  # fmt: skip
    assert baskets.gaps().tolist() == [1]
    assert session_visits(events).size.tolist() == [3, 1, 1]


def test_the_simulated_shop_sells_what_is_popular_and_liked_at_its_price() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    shopper = rng.integers(200, size=n)
    product = np.where(rng.random(n) < 0.7, shopper % 2, 2)
    price = np.array([1.0, 10.0, 100.0])[product]
    events = log(["purchase"] * n, shopper.tolist(), product.tolist(), rng.integers(90, size=n) * 1.0, price)
    everyone = np.ones(200, np.bool_)
    model = BasketModel.fit(events, (everyone, everyone), np.ones(3), rng)
    np.testing.assert_allclose(model.usual_price, [1.0, 10.0, 100.0])
    taste = np.stack([np.arange(200) % 2 == 0, np.arange(200) % 2 == 1], axis=1) * 20.0 - 10.0
    likes = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    drawn = model.simulate(events, everyone, (taste, likes), rng)
    assert set(drawn.price_paid.tolist()) <= {1.0, 10.0, 100.0}
    assert drawn.price_paid.tolist().count(100.0) < 0.05 * len(drawn.price_paid)
    flat = model.simulate(events, everyone, (taste * 0, likes), rng)
    gaps = compare_marginals(real_marginals(events, everyone), flat, real_marginals(events, everyone))
    assert {g.name: g.ks < 0.08 for g in gaps} == dict.fromkeys((g.name for g in gaps), True)
    assert all(g.ks_floor == 0 for g in gaps)


@given(st.integers(0, 1000), st.integers(5, 60), st.integers(5, 60))
def test_ks_is_that_of_scipy(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(5, size=n).astype(float), rng.normal(size=m)
    assert ks_distance(a, b) == pytest.approx(float(ks_2samp(a, b, method="asymp").statistic))


def test_js_is_zero_for_equal_one_for_apart_and_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=4000), rng.normal(size=4000) + 0.3
    assert js_divergence(a, a) == 0
    assert js_divergence(a, a + 100) == pytest.approx(0.855, abs=0.01)
    edges = np.quantile(a, np.linspace(0, 1, 21)[1:-1])
    p, q = (np.bincount(np.searchsorted(edges, x), minlength=20) for x in (a, b))
    assert js_divergence(a, b) == pytest.approx(float(jensenshannon(p, q, base=2)) ** 2)


def test_a_known_elasticity_is_found_and_constant_prices_give_none() -> None:
    rng = np.random.default_rng(3)
    product, week = (v.ravel() for v in np.meshgrid(np.arange(40), np.arange(30)))
    price = np.exp(rng.normal(size=40)[product] + 0.3 * rng.normal(size=1200))
    units = np.exp(3 - 2.2 * np.log(price) + rng.normal(size=30)[week] + 0.2 * rng.normal(size=1200))
    events = log(["purchase"] * 1200, [0] * 1200, product.tolist(), 7.0 * week, price)
    sold = EventTable(**{**vars(events), "quantity": np.maximum(1, np.round(50 * units)).astype(np.int64)})
    found = log_elasticity(sold)
    assert abs(found.value + 2.2) < 3 * found.error and found.error < 0.1
    assert (found.n, found.n_products) == (1200, 40)
    flat = EventTable(**{**vars(sold), "price": np.full(1200, 2.0)})
    assert np.isnan(log_elasticity(flat).value)
