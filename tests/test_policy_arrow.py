"""The centred arrow against the dense normal equations: row by row, in batches, forgetting, at extremes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import Batch
from copybandit.agents.policy_arrow import REFRESH, Arrow
from copybandit.agents.policy_laplace import LogisticModel
from copybandit.agents.policy_linear import LinearModel
from copybandit.sim.types import DataError, Floats, Ints

M, Q, RIDGE, OWN_RIDGE = 12, 6, 3.0, 2.0
D = 1 + Q
ACTIONS = np.random.default_rng(1).normal(size=(M, Q)) * np.linspace(0.2, 3.0, Q) + 1.0
DESIGN = np.hstack([np.ones((M, 1)), ACTIONS, np.eye(M)])


def request(rng: np.random.Generator, n: int, k: int = 4) -> Batch:
    candidates = np.argsort(rng.random((n, M)), axis=1)[:, :k].astype(np.int32)
    return Batch(
        context=rng.normal(size=(n, 2)),
        actions=ACTIONS,
        candidates=candidates,
        state=rng.uniform(0.02, 0.2, (n, k, 1)),
        time=np.zeros(n),
    )


def take(batch: Batch, rows: Ints | slice) -> Batch:
    return Batch(
        context=batch.context[rows],
        actions=batch.actions,
        candidates=batch.candidates[rows],
        state=batch.state[rows],
        time=batch.time[rows],
    )


def model(ridge: float = RIDGE) -> LinearModel:
    return LinearModel(
        n_actions=M, n_features=Q, interactions=((0, 2),), ridge=ridge, residual_ridge=OWN_RIDGE
    )


class Dense:
    """The normal equations of (theta, rho), written out."""

    def __init__(self) -> None:
        self.prior = np.diag([RIDGE] * (D + 1) + [OWN_RIDGE] * M)
        self.start = RIDGE * np.eye(D + 1 + M)[0]
        self.precision, self.moment = self.prior.copy(), self.start.copy()

    def rows(self, batch: Batch, column: Ints) -> Floats:
        v = batch.candidates[np.arange(len(batch)), column]
        crossed = batch.context[:, 0] * ACTIONS[v, 2]
        return np.hstack([DESIGN[v, :D], crossed[:, None], np.eye(M)[v]])

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        rows, prior = self.rows(batch, column), batch.prior[np.arange(len(batch)), column]
        self.precision += (rows * (weight * prior)[:, None]).T @ rows
        self.moment += (weight * reward) @ rows

    def forget(self, keep: float) -> None:
        self.precision = keep * self.precision + (1 - keep) * self.prior
        self.moment = keep * self.moment + (1 - keep) * self.start


def feedback(rng: np.random.Generator, n: int) -> tuple[Batch, Ints, Floats, Floats]:
    weight = rng.uniform(0.0, 2.0, n) * (rng.random(n) < 0.9)
    return request(rng, n), rng.integers(4, size=n), rng.normal(size=n), weight


def assert_same(found: LinearModel, dense: Dense, rng: np.random.Generator, rtol: float) -> None:
    """Coefficients, predictions and variances; tolerances are relative to the largest of each."""
    covariance = np.linalg.inv(dense.precision)
    solution = covariance @ dense.moment
    both = np.concatenate([found.theta, found.residual])
    assert np.abs(both - solution).max() < rtol * np.abs(solution).max()
    asked = request(rng, 20)
    scores = found.scores(asked)
    for column in range(4):
        rows, prior = dense.rows(asked, np.full(20, column)), asked.prior[:, column]
        np.testing.assert_allclose(scores.mean[:, column], prior * (rows @ solution), rtol=0, atol=rtol)
        variance = prior**2 * np.einsum("ni,ij,nj->n", rows, covariance, rows)
        np.testing.assert_allclose(scores.variance()[:, column], variance, rtol=rtol)


def test_twenty_thousand_rows_one_by_one_are_the_exact_solution() -> None:
    """The dense solution itself is only good to its condition, about 1e5, times 1e-16 a step; 1e-9 leaves a hundredfold."""
    rng, found, dense = np.random.default_rng(0), model(), Dense()
    rows = 20_000
    told = feedback(rng, rows)
    for start in range(rows):
        part = slice(start, start + 1)
        found.update(take(told[0], part), told[1][part], told[2][part], told[3][part])
    dense.update(*told)
    assert rows > 4 * REFRESH
    assert np.linalg.cond(dense.precision) < 1e6
    assert_same(found, dense, rng, 1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(0, 60), min_size=1, max_size=6))
def test_batches_of_any_size_lead_to_the_same_posterior(seed: int, sizes: list[int]) -> None:
    rng, found, dense = np.random.default_rng(seed), model(), Dense()
    for n in sizes:
        told = feedback(rng, n)
        found.update(*told)
        dense.update(*told)
    assert_same(found, dense, rng, 1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), keep=st.floats(0.01, 1.0), n=st.sampled_from([1, 3, 50]))
def test_forgetting_mixes_the_normal_equations_with_those_before_data(seed: int, keep: float, n: int) -> None:
    rng, found, dense = np.random.default_rng(seed), model(), Dense()
    for _ in range(3):
        told = feedback(rng, n)
        found.update(*told)
        dense.update(*told)
        found.forget(keep)
        dense.forget(keep)
    assert_same(found, dense, rng, 1e-9)


def test_logistic_model_forgets_towards_the_warm_start() -> None:
    rng = np.random.default_rng(2)
    found = LogisticModel(n_actions=M, n_features=Q, ridge=RIDGE, residual_ridge=OWN_RIDGE)
    fresh = LogisticModel(n_actions=M, n_features=Q, ridge=RIDGE, residual_ridge=OWN_RIDGE)
    batch = request(rng, 400)
    found.update(batch, rng.integers(4, size=400), (rng.random(400) < 0.3).astype(float), np.ones(400))
    asked = request(rng, 10)
    learned, before = found.scores(asked), fresh.scores(asked)
    found.forget(1.0)
    np.testing.assert_array_equal(found.scores(asked).mean, learned.mean)
    precision = [np.array(part) for part in found._arrow.times(found.theta, found.rho)]
    found.forget(0.25)
    for kept, part in zip(found._arrow.times(found.theta, found.rho), precision, strict=True):
        np.testing.assert_allclose(kept, 0.25 * part, rtol=1e-9, atol=1e-9)
    assert (found.scores(asked).variance() > learned.variance()).all()
    found.forget(1e-12)
    np.testing.assert_allclose(found.scores(asked).mean, before.mean, atol=1e-8)
    np.testing.assert_allclose(found.scores(asked).variance(), before.variance(), rtol=1e-8)


@pytest.mark.parametrize("keep", [-0.5, 1.5, np.nan])
def test_keeping_is_a_share(keep: float) -> None:
    for one in (model(), LogisticModel(n_actions=M, n_features=Q)):
        with pytest.raises(DataError, match=r"keep must be in \[0, 1\]"):
            one.forget(keep)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ridge=st.sampled_from([1e-12, 1.0, 1e12]))
def test_never_non_finite_whatever_is_allowed_arrives(seed: int, ridge: float) -> None:
    rng, found = np.random.default_rng(seed), model(ridge)
    for n in (1, 1, 50, 1, 3):
        prior = rng.choice([1e-12, 1e-3, 1 - 1e-12], (n, 4, 1))
        batch = Batch(
            context=rng.choice([-1e6, 0.0, 1e6], (n, 2)),
            actions=np.sign(ACTIONS) * 1e6,
            candidates=request(rng, n).candidates,
            state=prior,
            time=np.zeros(n),
        )
        reward, weight = rng.choice([-1e6, 0.0, 1e6], n), rng.choice([0.0, 1e-12, 1.0, 1e6], n)
        found.update(batch, rng.integers(4, size=n), reward, weight)
        scores = found.scores(batch)
        for values in (found.theta, found.residual, scores.mean, scores.variance()):
            assert np.isfinite(values).all()


def test_triangle_that_is_moved_is_the_one_that_is_computed_anew() -> None:
    rng = np.random.default_rng(3)
    arrow = Arrow(n_actions=M, width=D, ridge=RIDGE, residual_ridge=OWN_RIDGE)
    for _ in range(500):
        arrow.step(
            DESIGN[rng.integers(M), :D] * rng.normal(size=D), int(rng.integers(M)), float(rng.random())
        )
    assert arrow.since == 500
    moved = arrow.whiten.copy()
    arrow.refresh()
    np.testing.assert_allclose(moved, arrow.whiten, atol=1e-12)
    np.testing.assert_allclose(moved @ arrow.schur @ moved.T, np.eye(D), atol=1e-11)
    np.testing.assert_array_equal(np.triu(moved, 1), 0)
