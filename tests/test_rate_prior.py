"""The hierarchical prior of click rates: its posterior against brute force, its fit against known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from copybandit.agents.policies import HorizonIndex
from copybandit.agents.rate_prior import RatePrior, believe, fit_rate_prior, log_evidence
from copybandit.sim.types import DataError, Floats
from tests.policy_entries import PRIOR, feedback, make_batch

TRUTH = RatePrior(log_base=-4.4, spread=0.5, strength=12.0, slope=0.8)
SHOWN = 3000.0


def archive(
    prior: RatePrior, tests: int, arms: int, rng: np.random.Generator, shown: float = SHOWN
) -> tuple[Floats, Floats]:
    """Scores and clicks of tests that follow a prior, both of shape (tests, arms)."""
    score = 0.4 * rng.standard_normal((tests, arms))
    level = np.exp(prior.spread * rng.standard_normal((tests, 1)))
    ratio = rng.gamma(prior.strength, 1 / prior.strength, (tests, arms))
    return score, rng.poisson(shown * level * prior.rates(score) * ratio).astype(np.float64)


@pytest.mark.parametrize(
    ("strength", "spread", "scale"), [(12.0, 0.5, 1.0), (2.0, 1.0, 40.0), (300.0, 0.1, 0.05)]
)
def test_posterior_and_evidence_are_those_of_brute_force(
    strength: float, spread: float, scale: float
) -> None:
    rng = np.random.default_rng(0)
    prior = rng.uniform(0.005, 0.03, (5, 3))
    shown = np.floor(scale * rng.uniform(0, 3000, (5, 3)))
    clicks = rng.poisson(shown * prior * 1.3).astype(np.float64)
    shown[0] = clicks[0] = 0
    belief = believe(prior, strength, spread, clicks, shown)
    z = np.linspace(-9, 9, 20001)
    for row in range(5):
        level = prior[row, :, None] * np.exp(spread * z)
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        chance = strength / (strength + shown[row, :, None] * level)
        log_joint = nbinom.logpmf(clicks[row, :, None], strength, chance).sum(axis=0) + np.log(density)
        mass = np.exp(log_joint - log_joint.max())
        weight = mass / mass.sum()
        precision = strength / level + shown[row, :, None]
        rate = (strength + clicks[row, :, None]) / precision
        np.testing.assert_allclose(belief.mean[row], rate @ weight, rtol=2e-4)
        np.testing.assert_allclose(belief.variance[row], (rate / precision) @ weight, rtol=5e-3)
    one, other = (
        log_evidence(
            RatePrior(log_base=b, spread=spread, strength=strength), 0 * prior, clicks, shown, prior > 0
        )
        for b in (-4.2, -4.0)
    )
    exact = []
    for base in (-4.2, -4.0):
        level = np.exp(base + spread * z)
        chance = strength / (strength + shown[:, :, None] * level)
        log_joint = nbinom.logpmf(clicks[:, :, None], strength, chance).sum(axis=1) - z**2 / 2
        top = log_joint.max(axis=1)
        exact.append(float((top + np.log(np.exp(log_joint - top[:, None]).sum(axis=1))).sum()))
    assert one - other == pytest.approx(exact[0] - exact[1], abs=5e-3)


@given(
    seed=st.integers(0, 2**32 - 1),
    strength=st.floats(0.05, 1e4),
    spread=st.floats(1e-3, 3.0),
    size=st.floats(0.0, 1e8),
)
def test_beliefs_are_finite_and_an_absent_arm_changes_nothing(
    seed: int, strength: float, spread: float, size: float
) -> None:
    rng = np.random.default_rng(seed)
    prior = rng.uniform(1e-6, 0.5, (4, 3))
    shown = size * rng.random((4, 3))
    clicks = shown * rng.random((4, 3)) ** 4
    belief = believe(prior, strength, spread, clicks, shown)
    for values in (belief.mean, belief.variance):
        assert np.isfinite(values).all() and (values > 0).all()
    wide = [np.pad(values, ((0, 0), (1, 1))) for values in (clicks, shown)]
    again = believe(np.pad(prior, ((0, 0), (1, 1)), constant_values=0.3), strength, spread, *wide)
    np.testing.assert_allclose(again.mean[:, 1:-1], belief.mean, rtol=1e-9)


def test_the_fit_recovers_the_truth_within_three_standard_errors() -> None:
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        score, clicks = archive(TRUTH, 250, 4, rng)
        present = np.ones(clicks.shape, dtype=np.bool_)
        present[::3, 3] = False
        fit = fit_rate_prior(score, clicks, np.full(clicks.shape, SHOWN), present)
        found.append([fit.log_base, np.log(fit.spread), np.log(fit.strength), fit.slope])
    truth = [TRUTH.log_base, np.log(TRUTH.spread), np.log(TRUTH.strength), TRUTH.slope]
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (error < 0.1).all()
    np.testing.assert_array_less(np.abs(np.mean(found, axis=0) - truth), 3 * error)


def test_a_score_that_says_nothing_gets_a_slope_near_zero_and_one_that_is_equal_gets_none() -> None:
    rng = np.random.default_rng(3)
    _, clicks = archive(RatePrior(log_base=-4.4, spread=0.5, strength=12.0, slope=0.0), 400, 4, rng)
    noise, shown = 0.4 * rng.standard_normal(clicks.shape), np.full(clicks.shape, SHOWN)
    present = np.ones(clicks.shape, dtype=np.bool_)
    assert (
        abs(fit_rate_prior(noise, clicks, shown, present).slope) < 0.08
    )  # 3 s.e.; the other tests' slope is .8
    assert fit_rate_prior(np.zeros(clicks.shape), clicks, shown, present).slope == 0.0


def test_tests_that_tell_nothing_are_refused() -> None:
    one = np.ones((3, 2))
    with pytest.raises(DataError, match="two arms and a click"):
        fit_rate_prior(one, 0 * one, one, one > 0)
    with pytest.raises(DataError, match="two arms and a click"):
        fit_rate_prior(one, one, one, np.array([[True, False]] * 3))
    with pytest.raises(DataError, match="strength above 0"):
        RatePrior(log_base=-4.0, spread=0.5, strength=0.0)


def test_the_index_is_its_formula_and_its_bonus_ends_at_the_horizon() -> None:
    rng = np.random.default_rng(0)
    policy = HorizonIndex(PRIOR, horizon=1e9, strength=5, spread=0.6, epsilon=0.01)
    batch = make_batch(rng)
    np.testing.assert_array_equal(policy.index(batch).argmax(axis=1)[batch.present.all(axis=1)],
                                  PRIOR[batch.candidates].argmax(axis=1)[batch.present.all(axis=1)])  # fmt: skip
    spent = HorizonIndex(PRIOR, horizon=1e-9, strength=5, spread=0.6, epsilon=0.01)
    shown, clicks = np.zeros(len(PRIOR)), np.zeros(len(PRIOR))
    for _ in range(20):
        seen, column, reward, weight = feedback(policy, rng)
        for one in (policy, spent):
            one.update(seen, column, reward, weight)
        np.add.at(shown, seen.shown(column), weight)
        np.add.at(clicks, seen.shown(column), weight * reward)
    here = np.where(batch.present, batch.candidates, 0)
    n, c = (np.where(batch.present, values[here], 0.0) for values in (shown, clicks))
    belief = believe(PRIOR[here], 5, 0.6, c, n)
    left = 1e9 - n.sum(axis=1, keepdims=True)
    bonus = np.sqrt(2 * belief.variance * np.log1p(left * belief.variance / belief.mean))
    np.testing.assert_allclose(policy.index(batch)[batch.present], (belief.mean + bonus)[batch.present])
    np.testing.assert_allclose(spent.index(batch)[batch.present], belief.mean[batch.present])


@pytest.mark.parametrize(
    "wrong", [{"horizon": 0.0}, {"strength": np.inf}, {"spread": -1.0}, {"epsilon": 0.0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(wrong))):
        HorizonIndex(PRIOR, **({"horizon": 500.0} | wrong))
    with pytest.raises(DataError, match="prior must be in"):
        HorizonIndex(0 * PRIOR, horizon=500.0)
