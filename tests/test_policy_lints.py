"""LinTS' probabilities against Monte Carlo of the same posterior, against closed forms, and against plain draws of theta."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from copybandit.agents.batch import Batch
from copybandit.agents.policies import LinTS
from copybandit.agents.policy_arrow import Scores
from copybandit.agents.policy_best import REACH, best_of_normals, near_ndtr, particles
from copybandit.sim.types import DataError, Floats

M, Q = 12, 3
ACTIONS = np.random.default_rng(1).normal(size=(M, Q))


def some_scores(rng: np.random.Generator, n: int, k: int, *, shared: float, spread: float) -> Scores:
    """Posteriors whose shared part makes up the given share of the variance, means of that many deviations apart."""
    return Scores(
        mean=spread * rng.normal(size=(n, k)),
        loading=np.sqrt(shared / 10) * rng.normal(size=(n, k, 10)),
        own=(1 - shared) * rng.uniform(0.5, 1.5, (n, k)),
    )


def probs_of(scores: Scores, points: int = 128) -> Floats:
    n, k = scores.mean.shape
    key = np.tile(np.arange(k, dtype=np.int32), (n, 1))
    return best_of_normals(scores, np.ones((n, k), dtype=bool), key, points)


def test_two_candidates_are_the_closed_form() -> None:
    scores = some_scores(np.random.default_rng(0), 200, 2, shared=0.5, spread=1.0)
    difference = scores.loading[:, 0] - scores.loading[:, 1]
    deviation = np.sqrt(np.square(difference).sum(axis=1) + scores.own.sum(axis=1))
    expected = norm.cdf((scores.mean[:, 0] - scores.mean[:, 1]) / deviation)
    np.testing.assert_allclose(probs_of(scores, 8)[:, 0], expected, atol=1e-14)


def test_candidates_that_are_exchangeable_are_nearly_as_likely() -> None:
    for k, bound in ((3, 0.015), (6, 0.015), (10, 0.015)):
        scores = Scores(mean=np.zeros((1, k)), loading=np.zeros((1, k, 1)), own=np.ones((1, k)))
        np.testing.assert_allclose(probs_of(scores), 1 / k, atol=bound)


@pytest.mark.parametrize(("k", "bound"), [(3, 0.02), (4, 0.025), (6, 0.03), (8, 0.035), (16, 0.055)])
@pytest.mark.parametrize(("shared", "spread"), [(0.5, 0.7), (0.9, 0.7), (0.3, 2.0)])
def test_rule_is_close_to_a_large_monte_carlo_integral(
    k: int, bound: float, shared: float, spread: float
) -> None:
    """The bound is on the mean total variation; Monte Carlo's own part of it is added."""
    rng, draws = np.random.default_rng([k, int(10 * shared)]), 40_000
    scores = some_scores(rng, 12, k, shared=shared, spread=spread)
    distance, noise = [], []
    for row, probs in enumerate(probs_of(scores)):
        common = rng.normal(size=(draws, 10)) @ scores.loading[row].T
        drawn = scores.mean[row] + common + rng.normal(size=(draws, k)) * np.sqrt(scores.own[row])
        frequency = np.bincount(drawn.argmax(axis=1), minlength=k) / draws
        distance.append(np.abs(probs - frequency).sum() / 2)
        noise.append(np.sqrt(frequency * (1 - frequency) / draws).sum() / 2)
    assert np.mean(distance) < bound + np.mean(noise)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(3, 6))
def test_more_points_are_closer(seed: int, k: int) -> None:
    scores = some_scores(np.random.default_rng(seed), 20, k, shared=0.5, spread=0.7)
    best = probs_of(scores, 2048)
    coarse, fine = (np.abs(probs_of(scores, points) - best).mean() for points in (16, 512))
    assert fine < coarse


def test_many_rows_are_worked_on_in_slices_without_a_seam() -> None:
    scores = some_scores(np.random.default_rng(2), 700, 9, shared=0.5, spread=0.7)
    together = probs_of(scores)
    tail = Scores(mean=scores.mean[-3:], loading=scores.loading[-3:], own=scores.own[-3:])
    np.testing.assert_allclose(together[-3:], probs_of(tail), atol=1e-12)
    np.testing.assert_allclose(together.sum(axis=1), 1)


def request(rng: np.random.Generator, n: int, k: int) -> Batch:
    candidates = np.argsort(rng.random((n, M)), axis=1)[:, :k].astype(np.int32)
    return Batch(
        context=np.zeros((n, 1)),
        actions=ACTIONS,
        candidates=candidates,
        state=rng.uniform(0.02, 0.06, (n, k, 1)),
        time=np.zeros(n),
    )


def test_policy_is_thompson_sampling_of_the_joint_posterior() -> None:
    """Draws of theta and rho from the dense (4 + M) x (4 + M) normal equations, written out by hand."""
    rng, draws, ridge, residual_ridge = np.random.default_rng(3), 200_000, 20.0, 9.0
    policy = LinTS(
        n_actions=M,
        n_features=Q,
        ridge=ridge,
        residual_ridge=residual_ridge,
        points=2048,
        epsilon=1e-9,
    )
    precision = np.diag(np.concatenate([np.full(1 + Q, ridge), np.full(M, residual_ridge)]))
    moment = ridge * np.eye(1 + Q + M)[0]
    design = np.hstack([np.ones((M, 1)), ACTIONS, np.eye(M)])
    batch = request(rng, 400, 5)
    column = rng.integers(5, size=400)
    reward, weight = (rng.random(400) < 0.06).astype(float), rng.uniform(0.5, 2.0, 400)
    policy.update(batch, column, reward, weight)
    rows, prior = design[batch.shown(column)], batch.prior[np.arange(400), column]
    precision += (rows * (weight * prior)[:, None]).T @ rows
    moment += rows.T @ (weight * reward)
    covariance = np.linalg.inv(precision)
    coefficients = rng.multivariate_normal(covariance @ moment, covariance, size=draws)

    asked = request(rng, 6, 4)
    for row, probs in enumerate(policy.action_probs(asked, rng)):
        click = asked.prior[row] * (coefficients @ design[asked.candidates[row]].T)
        frequency = np.bincount(click.argmax(axis=1), minlength=4) / draws
        error = np.sqrt(frequency * (1 - frequency) / draws)
        assert (np.abs(probs - frequency) < 3 * error + 0.002).all()


def test_points_are_orthogonal_and_do_not_depend_on_how_many_are_asked_for() -> None:
    few, many = particles(64, 5), particles(64, 70)
    np.testing.assert_array_equal(many[:5], few)
    for block in (many[:32], many[32:64], many[64:]):
        np.testing.assert_allclose(block @ block.T / 32, np.eye(len(block)), atol=1e-12)
    assert 0.02 < np.abs(many[:32] @ many[32:64].T / 32).mean() < 0.3
    assert norm.ppf(0.975) == pytest.approx(np.quantile(particles(512, 200), 0.975), abs=0.02)


def test_polynomial_is_the_normal_distribution_function_to_its_error() -> None:
    x = np.linspace(-5, 5, 100_001)
    found = near_ndtr(x)
    assert np.abs(found - norm.cdf(x)).max() < 3.3e-5
    assert (np.diff(found) >= 0).all()
    ends = near_ndtr(np.array([-np.inf, -REACH, 0.0, REACH, np.inf]))
    np.testing.assert_allclose(ends, [0, 0, 0.5, 1, 1], atol=1e-8)


def test_settings_are_checked() -> None:
    with pytest.raises(DataError, match="points must be even and at least 8, got 4"):
        LinTS(n_actions=M, n_features=Q, points=4)
