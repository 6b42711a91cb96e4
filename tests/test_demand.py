"""Demand: what any choice model must obey, known coefficients found again, and no look ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit

from copybandit.sim import logit
from copybandit.sim.demand import (
    SHELF,
    DemandModel,
    attributes,
    calibration_error,
    judge_choices,
    judge_demand,
)
from copybandit.sim.demand_fit import DemandForm, fit_demand
from copybandit.sim.habits import habits, occasions
from copybandit.sim.logit import Tastes, Trips, belief, choice_probs, log_chosen, normal_draws, score
from copybandit.sim.panels import Panel
from copybandit.sim.types import DataError, Floats
from tests.real_panels import real_panel

MEAN = np.array([0.0, 0.5, -0.6, np.log(2.0), 0.7, 0.9, 0.6, 0.0])
"""True means of the simulated panel: intercepts, log of price sensitivity, display, feature, last purchase, loyalty."""
SD = np.array([0.8, 1.2, 0.9, 0.4, 0.0, 0.0, 0.0, 0.0])


def simulate(
    n_households: int, n_trips: int, *, seed: int, differ: bool = True, outside: bool = False
) -> Panel:
    """Households that choose among three products as the model says, with Gumbel noise."""
    rng = np.random.default_rng(seed)
    shape = (n_households, n_trips, 3)
    price, display, feature = (
        np.exp(rng.normal(0, 0.4, shape)),
        rng.random(shape) < 0.3,
        rng.random(shape) < 0.2,
    )
    taste = MEAN[:, None] + differ * SD[:, None] * rng.standard_normal((8, n_households))
    last, choice = np.zeros((n_households, 3)), np.empty((n_households, n_trips), np.int64)
    for t in range(n_trips):
        utility = taste[:3].T - np.exp(taste[3])[:, None] * np.log(price[:, t])
        utility += MEAN[4] * display[:, t] + MEAN[5] * feature[:, t] + MEAN[6] * last
        utility = np.c_[utility, np.zeros(n_households) if outside else np.full(n_households, -np.inf)]
        best = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1)
        last = np.where((best < 3)[:, None], best[:, None] == np.arange(3), last)
        choice[:, t] = np.where(best < 3, best, -1)
    return Panel(
        alternatives=("a", "b", "c"),
        household_ids=tuple(f"h{i}" for i in range(n_households)),
        household=np.repeat(np.arange(n_households), n_trips),
        choice=choice.ravel(),
        price=price.reshape(-1, 3),
        display=display.reshape(-1, 3).astype(np.float64),
        feature=feature.reshape(-1, 3).astype(np.float64),
        available=np.ones((n_households * n_trips, 3), np.bool_),
    )


def true_model(
    panel: Panel, *, outside: bool = False, seed: int = 0, loyalty: float = 1.0, log2_types: int = 6
) -> DemandModel:
    """The model that the simulated panel follows; loyalty is put on top, which it follows where that is 0."""
    draws = np.zeros((8, 2**log2_types))
    draws[:4] = normal_draws(4, log2_types, np.random.default_rng(seed))
    return DemandModel(
        alternatives=panel.alternatives,
        outside=outside,
        reference_price=1.0,
        smoothing=0.8,
        tastes=Tastes(mean=np.r_[MEAN[:7], loyalty], sd=SD, draws=draws, falling=np.arange(8) == 3),
        mean_error=np.full(8, np.nan),
        sd_error=np.full(8, np.nan),
        households=np.array(["another"]),
        log_likelihood=0.0,
    )


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate(12, 9, seed=1)


@pytest.fixture(scope="module")
def model(panel: Panel) -> DemandModel:
    return true_model(panel)


seeds = st.integers(0, 2**31)


@given(seed=seeds, j=st.integers(2, 6), scale=st.sampled_from([0.1, 3.0, 300.0]))
@settings(max_examples=60, deadline=None)
def test_probabilities_obey_the_axioms(seed: int, j: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x, c = scale * rng.normal(size=(j, 7, 3)), rng.normal(size=(3, 4))
    there = rng.random((j, 7)) < 0.7
    there[0] = True
    p = choice_probs(x, there, c)
    assert ((p >= 0) & (p <= 1)).all() and not p[~there].any()
    np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-12)
    order = rng.permutation(j)
    np.testing.assert_allclose(choice_probs(x[order], there[order], c), p[order], rtol=1e-9, atol=1e-300)
    shifted = choice_probs(x + rng.normal(size=(1, 7, 3)), there, c)
    np.testing.assert_allclose(shifted, p, rtol=1e-7 * max(scale, 1), atol=1e-12)
    ghost = choice_probs(np.concatenate([x, x[:1]]), np.concatenate([there, ~there[:1]]), c)
    np.testing.assert_allclose(ghost[:-1], p, rtol=1e-12)


@given(seed=seeds, outside=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_model_knows_alternatives_by_name_and_ignores_absent_ones(seed: int, outside: bool) -> None:
    rng = np.random.default_rng(seed)
    panel = simulate(8, 5, seed=seed, outside=outside)
    model = true_model(panel, outside=outside, seed=seed)
    p = model.choice_probs(panel)
    assert p.shape == (40, 3 + outside) and ((p > 0) & (p < 1)).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    order = rng.permutation(3)
    moved = model.choice_probs(panel.aligned([panel.alternatives[i] for i in order]))
    np.testing.assert_array_equal(moved[:, :3], p[:, order])
    never_c = ~np.isin(panel.household, panel.household[panel.choice == 2])
    if never_c.any():
        others = panel.take(never_c)
        gone = replace(others, available=others.available & (np.arange(3) < 2))
        without = replace(
            others,
            alternatives=("a", "b"),
            **{k: getattr(others, k)[:, :2] for k in ("price", "display", "feature", "available")},
        )
        q = model.choice_probs(gone)
        assert not q[:, 2].any()
        np.testing.assert_array_equal(model.choice_probs(without), np.delete(q, 2, axis=1))


@given(seed=seeds, cut=st.integers(1, 8))
@settings(max_examples=25, deadline=None)
def test_later_trips_never_change_earlier_probabilities(
    panel: Panel, model: DemandModel, seed: int, cut: int
) -> None:
    rng = np.random.default_rng(seed)
    later = np.tile(np.arange(9), 12) >= cut
    changed = replace(
        panel,
        choice=np.where(later, rng.integers(3, size=108), panel.choice),
        price=np.where(later[:, None], rng.uniform(0.5, 2, (108, 3)), panel.price),
        display=np.where(later[:, None], 1.0, panel.display),
    )
    before, after = model.choice_probs(panel), model.choice_probs(changed)
    np.testing.assert_array_equal(before[~later], after[~later])
    assert (before[later] != after[later]).any()
    chose_otherwise = replace(panel, choice=np.where(later, (panel.choice + 1) % 3, panel.choice))
    now = np.tile(np.arange(9), 12) == cut
    np.testing.assert_array_equal(before[now], model.choice_probs(chose_otherwise)[now])
    np.testing.assert_array_equal(model.elasticity(panel)[~later], model.elasticity(changed)[~later])


def test_a_household_learns_nothing_from_others(panel: Panel, model: DemandModel) -> None:
    p = model.choice_probs(panel)
    alone = panel.household == 5
    np.testing.assert_allclose(model.choice_probs(panel.take(alone)), p[alone], rtol=1e-12)
    order = np.argsort(np.tile(np.arange(9), 12), kind="stable")
    np.testing.assert_allclose(model.choice_probs(panel.take(order)), p[order], rtol=1e-12)


def test_a_prediction_is_bayes_rule_over_the_past(panel: Panel, model: DemandModel) -> None:
    rows = np.flatnonzero(panel.household == 3)
    one = panel.take(rows)
    x, there = attributes(one, outside=False, reference_price=1.0, smoothing=0.8)
    p = choice_probs(x, there, model.tastes.coefficients)
    likelihood = np.prod([p[one.choice[t], t] for t in range(8)], axis=0)
    expected = (p[:, 8] * likelihood).sum(axis=1) / likelihood.sum()
    np.testing.assert_allclose(model.choice_probs(one)[8], expected, rtol=1e-10)
    np.testing.assert_allclose(
        belief(log_chosen(p, one.choice)[:8].sum(axis=0)[None])[0], likelihood / likelihood.sum()
    )


def test_habits_follow_purchases() -> None:
    household, choice = np.array([0, 1, 0, 0, 1, 0]), np.array([1, 0, -1, 2, 0, 0])
    assert [rows.tolist() for rows in occasions(household)] == [[0, 1], [2, 4], [3], [5]]
    last, loyalty = habits(household, choice, 3, 0.75)
    assert last[[0, 1, 2, 3, 4, 5]].argmax(axis=1).tolist() == [0, 0, 1, 1, 0, 2]
    assert last.sum(axis=1).tolist() == [0, 0, 1, 1, 1, 1]
    np.testing.assert_allclose(loyalty.sum(axis=1), 1)
    np.testing.assert_allclose(loyalty[3], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(loyalty[5], [0.1875, 0.375, 0.4375])


def trips_of(panel: Panel) -> Trips:
    x, there = attributes(panel, outside=False, reference_price=1.0, smoothing=0.8)
    start = np.flatnonzero(np.r_[True, np.diff(panel.household) != 0])
    return Trips(x=x, available=there, chosen=panel.choice, start=start)


@pytest.mark.parametrize("differ", [True, False])
def test_the_gradient_is_the_derivative(panel: Panel, differ: bool) -> None:
    rng, trips = np.random.default_rng(3), trips_of(panel)
    draws = np.zeros((8, 16 if differ else 1))
    if differ:
        draws[:6] = normal_draws(6, 4, rng)
    mean, sd = 0.5 * rng.normal(size=8), rng.uniform(0.2, 1, 8)

    def tastes(mean: Floats, sd: Floats) -> Tastes:
        return Tastes(mean=mean, sd=sd, draws=draws, falling=(np.arange(8) == 3) & differ)

    _, by_mean, by_sd = score(trips, tastes(mean, sd))
    step = 1e-5 * np.eye(8)
    numeric = [
        (score(trips, tastes(mean + d, sd))[0] - score(trips, tastes(mean - d, sd))[0]) / 2e-5 for d in step
    ]
    np.testing.assert_allclose(by_mean, numeric, rtol=1e-5, atol=1e-5)
    numeric = [
        (score(trips, tastes(mean, sd + d))[0] - score(trips, tastes(mean, sd - d))[0]) / 2e-5 for d in step
    ]
    np.testing.assert_allclose(by_sd, numeric, rtol=1e-5, atol=1e-5)


def test_blocks_change_nothing(panel: Panel, model: DemandModel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score(trips_of(panel), model.tastes)
    monkeypatch.setattr(logit, "BLOCK", 64 * 40)
    assert len(list(trips_of(panel).blocks(40))) > 3
    np.testing.assert_allclose(np.hstack(score(trips_of(panel), model.tastes)), np.hstack(whole), rtol=1e-10)


def test_trips_out_of_order_are_refused(panel: Panel) -> None:
    with pytest.raises(DataError, match="start must rise from 0 to below 108"):
        replace(trips_of(panel), start=np.array([0, 9, 9]))


@pytest.mark.parametrize("outside", [True, False])
def test_known_coefficients_of_a_fixed_logit_are_found(outside: bool) -> None:
    panel = simulate(500, 8, seed=5, differ=False, outside=outside)
    form = DemandForm(loyalty=False, households_differ=False)
    fitted = fit_demand(panel, np.ones(len(panel), np.bool_), np.random.default_rng(0), form)
    assert fitted.outside == outside
    truth = MEAN.copy()
    truth[3] = -2.0
    truth[:3] -= 2.0 * np.log(fitted.reference_price)  # prices count from the reference price
    if not outside:
        truth[:3] -= truth[0]
    for coefficient, value in zip(fitted.coefficients[:7], truth, strict=False):
        if coefficient.name == "a" and not outside:
            assert coefficient.value == 0 and np.isnan(coefficient.error)
        else:
            assert abs(coefficient.value - value) < 3 * coefficient.error < 0.4
    assert fitted.coefficient("loyalty").value == 0


def test_known_tastes_of_a_mixed_logit_are_found() -> None:
    panel = simulate(500, 10, seed=6)
    form = DemandForm(loyalty=False, log2_types=8)
    fitted = fit_demand(panel, np.ones(len(panel), np.bool_), np.random.default_rng(0), form)
    error, sd_error = fitted.mean_error, fitted.sd_error
    estimated = [1, 2, 3, 4, 5, 6]
    assert (np.abs(fitted.tastes.mean - MEAN)[estimated] < 3 * error[estimated]).all()
    assert (np.abs(fitted.tastes.sd - SD)[:4] < 3 * sd_error[:4]).all()
    assert error[estimated].max() < 0.2 and sd_error[:4].max() < 0.35
    price = fitted.coefficient("log_price")
    assert price.value == pytest.approx(-np.exp(fitted.tastes.mean[3]))
    assert abs(price.value + 2) < 3 * price.error


def test_tastes_that_differ_help_on_households_not_seen() -> None:
    panel = simulate(500, 10, seed=7)
    fit, rng = panel.household < 300, np.random.default_rng(0)
    same = fit_demand(panel, fit, rng, DemandForm(households_differ=False))
    ours = fit_demand(panel, fit, rng, DemandForm(log2_types=7))
    held_out = panel.take(~fit)
    report, truth = judge_demand(ours, held_out), true_model(panel, loyalty=0, log2_types=10)
    assert report.n == 2000
    assert report.log_loss < judge_demand(same, held_out).log_loss - 0.01
    assert report.log_loss < judge_demand(truth, held_out).log_loss + 0.01
    assert report.ece < 0.03
    with pytest.raises(DataError, match=r"must share no household, got 300 shared, e\.g\. 'h0'"):
        judge_demand(ours, panel)


def test_the_same_seed_fits_the_same_model(panel: Panel) -> None:
    rows = panel.household < 8
    one, two = (fit_demand(panel, rows, np.random.default_rng(4), DemandForm(log2_types=5)) for _ in range(2))
    np.testing.assert_array_equal(one.tastes.mean, two.tastes.mean)
    np.testing.assert_array_equal(one.choice_probs(panel), two.choice_probs(panel))
    assert one.names == ("a", "b", "c", *SHELF)
    assert (one.tastes.sd >= 0).all() and one.coefficient("log_price").value < 0


def test_elasticity_is_the_derivative(model: DemandModel) -> None:
    first = simulate(20, 1, seed=8)
    elasticity = model.elasticity(first)
    assert elasticity.shape == (20, 3, 3)
    for j in range(3):
        up, down = first.price.copy(), first.price.copy()
        up[:, j] *= np.exp(1e-5)
        down[:, j] *= np.exp(-1e-5)
        high = model.choice_probs(replace(first, price=up))
        low = model.choice_probs(replace(first, price=down))
        np.testing.assert_allclose(elasticity[:, :, j], (np.log(high) - np.log(low)) / 2e-5, rtol=1e-5)
    own = elasticity[:, range(3), range(3)]
    assert (own < 0).all() and (elasticity.sum(axis=2) < 1e-9).all()
    moved = model.elasticity(first.aligned(["c", "a", "b"]))
    np.testing.assert_array_equal(moved[:, 1, 0], elasticity[:, 0, 2])


def test_reports_say_what_happened() -> None:
    probs = np.array([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25], [0.1, 0.1, 0.8]])
    report = judge_choices(probs, np.array([0, 0, -1]))
    assert report.log_loss == pytest.approx(-np.log([0.7, 0.25, 0.8]).mean())
    assert report.accuracy == pytest.approx(2 / 3)
    assert report.n == 3
    assert report.ece_top == pytest.approx((0.3 + 0.5 + 0.2) / 3)
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    assert calibration_error(p, (rng.random(200_000) < p).astype(float)) < 0.01
    assert calibration_error(p, (rng.random(200_000) < p**2).astype(float)) > 0.1


def test_what_cannot_be_fitted_or_predicted_is_named(panel: Panel, model: DemandModel) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="fitted on at least two households, got 1; fit on more rows"):
        fit_demand(panel, panel.household == 0, rng)
    with pytest.raises(
        DataError, match="whole or not at all, got household 'h0' in part; split by household"
    ):
        fit_demand(panel, np.arange(108) > 3, rng)
    with pytest.raises(
        DataError, match="panel row 3: must buy one of a, b, c, got nothing; fit the model on"
    ):
        model.choice_probs(replace(panel, choice=np.where(np.arange(108) == 2, -1, panel.choice)))
    with pytest.raises(DataError, match="alternatives must be among a, b, c, got 'z'"):
        model.choice_probs(replace(panel, alternatives=("a", "b", "z")))


@pytest.mark.parametrize(("name", "goal"), [("Catsup", 0.838), ("Cracker", 0.669), ("Yogurt", 0.472)])
def test_real_panels_beat_a_logit_with_the_last_purchase(name: str, goal: float) -> None:
    panel = real_panel(name)
    fit, _ = next(
        GroupShuffleSplit(1, test_size=0.25, random_state=0).split(panel.price, groups=panel.household)
    )
    rows = np.isin(np.arange(len(panel)), fit)
    ours = fit_demand(panel, rows, np.random.default_rng(0), DemandForm(log2_types=8))
    report = judge_demand(ours, panel.take(~rows))
    assert report.log_loss < goal - 0.05
    assert report.ece < 0.03
    free = DemandForm(households_differ=False)  # whose price coefficient may have either sign
    price = fit_demand(panel, rows, np.random.default_rng(0), free).coefficient("log_price")
    assert price.value < -3 * price.error
