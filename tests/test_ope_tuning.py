"""SLOPE++ chooses by its rule, and what it chooses is near the best of the grid; cross-fitted models see no own row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.ope_crossfit import (
    Logistic,
    RewardModel,
    Ridge,
    cross_fit,
    cross_fit_scale,
    folds_by,
)
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import DM, DR, IPS, Estimator, clipped, dr_os, switch_dr
from copybandit.evaluation.ope_rows import Rows, rows_of_log
from copybandit.evaluation.ope_tuning import GRID, slope, tune
from copybandit.sim.types import DataError, Floats
from tests.known_population import TYPES, K, Population, feedback


@given(
    seed=st.integers(0, 2**32 - 1), m=st.integers(1, 8), shift=st.floats(-10, 10), scale=st.floats(0.01, 100)
)
def test_slope_agrees_with_all_before_it_and_moves_with_units(
    seed: int, m: int, shift: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    values: Floats = rng.normal(size=m)
    widths: Floats = np.asarray(rng.permutation(m) + 0.5, dtype=np.float64)
    chosen = slope(values, widths)
    wider = np.flatnonzero(widths > widths[chosen])
    gap = np.abs(values[wider] - values[chosen])
    assert (gap <= widths[chosen] + (6**0.5 - 1) * widths[wider]).all()
    narrower = np.flatnonzero(widths < widths[chosen])
    if len(narrower):
        after = narrower[np.argmax(widths[narrower])]
        before = np.flatnonzero(widths > widths[after])
        assert (np.abs(values[before] - values[after]) > widths[after] + (6**0.5 - 1) * widths[before]).any()
    assert slope(scale * values + shift, scale * widths) in (
        chosen,
        *np.flatnonzero(widths == widths[chosen]),
    )
    assert slope(np.zeros(m), widths) == int(np.argmin(widths)), "where all agree the narrowest is taken"


def heavy_log(rng: np.random.Generator, n: int) -> tuple[Rows, float]:
    """Rewards that do not depend on the action, weights with a heavy tail, a model that is right up to a constant."""
    heavy = rng.random(n) < 0.02
    propensity, target = np.where(heavy, 0.002, 0.5), np.where(heavy, 0.1, 0.0)
    reward = (rng.random(n) < 0.3).astype(float)
    model = np.full(n, 0.25)
    return Rows(reward=reward, propensity=propensity, target_prob=target, q=model, v=model), 0.3


@pytest.mark.parametrize("family", [clipped, switch_dr, dr_os])
def test_tuned_estimates_are_no_worse_than_the_ends_of_the_grid(family: Callable[[float], Estimator]) -> None:
    rng, grid = np.random.default_rng(0), (1.0, 5.0, 60.0, 3600.0, float("inf"))
    errors: dict[object, list[float]] = {c: [] for c in (*grid, "tuned")}
    for _ in range(60):
        rows, truth = heavy_log(rng, 600)
        for c, found in zip(grid, evaluate(rows, [family(c) for c in grid], refuse=False), strict=True):
            errors[c].append((found.value - truth) ** 2)
        tuned = tune(rows, family, grid, refuse=False)
        errors["tuned"].append((tuned.estimate.value - truth) ** 2)
        assert tuned.setting in grid and tuned.estimate.value in tuned.values
    mean = {c: float(np.mean(several)) for c, several in errors.items()}
    assert mean["tuned"] <= max(mean[grid[0]], mean[grid[-1]])
    assert mean["tuned"] <= 4 * min(mean[c] for c in grid)


def test_tuning_takes_chunks_and_refuses_an_empty_grid() -> None:
    rows, _ = heavy_log(np.random.default_rng(1), 1_000)
    halves = [
        Rows(
            reward=rows.reward[cut],
            propensity=rows.propensity[cut],
            target_prob=rows.target_prob[cut],
            q=np.full(500, 0.25),
            v=np.full(500, 0.25),
        )
        for cut in (slice(0, 500), slice(500, 1_000))
    ]
    whole, chunked = tune(rows, dr_os, refuse=False), tune(iter(halves), dr_os, refuse=False)
    assert whole.setting == chunked.setting and len(whole.tried) == len(GRID)
    with pytest.raises(DataError, match="grid must have at least 1 value"):
        tune(rows, clipped, ())


def one_hot(kind: np.ndarray) -> Floats:
    return np.asarray(np.eye(TYPES)[kind])


@pytest.mark.parametrize("model", [Logistic(c=10.0), Ridge(penalty=1.0)])
def test_no_row_enters_its_own_prediction(model: RewardModel) -> None:
    world, rng = Population(5), np.random.default_rng(6)
    log, kind = world.log(rng, 600)
    fold = folds_by(np.arange(600), 3, rng)
    plain = cross_fit(one_hot(kind), np.eye(K), log.action, log.reward, fold, model)
    assert plain.shape == (600, K) and np.isfinite(plain).all()
    changed = np.where(fold == 1, 1 - log.reward, log.reward)
    again = cross_fit(one_hot(kind), np.eye(K), log.action, changed, fold, model)
    np.testing.assert_array_equal(again[fold == 1], plain[fold == 1])
    assert np.abs(again[fold != 1] - plain[fold != 1]).max() > 1e-3


def test_a_learned_model_makes_dr_narrower_and_leaves_it_unbiased() -> None:
    rng = np.random.default_rng(7)
    world, n = Population(7), 20_000
    # Rewards of 0.9 for one action of each kind and 0.1 for the others: there is something to learn.
    best = rng.integers(K, size=TYPES)
    click = np.where(np.arange(K) == best[:, None], 0.9, 0.1)
    kind = rng.integers(TYPES, size=n)
    probs = np.full((n, K), 1 / K)
    action = rng.integers(K, size=n)
    log = feedback(probs, action, (rng.random(n) < click[kind, action]).astype(float))
    truth = float((world.target * click).sum(axis=1).mean())
    # One stratum for each kind's best action: the features of the actions then say everything.
    q = cross_fit(
        np.empty((n, 0)),
        np.eye(K),
        action,
        log.reward,
        folds_by(np.arange(n), 2, rng),
        Logistic(),
        stratum=best[kind],
    )
    rows = rows_of_log(log, world.target[kind], q)
    ips, dm, dr = evaluate(rows, [IPS, DM, DR])
    assert dr.std_err < 0.7 * ips.std_err
    for found in (ips, dr):
        assert abs(found.value - truth) < 3.5 * found.std_err
    assert np.isfinite(dm.value)


@given(seed=st.integers(0, 2**32 - 1), folds=st.integers(2, 5))
def test_components_lie_whole_in_folds_of_equal_numbers(seed: int, folds: int) -> None:
    rng = np.random.default_rng(seed)
    component = rng.integers(12, size=200)
    fold = folds_by(component, folds, rng)
    parts = {int(c): set(fold[component == c].tolist()) for c in np.unique(component)}
    assert all(len(where) == 1 for where in parts.values())
    sizes = np.bincount([next(iter(where)) for where in parts.values()], minlength=folds)
    assert sizes.max() - sizes.min() <= 1


def test_a_fold_without_clicks_predicts_a_small_rate() -> None:
    n = 40
    fold = np.arange(n) % 2
    action = np.arange(n) // 2 % 3
    q = cross_fit(np.empty((n, 0)), np.eye(3), action, (fold == 0).astype(float), fold, Logistic())
    np.testing.assert_allclose(q[fold == 0], 1 / 22)
    np.testing.assert_allclose(q[fold == 1], 21 / 22)


def test_cross_fit_scale_recovers_the_factor_without_a_row_seeing_itself() -> None:
    world, rng = Population(5), np.random.default_rng(6)
    log, kind = world.log(rng, 40_000)
    q = cross_fit_scale(world.click[kind] / 3, log)
    np.testing.assert_allclose(q, world.click[kind], rtol=0.05)
    flipped = feedback(
        log.action_probs, log.action, np.where(np.arange(len(log)) == 7, 1 - log.reward, log.reward)
    )
    again = cross_fit_scale(world.click[kind] / 3, flipped)
    np.testing.assert_array_equal(again[7], q[7])
    assert (again[8] != q[8]).all()
    silent = feedback(log.action_probs, log.action, np.zeros(len(log)))
    assert (cross_fit_scale(world.click[kind], silent) > 0).all()


def test_bad_input_is_refused_in_one_line() -> None:
    n, rng = 10, np.random.default_rng(0)
    x, actions, action = rng.normal(size=(n, 2)), np.eye(3), np.arange(n) % 3
    reward, fold = rng.random(n), np.arange(n) % 2
    log, _ = Population(0).log(rng, n)
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: cross_fit(x[:3], actions, action, reward, fold, Ridge()), "context must have 10 rows"),
        (lambda: cross_fit(x, actions, action[:3], reward, fold, Ridge()), "action must have 10 rows"),
        (lambda: cross_fit(x, actions, action, reward, fold[:3], Ridge()), "fold must have 10 rows"),
        (
            lambda: cross_fit(x, actions, action + 5, reward, fold, Ridge()),
            "action must be a row of actions, got 5",
        ),
        (lambda: cross_fit(x, actions, action, reward, 0 * fold, Ridge()), "at least 2 folds"),
        (lambda: cross_fit(x * np.nan, actions, action, reward, fold, Ridge()), "must be finite"),
        (lambda: cross_fit(x, actions, action, reward, fold, Logistic()), "reward must be 0 or 1"),
        (
            lambda: cross_fit(x, actions, action, reward, fold, Ridge(), stratum=fold),
            "stratum 0 must lie in two",
        ),
        (lambda: folds_by(action, 4, rng), r"folds must be in \[2, 3\]"),
        (lambda: folds_by(action, 1, rng), r"folds must be in \[2, 3\]"),
        (lambda: cross_fit_scale(np.ones((3, K)), log), "prior must be"),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
