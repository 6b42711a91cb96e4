"""Other weights: exact values by summing over all actions, the assumption each needs, and what it gains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.agents.decide import decide
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import BALANCED, IPS, KERNEL, MIPS
from copybandit.evaluation.ope_rows import Rows, rows_of_log
from copybandit.evaluation.ope_tuning import tune_rows
from copybandit.evaluation.ope_weights import balanced_rows, embedded_rows, kernel_rows
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats, Ints
from tests.known_population import feedback

K = 8
CATEGORY = np.array([0, 0, 0, 1, 1, 2, 2, 2])


def every_action(probs: Floats, reward: Floats) -> LoggedFeedback:
    """One row for each action of one context: expectations over the log are sums with weights `probs`."""
    return feedback(np.tile(probs, (K, 1)), np.arange(K), reward)


def expected(rows: Rows, probs: Floats) -> float:
    """Exact expectation of IPS over the action that is logged."""
    return float(probs @ (rows.weight * rows.reward))


def policies(seed: int) -> tuple[np.random.Generator, Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng, 0.9 * rng.dirichlet(np.ones(K)) + 0.1 / K, rng.dirichlet(np.ones(K))


@given(seed=st.integers(0, 2**32 - 1))
def test_mips_is_exact_where_copy_acts_through_its_category_and_else_not(seed: int) -> None:
    rng, logging, target = policies(seed)
    through, direct = rng.random(3)[CATEGORY], rng.random(K)
    tiled = np.tile(target, (K, 1))
    right = embedded_rows(every_action(logging, through), tiled, CATEGORY)
    assert expected(right, logging) == pytest.approx(target @ through)
    wrong = embedded_rows(every_action(logging, direct), tiled, CATEGORY)
    for c in range(3):  # the mean weight of each category is right even so
        inside = CATEGORY == c
        assert logging[inside] @ wrong.weight[inside] == pytest.approx(target[inside].sum())
    # Each category has one weight, an average of its actions' own.
    own = target / logging
    for c in range(3):
        assert np.ptp(right.weight[CATEGORY == c]) < 1e-12
        assert (
            own[CATEGORY == c].min() - 1e-12
            <= right.weight[CATEGORY == c][0]
            <= own[CATEGORY == c].max() + 1e-12
        )


def test_mips_is_biased_where_copy_acts_directly() -> None:
    _, logging, target = policies(0)
    direct = np.array([0.9, 0.1, 0.1, 0.5, 0.1, 0.2, 0.8, 0.1])
    rows = embedded_rows(every_action(logging, direct), np.tile(target, (K, 1)), CATEGORY)
    assert abs(expected(rows, logging) - target @ direct) > 0.02


def test_categories_of_several_columns_are_one_category_a_row() -> None:
    rng, logging, target = policies(1)
    log, tiled = every_action(logging, rng.random(K)), np.tile(target, (K, 1))
    pairs = np.stack([CATEGORY // 2, CATEGORY % 2], axis=1)
    np.testing.assert_array_equal(
        embedded_rows(log, tiled, pairs).weight, embedded_rows(log, tiled, CATEGORY).weight
    )
    alone = embedded_rows(log, tiled, np.arange(K))
    np.testing.assert_allclose(alone.weight, rows_of_log(log, tiled).weight)


def test_only_a_category_that_the_log_never_shows_is_missed() -> None:
    logging = np.array([0.5, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    target = np.array([0.2, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0, 0.0])
    log = feedback(np.tile(logging, (4, 1)), np.array([0, 3, 0, 3]), np.ones(4))
    assert rows_of_log(log, np.tile(target, (4, 1))).support_misses == 4
    assert embedded_rows(log, np.tile(target, (4, 1)), CATEGORY).support_misses == 0
    beyond = np.tile(np.full(K, 1 / K), (4, 1))
    assert embedded_rows(log, beyond, CATEGORY).support_misses == 4


def absent_last(log: LoggedFeedback) -> LoggedFeedback:
    """The same with one more candidate that is absent."""
    n = len(log)
    return replace(
        log,
        candidates=np.hstack([log.candidates, np.full((n, 1), -1, np.int32)]),
        action_probs=np.hstack([log.action_probs, np.zeros((n, 1))]),
    )


@given(seed=st.integers(0, 2**32 - 1))
def test_kernels_go_from_the_actions_own_weights_to_one(seed: int) -> None:
    rng, logging, target = policies(seed)
    place = rng.normal(size=(K, 3))
    log, tiled = every_action(logging, rng.random(K)), np.tile(target, (K, 1))
    own = rows_of_log(log, tiled).weight
    np.testing.assert_allclose(kernel_rows(log, tiled, place, 1e-3).weight, own, rtol=1e-6)
    np.testing.assert_allclose(kernel_rows(log, tiled, place, 1e6).weight, 1.0, rtol=1e-6)
    between = kernel_rows(log, tiled, place, 1.0).weight
    assert own.min() - 1e-12 <= between.min() and between.max() <= own.max() + 1e-12
    wider = kernel_rows(absent_last(log), np.hstack([tiled, np.zeros((K, 1))]), place, 1.0).weight
    np.testing.assert_allclose(wider, between)


def smooth_log(n: int, seed: int) -> tuple[LoggedFeedback, Floats, Floats, Ints, float]:
    """Sixty-four copies on a line; clicks change slowly along it, the policies do not."""
    rng, k = np.random.default_rng(seed), 64
    line = np.linspace(0, 1, k)
    logging = 0.95 * rng.dirichlet(np.full(k, 0.5)) + 0.05 / k
    target = rng.dirichlet(np.full(k, 0.5)) * line
    target /= target.sum()
    click = 0.1 + 0.4 * line
    probs = np.tile(logging, (n, 1))
    action = decide(probs, rng)
    log = feedback(probs, action, (rng.random(n) < click[action]).astype(float))
    return log, np.tile(target, (n, 1)), line[:, None], np.arange(k) // 8, float(target @ click)


def test_smooth_effects_are_valued_with_far_less_variance() -> None:
    log, target, line, bins, truth = smooth_log(20_000, 0)
    (own,) = evaluate(rows_of_log(log, target), [IPS], refuse=False)
    (kernel,) = evaluate(kernel_rows(log, target, line, 0.03), [KERNEL])
    (mips,) = evaluate(embedded_rows(log, target, bins), [MIPS])
    assert kernel.std_err < own.std_err / 2 and mips.std_err < own.std_err / 2
    for found in (own, kernel, mips):
        assert abs(found.value - truth) < 3 * found.std_err + 0.005, found
    tuned = tune_rows(
        lambda width: kernel_rows(log, target, line, width), KERNEL, (0.003, 0.01, 0.03, 0.1, 10.0)
    )
    assert tuned.setting < 10.0 and abs(tuned.estimate.value - truth) < 0.02
    assert tuned.estimate.std_err <= own.std_err


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.05, 0.95))
def test_balanced_weights_are_exact_over_both_logs_and_never_larger(seed: int, share: float) -> None:
    rng, one, two = policies(seed)
    target, click = rng.dirichlet(np.ones(K)), rng.random(K)
    shares, loggers = np.array([share, 1 - share]), np.stack([one, two])
    rows = balanced_rows(click, target, loggers, shares)
    mixture = shares @ loggers
    assert mixture @ (rows.weight * click) == pytest.approx(target @ click)
    assert (rows.weight <= np.maximum(target / one, target / np.maximum(two, 1e-300)) * (1 + 1e-12)).all()
    alone = balanced_rows(click, target, np.stack([one, one]), shares)
    np.testing.assert_allclose(alone.weight, target / one)


def test_two_logs_together_beat_each_logs_own_weights() -> None:
    rng = np.random.default_rng(3)
    first, second = np.array([0.9, 0.05, 0.05]), np.array([0.05, 0.05, 0.9])
    target, click, n = np.array([0.4, 0.2, 0.4]), np.array([0.2, 0.3, 0.1]), 4_000
    logger = (rng.random(n) < 0.5).astype(np.int64)
    probs = np.stack([first, second])[logger]
    action = decide(probs, rng)
    reward = (rng.random(n) < click[action]).astype(float)
    share = np.bincount(logger) / n
    mixed = balanced_rows(reward, target[action], np.stack([first, second])[:, action], share)
    (balanced,) = evaluate(mixed, [BALANCED])
    (naive,) = evaluate(
        rows_of_log(feedback(probs, action, reward), np.tile(target, (n, 1))), [IPS], refuse=False
    )
    assert balanced.std_err < naive.std_err / 1.5 and balanced.max_weight < naive.max_weight / 1.5
    assert abs(balanced.value - target @ click) < 3 * balanced.std_err


def test_bad_input_is_refused_in_one_line() -> None:
    rng, logging, target = policies(0)
    log, tiled = every_action(logging, rng.random(K)), np.tile(target, (K, 1))
    place, one, loggers = rng.normal(size=(K, 2)), np.ones(K), np.stack([logging, target])
    half = np.array([0.5, 0.5])
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: embedded_rows(log, tiled, CATEGORY[:3]), "category must have a row for variant 7, got 3"),
        (lambda: embedded_rows(log, tiled / 2, CATEGORY), "sum to 1"),
        (lambda: kernel_rows(log, tiled, place[:3], 1.0), "embedding must have a row for variant 7"),
        (lambda: kernel_rows(log, tiled, place * np.nan, 1.0), "embedding must be"),
        (lambda: kernel_rows(log, tiled, place, 0.0), "width must be"),
        (lambda: kernel_rows(log, tiled, place, np.nan), "width must be"),
        (lambda: balanced_rows(one, target, loggers, np.array([0.5, 0.6])), "share must be"),
        (lambda: balanced_rows(one, target, loggers, np.ones(3) / 3), "logger_probs must be"),
        (lambda: balanced_rows(one, target, -loggers, half), r"logger_probs must be in \[0, 1\]"),
        (lambda: balanced_rows(one, target, 0 * loggers, half), "propensity must be"),
        (lambda: balanced_rows(one, target[:3], loggers, half), "target_prob must be"),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
