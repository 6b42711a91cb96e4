"""Estimators against truth that is known exactly, against identities, and against published golden values."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.decide import decide
from copybandit.evaluation.ope import Estimate, cross_fit_scale, dm, dr, evaluate_policy_on_log, ips, snips
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats

DATA = Path(os.environ.get("COPYBANDIT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
OPEN_BANDIT = DATA / "open_bandit" / "bts" / "men" / "men.csv"

TYPES, K = 30, 4


class Population:
    """30 kinds of request with known click probabilities; the value of a policy is an exact sum."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.click = rng.uniform(0.05, 0.4, (TYPES, K))
        self.behavior = 0.7 * rng.dirichlet(np.ones(K), TYPES) + 0.3 / K
        self.target = 0.8 * rng.dirichlet(np.ones(K), TYPES) + 0.2 / K
        self.wrong_model = rng.uniform(0.05, 0.4, (TYPES, K))
        self.value = float((self.target * self.click).sum(axis=1).mean())

    def log(self, rng: np.random.Generator, n: int) -> tuple[LoggedFeedback, np.ndarray]:
        """Logged rows and the kind of each."""
        kind = rng.integers(TYPES, size=n)
        probs = self.behavior[kind]
        action = decide(probs, rng)
        click = (rng.random(n) < self.click[kind, action]).astype(float)
        return feedback(probs, action, click), kind


def feedback(probs: Floats, action: np.ndarray, reward: Floats) -> LoggedFeedback:
    n, k = probs.shape
    return LoggedFeedback(
        timestamp=np.datetime64("2026-01-01", "us") + np.arange(n).astype("timedelta64[s]"),
        shopper=np.arange(n),
        product=np.zeros(n, dtype=np.int64),
        position=np.ones(n, dtype=np.int64),
        candidates=np.tile(np.arange(k, dtype=np.int32), (n, 1)),
        action_probs=probs,
        action=action,
        click=reward,
        conversion=np.zeros(n),
        value=np.zeros(n),
        reward=reward,
        policy="test",
    )


def test_unbiased_and_covering_over_400_logs() -> None:
    world, rng, logs = Population(0), np.random.default_rng(1), 400
    found: dict[str, list[Estimate]] = {"ips": [], "snips": [], "dr": [], "dr_right": []}
    for _ in range(logs):
        log, kind = world.log(rng, 800)
        a, _, _, b = evaluate_policy_on_log(log, world.target[kind], world.wrong_model[kind])
        c = evaluate_policy_on_log(log, world.target[kind], world.click[kind])
        for name, estimate in zip(found, (a, c[1], b, c[3]), strict=True):
            found[name].append(estimate)
    for name, estimates in found.items():
        values = np.array([e.value for e in estimates])
        assert abs(values.mean() - world.value) < 3 * values.std() / np.sqrt(logs), name
        covered = np.mean([e.ci_low <= world.value <= e.ci_high for e in estimates])
        assert abs(covered - 0.95) < 3 * np.sqrt(0.95 * 0.05 / logs), (name, covered)
        # The reported standard error is the real spread.
        assert np.mean([e.std_err for e in estimates]) == pytest.approx(values.std(), rel=0.15), name
    spread = {name: np.std([e.value for e in estimates]) for name, estimates in found.items()}
    assert spread["dr_right"] < spread["ips"]


def test_direct_method_is_as_good_as_its_model() -> None:
    world, rng = Population(2), np.random.default_rng(3)
    log, kind = world.log(rng, 20_000)
    right = evaluate_policy_on_log(log, world.target[kind], world.click[kind])[2]
    wrong = evaluate_policy_on_log(log, world.target[kind], world.wrong_model[kind])[2]
    assert abs(right.value - world.value) < 3 * right.std_err
    assert abs(wrong.value - world.value) > 3 * wrong.std_err


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 300))
def test_replaying_the_logging_policy_is_the_plain_mean(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    propensity, reward = rng.uniform(1e-3, 1, n), rng.normal(size=n)
    a, b = ips(reward, propensity, propensity), snips(reward, propensity, propensity)
    assert a.value == b.value == reward.sum() / n
    assert a.max_weight == a.mean_weight == 1.0
    assert a.ess == n
    assert a.std_err == pytest.approx(reward.std(ddof=1) / np.sqrt(n))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-5, 5))
