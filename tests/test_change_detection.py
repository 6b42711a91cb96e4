"""Change detection: no more false alarms than told, a real change found, and a learner that starts anew after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.change_detector import ChangeDetector, poisson_glr, tail_bound
from copybandit.agents.policies import EpsilonGreedy, LinUCB
from copybandit.agents.watchful import Watchful
from copybandit.sim.types import DataError, Floats, Ints
from tests.test_policies import M, Q, make_batch, one_set


def watch(
    detector: ChangeDetector, rng: np.random.Generator, rate: Floats, prior: Floats, rows: int
) -> list[Ints]:
    """Every variant is shown in turn, 50 times an update; returns alarms per update."""
    variant = np.tile(np.arange(len(rate)), 50)
    return [
        detector.observe(variant, (rng.random(len(variant)) < rate[variant]).astype(float), prior[variant])
        for _ in range(rows // 50)
    ]


@pytest.mark.parametrize("false_alarm", [0.3, 0.05])
@pytest.mark.parametrize(("rate", "prior"), [(0.02, 0.02), (0.1, 0.05), (0.01, 0.03)])
def test_false_alarms_are_as_rare_as_told(false_alarm: float, rate: float, prior: float) -> None:
    detector = ChangeDetector(n_actions=400, false_alarm=false_alarm, block=5.0)
    same = np.full(400, prior)
    watch(detector, np.random.default_rng(0), np.full(400, rate), same, rows=6_000)
    looks = detector.looks.sum()
    assert looks > 5_000
    assert detector.alarms.sum() / looks <= false_alarm


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(0, 200), min_size=2, max_size=2),
    expected=st.lists(st.floats(0.1, 100), min_size=2, max_size=2),
)
def test_the_ratio_is_that_of_two_maximised_likelihoods(counts: list[int], expected: list[float]) -> None:
    def log_likelihood(c: int, e: float, r: float) -> float:
        return c * np.log(r * e) - r * e if r > 0 else 0.0

    (c1, c2), (e1, e2) = counts, expected
    pooled = (c1 + c2) / (e1 + e2)
    apart = log_likelihood(c1, e1, c1 / e1) + log_likelihood(c2, e2, c2 / e2)
    together = log_likelihood(c1, e1, pooled) + log_likelihood(c2, e2, pooled)
    found = poisson_glr(np.array([c1, e1], dtype=float), np.array([c2, e2]))
    assert found == pytest.approx(apart - together, abs=1e-7)
    assert 0 <= tail_bound(found) <= 1


@pytest.mark.parametrize("factor", [0.2, 3.0])
def test_a_change_is_found_and_only_where_it_is(factor: float) -> None:
    rng, rate = np.random.default_rng(1), np.full(60, 0.03)
    detector = ChangeDetector(n_actions=60, false_alarm=1e-4)
    assert not any(len(alarm) for alarm in watch(detector, rng, rate, rate, rows=5_000))
    turned = np.where(np.arange(60) < 20, rate * factor, rate)
    alarms = np.concatenate(watch(detector, rng, turned, rate, rows=5_000))
    assert np.isin(np.arange(20), alarms).all() and alarms.max() < 20
    # It starts anew: the new level is no further change.
    assert (detector.alarms[:20] <= 2).all()


def test_a_variant_the_warm_start_misjudged_has_not_changed() -> None:
    detector = ChangeDetector(n_actions=100, false_alarm=1e-4)
    watch(detector, np.random.default_rng(2), np.full(100, 0.06), np.full(100, 0.02), rows=5_000)
    assert detector.looks.min() > 15 and not detector.alarms.any()


@pytest.mark.parametrize("setting", [{"false_alarm": 0.0}, {"false_alarm": 1.0}, {"block": 0.0}])
def test_settings_that_cannot_be_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(DataError, match="change detector"):
        ChangeDetector(n_actions=3, **setting)


def test_rewards_out_of_range_are_refused_and_change_nothing() -> None:
    told = LinUCB(n_actions=M, n_features=Q)
    policy = Watchful(told, n_actions=M)
    batch = make_batch(np.random.default_rng(3))
    column = batch.present.argmax(axis=1)
    with pytest.raises(DataError, match=r"reward must be in \[0, 1\], got 2.0"):
        policy.update(batch, column, np.full(20, 2.0), np.ones(20))
    assert not policy.detector._open.any() and (told.theta == np.eye(6)[0]).all()


@pytest.mark.parametrize("scope", ["variant", "all"])
def test_on_an_alarm_the_learner_starts_anew(scope: str) -> None:
    rng, told = np.random.default_rng(4), EpsilonGreedy(n_actions=M, strength=5.0)
    policy = Watchful(told, n_actions=M, scope="variant" if scope == "variant" else "all")
    batch = replace(one_set(1000, [0, 1]), state=np.full((1000, 2, 2), 0.05))
    column = np.tile([0, 1], 500)
    for _ in range(5):
        policy.update(batch, column, (rng.random(1000) < 0.05).astype(float), np.ones(1000))
    while not policy.detector.alarms[0]:
        rate = np.where(column == 0, 0.2, 0.05)
        policy.update(batch, column, (rng.random(1000) < rate).astype(float), np.ones(1000))
        assert policy.detector.looks[0] < 50
    ratio = told.predict(batch)[0] / 0.05
    assert ratio[0] == pytest.approx(1.0)
    assert (ratio[1] == pytest.approx(1.0)) == (scope == "all")


def test_after_a_turn_the_watchful_earn_more() -> None:
    def season(seed: int, watchful: bool) -> float:
        rng = np.random.default_rng(seed)
        plain = EpsilonGreedy(n_actions=M, strength=5.0, epsilon=0.2)
        policy = Watchful(plain, n_actions=M, false_alarm=1e-3) if watchful else plain
        batch = replace(one_set(500, [0, 1, 2]), state=np.full((500, 3, 2), 0.1))
        earned = 0.0
        for step in range(80):
            rate = np.array([0.2, 0.1, 0.1] if step < 40 else [0.02, 0.1, 0.1])
            p = policy.action_probs(batch, rng)
            column = (np.cumsum(p, axis=1) < rng.random((500, 1))).sum(axis=1).clip(max=2)
            policy.update(batch, column, (rng.random(500) < rate[column]).astype(float), np.ones(500))
            earned += float((p @ rate).mean()) if step >= 40 else 0.0
        return earned / 40

    gain = np.array([season(seed, True) - season(seed, False) for seed in range(6)])
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(len(gain))
