"""Interest and time: popularity fades, calibration looks from an earlier time, and repeat buying has a known pull."""

from __future__ import annotations

import numpy as np
import pytest

from copybandit.sim.calibration import fit_platt, judge_calibration
from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.interest_explain import explain_repeat
from copybandit.sim.interest_judge import early_part, judge_interest, known_part
from copybandit.sim.interest_pairs import cut_in_time, purchase_pairs
from copybandit.sim.interest_repeat import fit_repeat
from copybandit.sim.interest_scorers import REPEAT_FLOOR, Popularity, RepeatShare
from copybandit.sim.split import split_groups
from copybandit.sim.types import Floats, Ints
from tests.fitted_interest import fits


def buys(shopper: Ints, product: Ints, day: Floats) -> EventTable:
    """A log of purchases, in order of time."""
    n = len(shopper)
    return EventTable(
        shopper_ids=tuple(f"s{i}" for i in range(int(shopper.max()) + 1)),
        product_ids=tuple(f"p{i}" for i in range(int(product.max()) + 1)),
        kind=np.full(n, PURCHASE, np.int8),
        time=np.datetime64("2024-01-01", "us") + (day * 86_400e6).astype("timedelta64[us]"),
        shopper=shopper,
        product=product,
        quantity=np.ones(n, np.int64),
        price=np.ones(n),
        query=np.full(n, "", dtype=np.str_),
    ).sorted_by_time()


def test_a_purchase_counts_half_after_a_half_life_and_once_for_a_shopper() -> None:
    # p0: two shoppers today, one of them twice; p1: two shoppers ten days ago; p2: nobody since twenty.
    events = buys(
        np.array([0, 0, 1, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 2]), np.array([20.0, 20, 20, 10, 10, 0])
    )
    share = np.exp(Popularity.fit(events, half_life=10.0).log_share)
    np.testing.assert_allclose(share, np.array([2.5, 1.5, 0.75]) / 4.75)
    forever = np.exp(Popularity.fit(events).log_share)
    np.testing.assert_allclose(forever, np.array([2.5, 2.5, 1.5]) / 6.5)


def test_the_calibration_window_is_as_long_as_the_judged_one_and_before_it() -> None:
    events = fits().events
    (known, later), (before, after) = known_part(events), early_part(events)
    assert len(before) + len(after) == len(known) and abs(len(after) - len(later)) <= 2
    assert before.time.max() <= after.time.min() <= after.time.max() <= later.time.min()


def test_a_catalogue_that_turns_over_does_not_make_popularity_too_sure() -> None:
    rng = np.random.default_rng(0)
    n, m = 60_000, 100
    day = np.sort(rng.random(n) * 300)
    product = (day + rng.normal(0, 15, n)).astype(np.int64) % m  # each has its season, which comes again
    events = buys(rng.integers(3000, size=n), product, day)
    split = split_groups(np.array(events.shopper_ids), 0)
    judged = {j.negatives: j for j in judge_interest(events, split, {}, rng)}
    assert judged["uniform"].report.slope == pytest.approx(1.0, abs=0.2)
    # What was done before: popularity that has seen the window it is calibrated on.
    known, later = known_part(events)
    seen = Popularity.fit(known.take(split.fit[known.shopper])).score
    _, after = early_part(events)
    tune, test = (
        purchase_pairs(part, people, m, rng, scheme="uniform")
        for part, people in ((after, split.select), (later, split.judge))
    )
    leaky = fit_platt(seen(known, tune.shopper, tune.product), tune.label)
    logit = leaky.logit(seen(known, test.shopper, test.product))
    assert judge_calibration(logit, test.label).slope < 0.8


def test_a_repeat_share_counts_days_not_lines() -> None:
    events = buys(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 1.5, 1.5]))
    share = (
        np.expm1(RepeatShare().score(events, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))) * REPEAT_FLOOR
    )
    np.testing.assert_allclose(share, [0.5, 0.5, 0, 1], atol=1e-12)


def test_a_known_pull_of_own_purchases_is_found_and_told() -> None:
    have, rng = fits(), np.random.default_rng(8)
    n, m, pull = 3000, 40, 0.8
    products = have.shop.products[:m]
    before = rng.integers(m, size=(n, 7))
    times = np.zeros((n, m))
    np.add.at(times, (np.arange(n)[:, None], before), 1.0)
    utility = pull * np.log1p(times / 7 / REPEAT_FLOOR)[:, None, :] + rng.gumbel(size=(n, 3, m))
    chosen = np.concatenate([before, utility.argmax(axis=2)], axis=1)
    day = np.tile(10.0 * np.arange(10), (n, 1)) + rng.random((n, 10))  # each purchase on a day of its own
    events = buys(np.repeat(np.arange(n), 10), chosen.ravel(), day.ravel())
    x = have.factorised.features.products(products)
    parts = cut_in_time(events, 0.7)
    model = fit_repeat(have.factorised, x, parts, np.ones(n, np.bool_), rng)
    assert model.own_weight == pytest.approx(pull, abs=0.08)
    assert abs(model.text_weight) < 0.15  # the words say nothing here
    for shopper in (0, 5, 9):
        product = int(before[shopper, 0])
        told = explain_repeat(model, events, products, shopper, product)
        score = model.score(events, x, np.array([shopper]), np.array([product]))[0]
        assert abs(sum(c.value for c in told.contributions) - told.score) < 1e-9
        assert abs(float(score) - told.score) < 1e-9
        share = (chosen[shopper] == product).mean()
        own = [c.value for c in told.contributions if c.part == "own purchases"]
        assert own == [pytest.approx(model.own_weight * np.log1p(share / REPEAT_FLOOR))]
        text = {"history", "search", "average shopper"}
        wanted = sum(c.value for c in told.contributions if c.part in text)
        assert abs(sum(c.value for c in told.words) - wanted) < 1e-9
