"""The Laplace posterior against an optimiser, a numerical integral and a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from copybandit.agents.batch import Batch
from copybandit.agents.policies import LogisticThompson
from copybandit.agents.policy_laplace import CONVERGED
from copybandit.sim.types import DataError, Floats, Ints

M, Q, RIDGE, OWN_RIDGE = 8, 3, 6.0, 4.0
ACTIONS = np.random.default_rng(1).normal(size=(M, Q))
DESIGN = np.hstack([np.ones((M, 1)), ACTIONS, np.eye(M)])


def request(rng: np.random.Generator, n: int, k: int = 4) -> Batch:
    candidates = np.argsort(rng.random((n, M)), axis=1)[:, :k].astype(np.int32)
    return Batch(
        context=np.zeros((n, 1)),
        actions=ACTIONS,
        candidates=candidates,
        state=rng.uniform(0.05, 0.4, (n, k, 1)),
        time=np.zeros(n),
    )


def make(points: int = 128) -> LogisticThompson:
    return LogisticThompson(
        n_actions=M, n_features=Q, ridge=RIDGE, residual_ridge=OWN_RIDGE, points=points, epsilon=1e-9
    )


def loss(
    b: Floats, mode: Floats, precision: Floats, x: Floats, start: Floats, weight: Floats, reward: Floats
) -> float:
    """Negative log-posterior, densely."""
    odds, moved = start + x @ b, b - mode
    return float(moved @ precision @ moved / 2 + weight @ (np.logaddexp(0, odds) - reward * odds))


def test_mode_and_curvature_are_those_of_the_log_posterior() -> None:
    """Two batches; the second starts from the Gaussian that the first left, written out densely."""
    rng, policy = np.random.default_rng(0), make()
    mode, precision = np.zeros(1 + Q + M), np.diag([RIDGE] * (1 + Q) + [OWN_RIDGE] * M)
    for _ in range(2):
        batch = request(rng, 300)
        column, weight = rng.integers(4, size=300), rng.uniform(0, 2, 300)
        reward = rng.choice([0.0, 0.25, 1.0], 300)
        policy.update(batch, column, reward, weight)
        x, start = DESIGN[batch.shown(column)], logit(batch.prior[np.arange(300), column])

        told = (mode, precision, x, start, weight, reward)
        found = minimize(loss, mode, told, method="BFGS", options={"gtol": 1e-8, "maxiter": 500}).x
        p = expit(start + x @ found)
        precision = precision + (x * (weight * p * (1 - p))[:, None]).T @ x
        mode = found
        np.testing.assert_allclose(np.concatenate([policy.model.theta, policy.model.rho]), mode, atol=1e-5)
    asked = request(rng, 20)
    scores, inverse = policy.model.scores(asked), np.linalg.inv(precision)
    rows = DESIGN[asked.candidates]
    np.testing.assert_allclose(scores.mean, logit(asked.prior) + rows @ mode, atol=1e-4)
    np.testing.assert_allclose(scores.variance(), np.einsum("nki,ij,nkj->nk", rows, inverse, rows), rtol=1e-4)


class Dense:
    """Newton's method on (theta, rho) of all variants with the precision written out, by the model's own rule to stop."""

    def __init__(self) -> None:
        self.mean: Floats = np.zeros(1 + Q + M)
        self.prior: Floats = np.diag([RIDGE] * (1 + Q) + [OWN_RIDGE] * M)
        self.precision = self.prior.copy()

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        x = DESIGN[batch.shown(column)]
        b, start = self.mean, logit(batch.prior[np.arange(len(batch)), column])
        for _ in range(25):
            p = expit(start + x @ b)
            slope = self.precision @ (b - self.mean) + x.T @ (weight * (p - reward))
            curved = self.precision + (x * (weight * p * (1 - p))[:, None]).T @ x
            step = np.linalg.solve(curved, slope)
            if slope @ step <= CONVERGED:
                break
            b = b - step
        self.mean, self.precision = b, curved

    def forget(self, keep: float) -> None:
        moment = keep * self.precision @ self.mean
        self.precision = keep * self.precision + (1 - keep) * self.prior
        self.mean = np.asarray(np.linalg.solve(self.precision, moment), dtype=np.float64)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.sampled_from([0, 1, 2, 40]), min_size=1, max_size=6))
def test_moves_of_the_batch_s_own_variants_are_those_of_all(seed: int, sizes: list[int]) -> None:
    rng, policy, dense = np.random.default_rng(seed), make(), Dense()
    for n in sizes:
        batch, column = request(rng, n, 2), rng.integers(2, size=n)
        told = batch, column, rng.choice([0.0, 0.5, 1.0], n), rng.uniform(0, 2, n) * (rng.random(n) < 0.9)
        policy.update(*told)
        dense.update(*told)
        if rng.random() < 0.3:
            policy.forget(0.6)
            dense.forget(0.6)
        found = np.concatenate([policy.model.theta, policy.model.rho])
        np.testing.assert_allclose(found, dense.mean, rtol=0, atol=1e-9)
    asked = request(rng, 10)
    rows, inverse = DESIGN[asked.candidates], np.linalg.inv(dense.precision)
    scores = policy.model.scores(asked)
    np.testing.assert_allclose(scores.mean, logit(asked.prior) + rows @ dense.mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores.variance(), np.einsum("nki,ij,nkj->nk", rows, inverse, rows), rtol=1e-7)


def test_what_is_kept_of_variants_that_were_not_shown_stays_to_the_last_bit() -> None:
    rng, policy = np.random.default_rng(5), make()
    for _ in range(3):
        before = {name: policy.get_state()[name].copy() for name in ("rho", "each")}
        batch = request(rng, 2)
        policy.update(batch, np.zeros(2, np.int64), np.ones(2), np.ones(2))
        others = np.setdiff1d(np.arange(M), batch.candidates[:, 0])
        for name, array in before.items():
            np.testing.assert_array_equal(policy.get_state()[name][others], array[others])
    assert np.abs(policy.model.theta).max() > 0


def test_a_state_that_holds_the_scalars_themselves_is_taken_as_it_is() -> None:
    """As checkpoints held them once: theta has moved nowhere since."""
    rng, policy, other = np.random.default_rng(6), make(), make()
    batch = request(rng, 60)
    policy.update(batch, np.zeros(60, np.int64), (rng.random(60) < 0.3).astype(float), np.ones(60))
    state = {name: array.copy() for name, array in policy.get_state().items()}
    state["shared"][-1], state["rho"] = 0.0, policy.model.rho
    other.set_state(state)
    np.testing.assert_array_equal(other.model.rho, policy.model.rho)
    for one in (policy, other):
        one.update(batch, np.ones(60, np.int64), np.ones(60), np.ones(60))
    np.testing.assert_allclose(other.model.rho, policy.model.rho, rtol=0, atol=1e-12)
    np.testing.assert_allclose(other.model.theta, policy.model.theta, rtol=0, atol=1e-12)


def test_probabilities_are_those_of_draws_from_the_posterior() -> None:
    rng, policy, draws = np.random.default_rng(2), make(points=8192), 200_000
    batch = request(rng, 300)
    policy.update(batch, rng.integers(4, size=300), (rng.random(300) < 0.3).astype(float), np.ones(300))
    asked = request(rng, 5)
    scores, probs = policy.model.scores(asked), policy.action_probs(asked, rng)
    for row in range(5):
        shared = rng.normal(size=(draws, 1 + Q)) @ scores.loading[row].T
        odds = scores.mean[row] + shared + rng.normal(size=(draws, 4)) * np.sqrt(scores.own[row])
        frequency = np.bincount(odds.argmax(axis=1), minlength=4) / draws
        error = np.sqrt(frequency * (1 - frequency) / draws)
        assert (np.abs(probs[row] - frequency) < 3 * error + 0.002).all()


def test_one_scalar_posterior_is_close_to_its_numerical_integral() -> None:
    """Only the intercept and one variant's scalar move: their sum has a posterior of one dimension."""
    policy = LogisticThompson(n_actions=1, n_features=0, ridge=RIDGE, residual_ridge=OWN_RIDGE)
    batch = Batch(
        context=np.zeros((200, 1)),
        actions=np.zeros((1, 0)),
        candidates=np.zeros((200, 1), dtype=np.int32),
        state=np.full((200, 1, 1), 0.2),
        time=np.zeros(200),
    )
    clicks = (np.arange(200) < 70).astype(float)
    policy.update(batch, np.zeros(200, np.int64), clicks, np.ones(200))
    grid = np.linspace(-3, 3, 20_001)
    odds = logit(0.2) + grid
    log_density = -np.square(grid) / (2 * (1 / RIDGE + 1 / OWN_RIDGE)) + 70 * odds
    log_density -= 200 * np.logaddexp(0, odds)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    mean = float(density @ odds)
    deviation = float(np.sqrt(density @ np.square(odds - mean)))
    scores = policy.model.scores(batch)
    assert scores.mean[0, 0] == pytest.approx(mean, abs=0.1 * deviation)
    assert np.sqrt(scores.variance()[0, 0]) == pytest.approx(deviation, rel=0.02)