def test_identities(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    n = 200
    reward, target = rng.random(n), rng.random(n)
    propensity, zero = rng.uniform(0.05, 1, n), np.zeros(n)
    a, b = ips(reward, propensity, target), snips(reward, propensity, target)
    assert dr(reward, propensity, target, zero, zero).value == a.value
    assert b.value == pytest.approx(a.value / a.mean_weight)
    assert 1 <= a.ess <= n
    # SNIPS moves with the reward; IPS moves by the mean weight.
    assert snips(reward + shift, propensity, target).value == pytest.approx(b.value + shift)
    assert ips(reward + shift, propensity, target).value == pytest.approx(a.value + shift * a.mean_weight)
    # DR with a model that knows every reward is the direct method.
    exact = dr(reward, propensity, target, reward, reward)
    assert exact.value == dm(reward).value
    assert b.ci_high - b.value == pytest.approx(1.96 * b.std_err, rel=1e-4)


def test_warnings_name_what_is_wrong() -> None:
    rng = np.random.default_rng(4)
    n = 5000
    reward = (rng.random(n) < 0.1).astype(float)
    fair = np.full(n, 0.25)
    assert ips(reward, fair, fair).warnings == ()
    # Propensities logged as 1/n of what they were: weights are 4 times too large.
    wrong = ips(reward, fair / 4, fair)
    assert [text.split(" ")[0] for text in wrong.warnings] == ["mean"]
    lonely = fair.copy()
    lonely[0] = 1e-6
    assert "effective sample size" in ips(reward, lonely, fair).warnings[0]


def test_support_misses_are_counted() -> None:
    probs = np.tile([0.5, 0.5, 0.0], (300, 1))
    target = np.tile([0.4, 0.4, 0.2], (300, 1))
    target[:100] = [0.5, 0.5, 0.0]
    rng = np.random.default_rng(0)
    log = feedback(probs, decide(probs, rng), rng.random(300))
    estimates = evaluate_policy_on_log(log, target, np.full((300, 3), 0.5))
    assert [e.support_misses for e in estimates] == [200, 200, 0, 200]
    assert any("200 rounds" in text for text in estimates[0].warnings)


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
    one, half = np.ones(5), np.full(5, 0.5)
    world = Population(0)
    log, kind = world.log(np.random.default_rng(0), 20)
    target, q = world.target[kind], world.click[kind]
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: ips(one, 0 * one, half), r"propensity must be in \(0, 1\], got 0.0"),
        (lambda: ips(one, half, 2 * one), r"target_prob must be in \[0, 1\]"),
        (lambda: ips(one * np.nan, half, half), "reward must be"),
        (lambda: ips(one, half[:3], half), "propensity must be"),
        (lambda: ips(one[:1], half[:1], half[:1]), "at least 2 rounds"),
        (lambda: snips(one, half, 0 * half), "no overlap"),
        (lambda: dr(one, half, half, one[:2], one), "q_logged must be"),
        (lambda: evaluate_policy_on_log(log, target / 2, q), "sum to 1"),
        (lambda: evaluate_policy_on_log(log, target[:, :2], q), "must be"),
        (lambda: cross_fit_scale(q[:3], log), "prior must be"),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not OPEN_BANDIT.exists(), reason=f"REAL DATA ABSENT: {OPEN_BANDIT}; set COPYBANDIT_DATA")
def test_open_bandit_golden_values_of_bts_to_random() -> None:
    """Reference: Open Bandit Pipeline 0.5.7 on the sample of the Open Bandit Dataset, campaign men."""
    rows = pd.read_csv(OPEN_BANDIT)
    click = rows["click"].to_numpy(float)
    propensity = rows["propensity_score"].to_numpy(float)
    uniform = np.full(len(rows), 1 / 34)
    a, b = ips(click, propensity, uniform), snips(click, propensity, uniform)
    assert (round(a.value, 6), round(b.value, 6)) == (0.003009, 0.003189)
    assert (round(a.mean_weight, 3), round(a.ess, 1), round(a.max_weight)) == (0.943, 655.7, 178)
    assert (round(a.ci_low, 4), round(a.ci_high, 4)) == (0.0015, 0.0045)
