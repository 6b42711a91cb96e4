"""Price response: known long-run elasticities are found again, and habits and brands count as they must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.sim.demand import DemandModel
from copybandit.sim.demand_response import price_response
from copybandit.sim.logit import Tastes
from copybandit.sim.panels import Panel, brands
from copybandit.sim.types import DataError, Floats

TRIPS = 60


def shelf(n_households: int, price: Floats, n_trips: int = TRIPS) -> Panel:
    """Households that see the same prices at every trip; what they bought counts for nothing with one type."""
    n, j = n_households * n_trips, len(price)
    return Panel(
        alternatives=tuple("abcd"[:j]),
        household_ids=tuple(f"h{i}" for i in range(n_households)),
        household=np.repeat(np.arange(n_households), n_trips),
        choice=np.arange(n) % j,
        price=np.tile(price, (n, 1)),
        display=np.zeros((n, j)),
        feature=np.zeros((n, j)),
        available=np.ones((n, j), np.bool_),
    )


def model(
    intercepts: Floats, last: float = 0.0, loyalty: float = 0.0, *, outside: bool = False
) -> DemandModel:
    """One type of household, price coefficient -2."""
    mean = np.r_[intercepts, np.log(2.0), 0.0, 0.0, last, loyalty]
    k, j = len(mean), len(intercepts)
    return DemandModel(
        alternatives=tuple("abcd"[:j]),
        outside=outside,
        reference_price=1.0,
        smoothing=0.8,
        tastes=Tastes(mean=mean, sd=np.zeros(k), draws=np.zeros((k, 1)), falling=np.arange(k) == j),
        mean_error=np.full(k, np.nan),
        sd_error=np.full(k, np.nan),
        households=np.array(["another"]),
        log_likelihood=0.0,
    )


def exact_sales(intercepts: Floats, last: float, log_price: Floats) -> Floats:
    """Expected purchases of each of J products over `TRIPS` trips: the Markov chain of the last purchase, solved."""

    def choose(bonus: Floats) -> Floats:
        weight = np.exp(intercepts - 2 * log_price + bonus)
        return np.asarray(weight / weight.sum(axis=-1, keepdims=True))

    move = choose(last * np.eye(len(intercepts)))  # [last purchase, next]
    state = choose(np.zeros(len(intercepts)))
    total = state.copy()
    for _ in range(TRIPS - 1):
        state = state @ move
        total += state
    return total


def exact_elasticity(intercepts: Floats, last: float, log_price: Floats) -> list[float]:
    found = []
    for b in range(len(intercepts)):
        step = 1e-4 * (np.arange(len(intercepts)) == b)
        up, down = (exact_sales(intercepts, last, log_price + s)[b] for s in (step, -step))
        found.append(float(np.log(up / down) / 2e-4))
    return found


@pytest.mark.parametrize("last", [0.0, 1.5, 3.0])
def test_the_long_run_is_that_of_the_markov_chain_of_the_last_purchase(last: float) -> None:
    intercepts, price = np.array([0.0, 0.8, -0.5]), np.array([1.0, 1.3, 0.9])
    found = price_response(
        model(intercepts, last), shelf(40, price), ("a", "b", "c"), np.random.default_rng(0)
    )
    wanted = exact_elasticity(intercepts, last, np.log(price))
    np.testing.assert_allclose(found.long_run, wanted, atol=0.12)
    sales = exact_sales(intercepts, last, np.log(price))
    assert found.mean == pytest.approx(np.mean(wanted), abs=0.06)
    if last:
        assert (np.abs(found.long_run) > np.abs(found.short_run) + 0.1).all()
    else:
        np.testing.assert_allclose(found.long_run, found.short_run, atol=5e-3)
        np.testing.assert_allclose(found.sales, sales / sales.sum())


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_a_shop_of_one_brand_sells_as_much_at_any_price_unless_nothing_may_be_bought(seed: int) -> None:
    rng = np.random.default_rng(seed)
    intercepts, panel = rng.normal(size=3), shelf(4, np.exp(rng.normal(0, 0.3, 3)), 8)
    habits = float(rng.random()), float(rng.random())
    alone = price_response(model(intercepts, *habits), panel, ("x",) * 3, rng)
    assert alone.brands == ("x",)
    np.testing.assert_allclose([alone.long_run, alone.short_run], 0, atol=1e-9)
    free = price_response(model(intercepts, *habits, outside=True), panel, ("x",) * 3, rng)
    assert free.long_run[0] < -0.01 and free.short_run[0] < -0.01


def test_products_of_one_brand_move_together_and_order_does_not_count() -> None:
    intercepts, panel = np.array([0.3, 0.3, 0.0]), shelf(10, np.ones(3), 8)
    single = price_response(model(intercepts), panel, ("a", "b", "c"), np.random.default_rng(0))
    joint = price_response(model(intercepts), panel, ("x", "x", "c"), np.random.default_rng(0))
    # Own -2 (1 - p_a) plus cross 2 p_b of each, p_a = p_b.
    p = np.exp(0.3) / (2 * np.exp(0.3) + 1)
    assert single.short_run[0] == pytest.approx(-2 * (1 - p))
    assert joint.short_run[0] == pytest.approx(-2 * (1 - 2 * p))
    assert joint.long_run[0] == pytest.approx(-2 * (1 - 2 * p), abs=2e-3)
    assert joint.sales[0] == pytest.approx(2 * p)
    moved = price_response(
        model(intercepts), panel.aligned(["c", "a", "b"]), ("c", "x", "x"), np.random.default_rng(0)
    )
    np.testing.assert_allclose(moved.long_run[::-1], joint.long_run, atol=1e-9)


def test_every_alternative_needs_a_brand_and_only_sizes_of_catsup_share_one() -> None:
    assert brands(("heinz41", "hunts32", "heinz28", "red")) == ("heinz", "hunts", "heinz", "red")
    with pytest.raises(DataError, match="a brand for each of 3 alternatives, got 2; name one for each"):
        price_response(model(np.zeros(3)), shelf(2, np.ones(3), 2), ("a", "b"), np.random.default_rng(0))
