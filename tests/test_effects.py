"""Each effect alone: its sign, its size where that is simple, and nothing without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from copybandit.sim.crowd import Crowd
from copybandit.sim.drawn_shop import draw_storefront
from copybandit.sim.effects import Effects
from copybandit.sim.odds import LowRankOdds, TableOdds
from copybandit.sim.season import MAX_LAG, TICKS, WALK_LIMIT, Plan, Season
from copybandit.sim.storefront import alike
from copybandit.sim.types import DataError, Floats
from tests.copy_selection_lives import front, lively, stay

PLAN = Plan(visits=100, days=7.0, positions=4)


def season(plan: Plan = PLAN, **sizes: Any) -> Season:
    return Season(front(), Effects.only(**sizes), plan)


def clicks(crowd: Crowd) -> Floats:
    """Expected clicks of the visits at hand, shape (n, k)."""
    return crowd.expected_click()


def changed(
    before: Season, after: Season, visits: int = 0, column: int | None = None
) -> tuple[Floats, Floats, Crowd]:
    """Expected clicks of the same visits under two seasons, and the second crowd."""
    left, right = (stay(one, 500, visits, column)[0] for one in (before, after))
    assert (left.product == right.product).all() and (left.shopper == right.shopper).all()
    return clicks(left), clicks(right), right


def test_alone_means_alone() -> None:
    crowd, answers = stay(season(), 500, 20)
    p = clicks(crowd)
    truth = front().truth
    odds = truth.base + truth.level[:, None] + truth.wording
    odds = odds + (truth.products[:, None, :] + truth.topics) @ truth.shoppers.mean(axis=0)
    assert np.allclose(p, (1 / (1 + np.exp(-odds)))[crowd.product], atol=1e-6)
    assert not any(answer.left.any() for answer in answers)


def test_shoppers_differ_by_heterogeneity() -> None:
    crowd, _ = stay(season(heterogeneity=1.0), 500, 0)
    by_product = [clicks(crowd)[crowd.product == p].std(axis=0).mean() for p in range(12)]
    alike_, _ = stay(season(), 500, 0)
    none = [clicks(alike_)[alike_.product == p].std(axis=0).mean() for p in range(12)]
    assert max(none) < 1e-7 and min(by_product) > 0.02


def test_passing_by_has_a_weight() -> None:
    seldom, often, _ = changed(season(no_click=2.0), season(no_click=0.5))
    assert (often > seldom).all()
    always, answers = stay(season(no_click=0.0), 200, 3)
    assert (clicks(always) == 1).all() and all(answer.click.all() for answer in answers)


def test_places_further_down_are_seen_less_often() -> None:
    even, pbm, crowd = changed(season(), season(attention="pbm", position_eta=0.7))
    assert np.allclose(pbm / even, (1.0 + crowd.place[:, None]) ** -0.7, rtol=1e-6)
    none, _, _ = changed(season(), season(attention="pbm", position_eta=0.0))
    assert (even == none).all()


def test_a_cascade_stops_at_a_click_or_by_chance() -> None:
    even, going, crowd = changed(season(), season(attention="cascade", cascade_stop=0.0))
    _, stopping, _ = changed(season(), season(attention="cascade", cascade_stop=0.5))
    first = crowd.place == 0
    assert (even[first] == stopping[first]).all() and (even[~first] > going[~first]).all()
    assert np.allclose(stopping / going, 0.5 ** crowd.place[:, None], rtol=1e-5)
    # Whoever likes listings clicks one before the last place.
    _, keen, _ = changed(season(), season(attention="cascade", cascade_stop=0.0, no_click=0.2))
    always, _, _ = changed(season(no_click=0.2), season())
    assert ((keen / always)[~first] < (going / even)[~first]).all()


def test_dear_products_are_bought_less() -> None:
    plain, dear = season(), season(price=1.0)
    cell = np.arange(12)
    ratio = dear.odds.against_buying(cell, 0 * cell) / plain.odds.against_buying(cell, 0 * cell)
    relative = front().relative
    assert (ratio[relative > 0] > 1).all() and (ratio[relative < 0] < 1).all()
    assert np.allclose(np.log(ratio), front().sensitivity[0] * relative, atol=1e-5)


def test_what_is_liked_is_bought_more() -> None:
    cell = np.arange(12)
    keen = season(buy_interest=1.0).odds.against_buying(cell, 0 * cell)
    ratio = keen / season().odds.against_buying(cell, 0 * cell)
    truth = front().truth
    interest = truth.level + truth.products @ truth.shoppers.mean(axis=0)
    assert np.allclose(np.log(ratio), -interest, atol=1e-5) and interest.std() > 0.05


# What each size shapes; the rest of the season's tables must not notice that it is switched off.
SHAPES: dict[str, set[str]] = {
    "heterogeneity": {"click", "examine", "buying"},
    "no_click": {"click", "examine", "shifted"},
    "attention": {"examine"},
    "position_eta": {"examine"},
    "cascade_stop": {"examine"},
    "price": {"buying"},
    "fatigue_copy": {"tired_copy"},
    "fatigue_cluster": {"tired_cluster"},
    "memory": {"stock", "tired_copy", "tired_cluster"},
    "walk": {"drift"},
    "season": {"wave"},
    "shift": {"shifted"},
    "delay_days": {"lag"},
    "buy_interest": {"buying"},
    "overpromise": {"buying"},
    "leave": {"leave"},
    "leave_miss": {"leave"},
    "leave_fatigue": {"leave"},
}


def tables(effects: Effects) -> dict[str, Any]:
    """All that a visit under these effects depends on."""
    made = Season(front(), effects, Plan(positions=4))
    cell, zero = np.arange(3600), np.zeros(3600, dtype=np.int64)
    names = ("examine", "tired_copy", "tired_cluster", "stock", "wave", "drift", "lag")
    return {name: getattr(made, name) for name in names} | {
        "click": made.odds.against_each(cell, zero),
        "shifted": made.odds.against_each(cell, zero + 1)
        / np.maximum(made.odds.against_each(cell, zero), 1e-30),
        "buying": made.odds.against_buying(cell, zero),
        "leave": np.array([effects.leave, effects.leave_miss, effects.leave_fatigue]),
    }


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_each_effect_switches_off_alone(name: str) -> None:
    everything = Effects(attention="pbm" if name == "position_eta" else "cascade")
    value: Any = "even" if name == "attention" else 0.0
    before, after = tables(everything), tables(replace(everything, **{name: value}))
    moved = {table for table in before if not np.allclose(before[table], after[table], rtol=1e-4, atol=0)}
    assert moved == SHAPES[name]


def test_big_promises_are_bought_less() -> None:
    cell, column = np.repeat(np.arange(12), 5), np.tile(np.arange(5), 12)
    ratio = season(overpromise=1.0).odds.against_buying(cell, column) / season().odds.against_buying(
        cell, column
    )
    wording = front().truth.wording.ravel()
    assert (ratio[wording > 0] > 1).all() and np.allclose(ratio[wording <= 0], 1)


def test_what_was_shown_tires_and_rest_helps() -> None:
    rested, tired, crowd = changed(season(), season(fatigue_copy=0.3), 6, column=1)
    seen = crowd.copies_seen > 0
    assert seen.any() and not seen[:, [0, 2, 3, 4]].any()
    assert (tired[seen] < rested[seen]).all() and (tired[~seen] == rested[~seen]).all()
    stock = crowd.season.stock.take(crowd.copies_seen)
    odds_ratio = (rested / (1 - rested)) / (tired / (1 - tired))
    assert np.allclose(np.log(odds_ratio), 0.3 * stock, atol=1e-5)
    # The same exposures, longer ago: shown another column since.
    for _ in range(5):
        crowd.show(np.zeros(500, dtype=np.int64))
        crowd.arrive()
    later = crowd.season.stock.take(crowd.copies_seen[:, 1])
    assert later[later > 0].max() < stock[stock > 0].max() and later.max() < 0.8**5 / 0.2


def test_copy_of_the_same_cluster_tires_too() -> None:
    rested, tired, crowd = changed(season(), season(fatigue_cluster=0.3), 4, column=1)
    kin = (crowd.clusters_seen > 0) & (crowd.copies_seen == 0)
    assert kin.any() and (tired[kin] < rested[kin]).all()
    strange = crowd.clusters_seen == 0
    assert strange.any() and (tired[strange] == rested[strange]).all()


def test_interest_walks_slowly_and_each_shopper_alone() -> None:
    still, walked, crowd = changed(season(), season(walk=0.1), 40)
    steps = np.log((walked / (1 - walked)) / (still / (1 - still)))[:, 0] / 0.1
    assert np.allclose(steps, np.rint(steps), atol=1e-3)
    moved = steps * crowd.season.lean[crowd.product]
    # Variance of a step is 1/2.
    assert abs(moved.mean()) < 4 * np.sqrt(20 / 500) and 15 < moved.var() < 25


def test_a_walk_is_held_at_its_limit() -> None:
    far = season(Plan(visits=2**16), walk=0.1)
    still, walked = (clicks(stay(one, 40, 3_000)[0]) for one in (season(), far))
    steps = np.abs(np.log((walked / (1 - walked)) / (still / (1 - still)))) / 0.1
    assert steps.max() <= WALK_LIMIT + 1e-3 and (steps > WALK_LIMIT - 8).any()


def test_the_season_is_a_wave_of_a_week() -> None:
    still, waved, crowd = changed(season(), season(season=0.4))
    difference = np.log((waved / (1 - waved)) / (still / (1 - still)))[:, 0]
    assert np.allclose(difference, 0.4 * np.sin(2 * np.pi * crowd.tick / TICKS / 7), atol=1e-5)


def test_the_shift_is_abrupt_and_changes_which_copy_is_best() -> None:
    before, after, crowd = changed(season(), season(shift=1.0, shift_day=3.0))
    early = crowd.tick < 3 * TICKS
    assert (before[early] == after[early]).all() and early.any()
    difference = np.log((after / (1 - after)) / (before / (1 - before)))[~early]
    assert np.allclose(difference, front().change[crowd.product[~early]], atol=1e-4)
    assert (before[~early].argmax(axis=1) != after[~early].argmax(axis=1)).mean() > 0.3


def test_misses_and_fatigue_drive_shoppers_away() -> None:
    def left(plan: Plan = PLAN, **sizes: Any) -> Floats:
        """Share that leaves at each of ten visits; nobody goes, so that all are counted at each."""
        _, answers = stay(season(plan, **sizes), 2_000, 10, column=0)
        return np.array([answer.left.mean() for answer in answers])

    assert left().sum() == 0
    assert np.allclose(left(leave=0.2), 0.2, atol=0.04)
    missing = left(leave_miss=0.05, no_click=1e6)
    assert np.allclose(missing, 0.05 * np.arange(1, 11), atol=0.05)
    assert left(leave_miss=0.05, no_click=0.0).sum() == 0
    tired = left(leave_fatigue=0.05)
    assert tired[0] == 0 and tired[5] > tired[1] > 0


def test_purchases_arrive_late_and_none_is_lost() -> None:
    plan = Plan(visits=100, days_between_visits=0.5)
    crowd, answers = stay(season(plan, no_click=0.0, buy_base=0.0, delay_days=4.0), 400, 80)
    bought = np.stack([answer.bought for answer in answers])
    arrived = np.stack([answer.arrived for answer in answers])
    for visit in (0, 10, 40, 79):
        known = np.bitwise_count(arrived[: visit + 1]).sum(axis=0)
        assert (known <= bought[: visit + 1].sum(axis=0)).all()
    assert (bought.sum(axis=0) == np.bitwise_count(arrived).sum(axis=0) + crowd.waiting).all()
    lags = []
    for age in range(MAX_LAG + 1):
        came = arrived >> np.uint64(age) & np.uint64(1) > 0
        visits, rows = np.nonzero(came)
        # What arrives is a purchase of that very visit.
        assert (visits >= age).all() and bought[visits - age, rows].all()
        lags.append(int(came[60:].sum()))
    # Rounded up to a visit, and cut off at 30 days, the mean is about half a gap above that of the exponential.
    mean = np.average(np.arange(MAX_LAG + 1), weights=lags) * 0.5
    cut = 4.0 - 30 * np.exp(-7.5) / -np.expm1(-7.5)
    assert abs(mean - (cut + 0.25)) < 0.15 and max(np.flatnonzero(lags)) <= 60
    prompt = stay(season(plan, no_click=0.0, buy_base=0.0), 100, 5)[1]
    assert all((answer.arrived == answer.bought).all() for answer in prompt)


def test_the_value_of_what_arrives_is_its_price() -> None:
    crowd, answers = stay(season(no_click=0.0, buy_base=0.0), 300, 1)
    price = {float(value) for value in front().price}
    assert {float(v) for v in answers[0].value if v} <= price and answers[0].value.any()
    assert ((answers[0].value > 0) == answers[0].bought).all() and crowd.waiting.sum() == 0


def test_tables_hold_what_is_worked_out() -> None:
    low, table = lively(table_limit=0).odds, lively().odds
    assert isinstance(low, LowRankOdds) and isinstance(table, TableOdds)
    rng = np.random.default_rng(0)
    cell, after, column = rng.integers(3600, size=50), rng.integers(2, size=50), rng.integers(5, size=50)
    assert (low.against(cell, after, column) == table.against(cell, after, column)).all()
    assert (low.against_each(cell, after) == table.against_each(cell, after)).all()
    assert (low.prior(cell) == table.prior(cell)).all() and (low.interest(cell) == table.interest(cell)).all()
    assert (low.against_buying(cell, column) == table.against_buying(cell, column)).all()


def test_products_come_as_often_as_their_segment_browses_them() -> None:
    crowd, _ = stay(season(heterogeneity=1.0), 20_000, 0)
    segment = front().segment[crowd.shopper]
    for group in range(len(front().browse)):
        mine = crowd.product[segment == group]
        share = np.bincount(mine, minlength=12) / len(mine)
        assert np.abs(share - front().browse[group]).max() < 4 / np.sqrt(len(mine))


def test_groups_are_of_similar_vectors() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 6))
    group = alike(vectors, 3, 0)
    assert set(group.tolist()) == set(range(group.max() + 1)) and 4 <= group.max() < 8
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine, same = unit @ unit.T, group[:, None] == group
    assert cosine[same & ~np.eye(400, dtype=np.bool_)].mean() > cosine[~same].mean() + 0.3


@pytest.mark.parametrize(
    ("sizes", "rule"),
    [
        ({"walk": -1.0}, r"walk must be finite and in \[0, inf\]"),
        ({"season": np.nan}, "season must be finite"),
        ({"memory": 1.0}, r"memory must be finite and in \[0, 1\)"),
        ({"leave": 1.5}, r"leave must be finite and in \[0, 1\]"),
        ({"attention": "eyes"}, "attention must be one of even, pbm, cascade"),
        ({"fatige": 1.0}, "'fatige' is unknown; choose from attention"),
    ],
)
def test_bad_sizes_are_refused(sizes: dict[str, Any], rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        Effects.only(**sizes)


@pytest.mark.parametrize(
    "numbers",
    [{"visits": 0}, {"positions": 0}, {"days_between_visits": 0.0}, {"days": np.nan}, {"days": 0.5}],
)
def test_bad_plans_are_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="plan: "):
        Plan(**numbers)


def test_delays_need_a_calendar_that_holds_them() -> None:
    short = Plan(days_between_visits=0.25)
    with pytest.raises(DataError, match=r"must arrive within 63 visits, got 1\d\d"):
        season(short, delay_days=9.0)
    assert season(short).max_lag == 0


def test_a_storefront_checks_itself() -> None:
    shop = front()
    for wrong, rule in (
        ({"price": shop.price[:3]}, r"price must be \(12,\), got \(3,\)"),
        ({"present": shop.present & False}, "product 0 must have a copy"),
        ({"segment": shop.segment + 99}, "give browse one row per segment"),
        ({"browse": shop.browse * 2}, "sum to 1"),
        ({"cluster": shop.cluster - 99}, "cluster must be at least 0"),
        ({"lean": shop.lean * 2}, "lean must be 1 or -1"),
        ({"belief": replace(shop.belief, shoppers=shop.belief.shoppers[:5])}, "must have the same sizes"),
    ):
        changes: dict[str, Any] = wrong
        with pytest.raises(DataError, match=rule):
            replace(shop, **changes)
    with pytest.raises(DataError, match="account: wording must be finite"):
        replace(shop.truth, wording=shop.truth.wording * np.nan)
    with pytest.raises(DataError, match="use one vector space"):
        replace(shop.truth, shoppers=shop.truth.shoppers[:, :2])


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8, 13, 24, 31])
@pytest.mark.parametrize("k", [1, 2, 7])
def test_a_row_of_worked_out_odds_has_the_same_bits_anywhere(d: int, k: int) -> None:
    shop = draw_storefront(d, n_shoppers=200, n_products=30, k=k, d=d)
    odds = LowRankOdds(shop, Effects())
    rng = np.random.default_rng(0)
    cell, after, column = rng.integers(6000, size=99), rng.integers(2, size=99), rng.integers(k, size=99)
    each, one = odds.against_each(cell, after), odds.against(cell, after, column)
    assert (each[np.arange(99), column] == one).all()
    for row in range(99):
        i = slice(row, row + 1)
        assert (odds.against_each(cell[i], after[i])[0] == each[row]).all()
        assert (odds.prior(cell[i])[0] == odds.prior(cell)[row]).all()
        assert odds.against(cell[i], after[i], column[i])[0] == one[row]
        assert odds.interest(cell[i])[0] == odds.interest(cell)[row]
        assert odds.against_buying(cell[i], column[i])[0] == odds.against_buying(cell, column)[row]
