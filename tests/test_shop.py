"""The shop: one life per shopper however they are batched, fatigue as defined, and clicks as often as it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.bandit import run_bandit
from copybandit.agents.policies import Uniform
from copybandit.sim.exposures import SLOTS, Exposures
from copybandit.sim.shop import EXPOSURE, MATCH, PRIOR, Shop
from copybandit.sim.types import DataError, Floats, Ints
from copybandit.sim.visits import Response, Visits
from tests.small_world import small_assortment, small_shop, small_world


def shop(seed: int = 0, n_impressions: int = 2_000) -> Shop:
    return small_shop(small_world(), seed=seed, n_impressions=n_impressions)


def with_gaps() -> Shop:
    """A shop where some candidates are absent, each product keeping at least one."""
    goods = small_assortment(small_world())
    gone = np.random.default_rng(0).random(goods.variants.shape) < 0.4
    gone[:, 3] = False
    return small_shop(small_world(), replace(goods, variants=np.where(gone, -1, goods.variants)))


def live(shop: Shop, shopper: Ints, visits: int) -> list[tuple[Visits, Response]]:
    """Let shoppers come `visits` times; the column shown depends on the shopper alone."""
    lived = []
    for visit in range(visits):
        now = shop.visits_of(shopper, visit, np.full(len(shopper), 0.1 * visit))
        open_columns = np.where(now.candidates >= 0, (shopper[:, None] + visit + np.arange(6)) % 5, -1)
        lived.append((now, shop.respond(now, open_columns.argmax(axis=1))))
    return lived


@pytest.mark.parametrize("gaps", [False, True])
def test_one_at_a_time_a_batch_and_a_shard_live_the_same_lives(gaps: bool) -> None:
    make = with_gaps if gaps else shop
    everyone = np.arange(40)
    batch = live(make(), everyone, 20)
    shard = live(make(), np.array([31, 5, 17]), 20)
    alone = [live(make(), np.array([row]), 20) for row in (31, 5, 17)]
    clicks = 0.0
    for visit, (now, answer) in enumerate(batch):
        for place, row in enumerate((31, 5, 17)):
            for other, index in ((shard, place), (alone[place], 0)):
                seen, told = other[visit]
                for name in ("product", "position", "time", "candidates", "context", "state"):
                    assert (getattr(seen, name)[index] == getattr(now, name)[row]).all(), name
                for name in ("click", "conversion", "value"):
                    assert getattr(told, name)[index] == getattr(answer, name)[row]
        clicks += answer.click.sum()
    assert clicks > 20


def test_looking_changes_nothing() -> None:
    looked, plain = shop(), shop()
    for step in range(3):
        now = looked.visits(step, 100)
        looked.visits(step + 5, 50)
        looked.expected_click(now)
        assert (looked.visits(step, 100).state == now.state).all()
        again = plain.visits(step, 100)
        column = np.zeros(100, dtype=np.int64)
        assert (looked.respond(now, column).click == plain.respond(again, column).click).all()


def test_clicks_and_purchases_come_as_often_as_expected() -> None:
    world = small_world()
    gold = replace(world.gold, coefficients=replace(world.gold.coefficients, base=0.0, conversion_base=0.0))
    goods = small_assortment(world)
    lively = Shop(gold, world.fitted, goods, world.products, seed=1, n_impressions=12_000)
    expected = clicks = variance = buys = sold = doubt = 0.0
    for step in range(60):
        now = lively.visits(step, 200)
        column = np.full(200, step % 6)
        p = lively.expected_click(now)[np.arange(200), column]
        bought = p * lively.purchase(now)[np.arange(200), column]
        sold, doubt = sold + bought.sum(), doubt + (bought * (1 - bought)).sum()
        answer = lively.respond(now, column)
        expected, variance = expected + p.sum(), variance + (p * (1 - p)).sum()
        clicks, buys = clicks + answer.click.sum(), buys + answer.conversion.sum()
        assert (answer.conversion <= answer.click).all()
        price = np.array([product.price for product in world.products])[now.product]
        assert (answer.value == np.where(answer.conversion > 0, price, 0.0)).all()
    assert abs(clicks - expected) < 4 * np.sqrt(variance)
    assert abs(buys - sold) < 4 * np.sqrt(doubt) and buys > 1_000


def test_a_shop_believes_of_purchases_what_its_fitted_world_says() -> None:
    """Which minds prices as the median shopper does, and knows wording as well as it does."""
    one = shop()
    now = one.visits(0, 100)
    c, world = one.fitted.coefficients, small_world()
    wording = one.goods.belief.wording.mean(axis=0)[now.candidates]
    odds = c.conversion_base + c.conversion_interest * one.fitted.taste.interest(now.shopper, now.product)
    category = np.array([product.category for product in world.products])
    median = np.array([np.median(one.price[category == name]) for name in category])[now.product]
    odds = odds - c.price_sensitivity * np.log(one.price[now.product] / median)
    odds = odds[:, None] - c.overpromise * np.maximum(wording, 0)
    np.testing.assert_allclose(one.believed_purchase(now), 1 / (1 + np.exp(-odds)))


def test_expected_clicks_are_the_gold_worlds_terms() -> None:
    tired = shop()
    live(tired, np.arange(50), 6)
    now = tired.visits_of(np.arange(50), 6, np.full(50, 3.0))
    rows, columns = np.arange(50), np.arange(50) % 6
    terms = tired.gold.terms(
        now.shopper,
        tired.goods.truth.take(now.candidates[rows, columns].astype(np.int64)),
        position=now.position,
        fatigue=now.state[rows, columns, EXPOSURE],
        day=now.time,
    )
    assert np.allclose(tired.expected_click(now)[rows, columns], terms.click_prob, rtol=1e-12, atol=0)
    assert now.state[:, :, EXPOSURE].max() > 0.5


def test_state_is_what_the_fitted_world_believes() -> None:
    now = shop().visits(0, 100)
    fitted = small_world().fitted
    column = now.candidates[:, 2].astype(np.int64)
    terms = fitted.terms(now.shopper, shop().goods.belief.take(column), position=now.position, day=now.time)
    assert np.allclose(now.state[:, 2, PRIOR], terms.click_prob, rtol=1e-12, atol=0)
    assert np.allclose(now.state[:, 2, MATCH], terms.match, rtol=1e-12, atol=1e-15)
    assert (now.context[:, 0] == fitted.taste.interest(now.shopper, now.product)).all()


def stock_by_hand(shown: list[int], variant: int, product_of: list[int], memory: float) -> float:
    """Exposure by its definition: the last 16 visits, newest first."""
    own = kin = 0.0
    for age, seen in enumerate(reversed(shown[-SLOTS:])):
        own += memory**age * (seen == variant)
        kin += memory**age * (product_of[seen] == product_of[variant])
    return 0.5 * own + 0.5 * kin


@settings(max_examples=40)
@given(shown=st.lists(st.integers(0, 5), max_size=40), memory=st.floats(0, 0.99), absent=st.integers(0, 5))
def test_exposure_follows_its_definition(shown: list[int], memory: float, absent: int) -> None:
    product_of = [0, 0, 0, 1, 1, 2]
    exposures = Exposures(3, np.array(product_of), memory)
    for variant in shown:
        exposures.remember(np.array([1]), np.array([variant]))
    candidates = np.where(np.arange(6) == absent, -1, np.arange(6))[None, :]
    stock = exposures.stock(np.array([1]), candidates)[0]
    expected = [0.0 if v == absent else stock_by_hand(shown, v, product_of, memory) for v in range(6)]
    assert np.allclose(stock, expected, rtol=0, atol=1e-9)
    assert (exposures.stock(np.array([0, 2]), np.repeat(candidates, 2, axis=0)) == 0).all()


def test_fatigue_lowers_the_click_rate_of_what_was_shown() -> None:
    tired, rested = shop(), shop()
    seen = tired.visits_of(np.array([3]), 0, np.zeros(1))
    for _ in range(5):
        tired.respond(seen, np.array([2]))
    c = tired.gold.coefficients
    examine = float(seen.position[0]) ** -c.position_eta
    p, q = (each.expected_click(seen)[0] / examine for each in (tired, rested))
    drop = np.log(q / (1 - q)) - np.log(p / (1 - p))
    stock = sum(c.fatigue_memory**age for age in range(5))
    share = np.where(np.arange(6) == 2, 1.0, 0.5)
    assert np.allclose(drop, c.fatigue * stock * share, rtol=1e-9)


def test_a_step_has_no_shopper_twice_and_a_round_has_everybody_once() -> None:
    now = [shop().visits(step, 50).shopper for step in range(4)]
    assert sorted(np.concatenate(now).tolist()) == list(range(200))
    assert not (shop().visits(4, 50).shopper == now[0]).all()


def test_time_never_runs_back_and_ends_with_the_season() -> None:
    done = run_bandit(
        Uniform(),
        shop(n_impressions=1_100),
        n_impressions=1_100,
        batch_size=200,
        rng=np.random.default_rng(0),
    )
    time = done.log.timestamp
    assert (np.diff(time) > np.timedelta64(0)).all()
    assert time[-1] - time[0] < np.timedelta64(7, "D") <= 2 * (time[-1] - time[0])


def test_another_seed_is_another_season_of_the_same_shoppers() -> None:
    first = shop()
    twin = first.fresh(0)
    live(first, np.arange(20), 3)
    again = live(twin, np.arange(20), 3)
    for (_, before), (_, after) in zip(live(shop(), np.arange(20), 3), again, strict=True):
        assert (before.click == after.click).all() and (before.value == after.value).all()
    other = first.fresh(9).visits_of(np.arange(20), 0, np.zeros(20))
    assert (other.product != again[0][0].product).any() and (other.state[:, :, EXPOSURE] == 0).all()


def test_absent_candidates_are_zero_everywhere_and_cannot_be_shown() -> None:
    gappy = with_gaps()
    now = gappy.visits(0, 100)
    absent = now.candidates < 0
    assert absent.any() and (now.state[absent] == 0).all()
    assert (gappy.expected_click(now)[absent] == 0).all() and (gappy.expected_click(now)[~absent] > 0).all()
    row = int(absent.any(axis=1).argmax())
    column = np.full(100, 3)
    column[row] = int(absent[row].argmax())
    with pytest.raises(DataError, match=rf"row {row} shows column {column[row]}, which is absent"):
        gappy.respond(now, column)


@pytest.mark.parametrize("column", [np.array([6, 0]), np.array([-1, 0]), np.array([0])])
def test_columns_outside_the_table_are_refused(column: Ints) -> None:
    now = shop().visits(0, 2)
    with pytest.raises(DataError, match=r"column must be \(2,\) in \[0, 6\)"):
        shop().respond(now, column)


def test_a_shopper_twice_in_a_step_is_refused() -> None:
    open_shop = shop()
    now = open_shop.visits_of(np.array([4, 4]), 0, np.zeros(2))
    with pytest.raises(DataError, match="2 visits of 1 shoppers"):
        open_shop.respond(now, np.array([0, 1]))


@pytest.mark.parametrize("size", [0, 201])
def test_a_step_of_no_or_too_many_visits_is_refused(size: int) -> None:
    with pytest.raises(DataError, match=f"between 1 and 200 visits, got {size}"):
        shop().visits(0, size)


def test_an_assortment_checks_itself() -> None:
    goods = small_assortment(small_world())
    bare, foreign = goods.variants.copy(), goods.variants.copy()
    bare[4], foreign[4, 1] = -1, 0
    for variants, rule in (
        (bare, "product 4 has no variant"),
        (foreign, "variant 0 is shown for product 4 but was written for 0"),
        (goods.variants + 1, r"variants must be in \[-1, 120\)"),
        (goods.variants[:3], r"variants must be \(20, k\)"),
    ):
        with pytest.raises(DataError, match=rule):
            replace(goods, variants=variants)
    with pytest.raises(DataError, match="must be equally long"):
        replace(goods, truth=goods.truth.take(np.arange(10)))


def test_worlds_of_other_shoppers_are_refused() -> None:
    world = small_world()
    other = small_world(n_products=40, n_shoppers=150, n_rounds=4_000)
    with pytest.raises(DataError, match="must have the same shoppers, got 150 and 200"):
        Shop(other.gold, world.fitted, small_assortment(world), world.products, seed=0, n_impressions=10)


def test_products_are_seen_by_taste() -> None:
    open_shop = shop()
    z = []
    for step in range(10):
        now = open_shop.visits(step, 200)
        z.append(open_shop.gold.taste.interest(now.shopper, now.product).mean())
    everyone: Floats = np.array(
        [
            open_shop.gold.taste.interest(np.arange(200), np.full(200, p)).mean()
            for p in open_shop.goods.products
        ]
    )
    assert np.mean(z) > everyone.mean() + 0.2