def test_truth_is_within_its_posterior() -> None:
    rng, policy = np.random.default_rng(3), make()
    truth = np.array([0.3, -0.4, 0.5, 0.2])
    for _ in range(40):
        batch = request(rng, 500)
        column = rng.integers(4, size=500)
        x = DESIGN[batch.shown(column), : 1 + Q]
        chance = expit(logit(batch.prior[np.arange(500), column]) + x @ truth)
        policy.update(batch, column, (rng.random(500) < chance).astype(float), np.ones(500))
    asked = request(rng, 50)
    scores = policy.model.scores(asked)
    true_odds = logit(asked.prior) + DESIGN[asked.candidates, : 1 + Q] @ truth
    off = (scores.mean - true_odds) / np.sqrt(scores.variance())
    assert np.abs(off).max() < 3.5
    assert np.sqrt(scores.variance()).max() < 0.1


@pytest.mark.parametrize("ridge", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("own_ridge", [1.0, 1e12])
@pytest.mark.parametrize("seed", [1, 73, 95, 110, 138])
def test_never_non_finite_whatever_is_allowed_arrives(ridge: float, own_ridge: float, seed: int) -> None:
    """With the least ridge the last four seeds make Newton's steps overflow."""
    actions = np.sign(ACTIONS)
    rng = np.random.default_rng(seed)
    scale = float(rng.choice([1.0, 1e3, 1e6]))
    policy = LogisticThompson(
        n_actions=M,
        n_features=Q,
        n_context=2,
        hashed_crosses=3,
        ridge=ridge,
        residual_ridge=own_ridge,
    )
    for n in (1, 1, 50, 1, 3):
        batch = Batch(
            context=rng.choice([-scale, 0.0, scale], (n, 2)),
            actions=actions * scale,
            candidates=request(rng, n).candidates,
            state=rng.choice([1e-12, 1e-3, 1 - 1e-12], (n, 4, 1)),
            time=np.zeros(n),
        )
        weight = rng.choice([0.0, 1e-12, 1.0, 1e6], n)
        policy.update(batch, rng.integers(4, size=n), rng.choice([0.0, 1.0], n), weight)
        scores = policy.model.scores(batch)
        for values in (*policy.get_state().values(), scores.mean, scores.variance()):
            assert np.isfinite(values).all()


def test_rewards_outside_a_rate_are_refused() -> None:
    rng, policy = np.random.default_rng(4), make()
    with pytest.raises(DataError, match=r"logistic_thompson: reward must be in \[0, 1\], got 0.0 to 2.0"):
        policy.update(request(rng, 3), np.zeros(3, np.int64), np.array([0.0, 2.0, 1.0]), np.ones(3))
