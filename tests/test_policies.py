"""Each policy learns what its formula says, and the conformance check names the rule that a policy breaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.check import check_policy
from copybandit.agents.decide import decide
from copybandit.agents.policies import BetaThompson, ExploreThenCommit, LinUCB, PriorGreedy
from copybandit.agents.policy_thompson import LEAST_CLICKS, best_probs
from copybandit.sim.types import DataError, Floats, Ints

M, Q, P = 24, 5, 3
EPSILON = 0.04
PRIOR = np.random.default_rng(0).uniform(0.005, 0.05, M)
ACTIONS = np.random.default_rng(1).normal(size=(M, Q))


def make_batch(rng: np.random.Generator, n: int = 20, k: int = 4) -> Batch:
    """Rows of distinct variants, some absent, at least one present."""
    candidates = np.argsort(rng.random((n, M)), axis=1)[:, :k].astype(np.int32)
    absent = rng.random((n, k)) < 0.3
    absent[np.arange(n), rng.integers(k, size=n)] = False
    candidates[absent] = ABSENT
    prior = np.clip(PRIOR[candidates] * rng.uniform(0.5, 2.0, (n, k)), 1e-6, 0.5)
    return Batch(
        context=rng.normal(size=(n, P)),
        actions=ACTIONS,
        candidates=candidates,
        state=np.stack([prior, rng.random((n, k))], axis=2),
        time=np.zeros(n),
    )


def train(policy: Learner, rng: np.random.Generator, steps: int) -> list[tuple[Batch, Ints, Floats, Floats]]:
    """Feeds clicks that depend on the variant; returns what was fed."""
    fed = []
    for _ in range(steps):
        batch = make_batch(rng, n=50)
        column = decide(policy.action_probs(batch, rng), rng)
        click_probability = 0.02 + 0.3 * (batch.shown(column) % 4 == 0)
        reward = (rng.random(len(batch)) < click_probability).astype(float)
        weight = rng.uniform(0.5, 1.5, len(batch))
        policy.update(batch, column, reward, weight)
        fed.append((batch, column, reward, weight))
    return fed


class FirstColumn:
    """Breaks the rule that the column order carries no meaning."""

    name = "first_column"

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        first = np.cumsum(batch.present, axis=1) == 1
        return np.asarray((first & batch.present).astype(float))


class Ghost:
    """Gives absent candidates their share."""

    name = "ghost"

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        return np.full(batch.candidates.shape, 1 / batch.candidates.shape[1])


class Unnormalised:
    """Forgets to divide."""

    name = "unnormalised"

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        return np.where(batch.present, batch.prior, 0.0)


class PerColumnDraw:
    """Draws its scores by column, so asking for one request gives another answer."""

    name = "per_column_draw"

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        score = np.where(batch.present, rng.random(batch.candidates.shape), -1.0)
        return np.asarray((score == score.max(axis=1, keepdims=True)).astype(float))


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        (FirstColumn(), "permuted with"),
        (Ghost(), "absent candidates must"),
        (Unnormalised(), "sum to 1"),
        (PerColumnDraw(), "permuted with"),
    ],
)
def test_check_policy_names_the_broken_rule(
    policy: FirstColumn | Ghost | Unnormalised | PerColumnDraw, rule: str
) -> None:
    rng = np.random.default_rng(3)
    with pytest.raises(DataError, match=rule):
        check_policy(policy, make_batch(rng), rng)


def test_check_policy_sees_a_missing_floor() -> None:
    rng = np.random.default_rng(3)
    with pytest.raises(DataError, match="mix in the uniform floor"):
        check_policy(PriorGreedy(epsilon=0.01), make_batch(rng), rng, floor=0.1)


def test_prior_greedy_splits_ties_evenly() -> None:
    batch = make_batch(np.random.default_rng(0), n=1, k=3)
    tied = replace(
        batch, candidates=np.array([[3, ABSENT, 7]], dtype=np.int32), state=np.full((1, 3, 1), 0.02)
    )
    probs = PriorGreedy(epsilon=0.1).action_probs(tied, np.random.default_rng(0))
    np.testing.assert_allclose(probs, [[0.5, 0.0, 0.5]])


def one_set(n: int, variants: list[int]) -> Batch:
    """The same candidate set n times."""
    return Batch(
        context=np.zeros((n, P)),
        actions=ACTIONS,
        candidates=np.tile(np.array(variants, dtype=np.int32), (n, 1)),
        state=np.full((n, len(variants), 2), 0.02),
        time=np.zeros(n),
    )


def test_explore_then_commit_fixes_the_winner_of_each_test() -> None:
    policy, rng = ExploreThenCommit(n_actions=M, explore=30, epsilon=0.06), np.random.default_rng(0)
    batch = one_set(30, [0, 1, 2])
    column = np.repeat([0, 1, 2], 10)
    policy.update(batch, column, (column == 1).astype(float), np.ones(30))
    np.testing.assert_allclose(policy.action_probs(batch, rng)[0], [0.02, 0.96, 0.02])
    # Clicks after the commitment do not reopen the test.
    policy.update(batch, np.zeros(30, np.int64), np.ones(30), np.ones(30))
    np.testing.assert_allclose(policy.action_probs(batch, rng)[0], [0.02, 0.96, 0.02])
    # Another product has its own test, still running.
    np.testing.assert_allclose(policy.action_probs(one_set(1, [5, 6]), rng), [[0.5, 0.5]])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1.0, 2000.0))
def test_thompson_quadrature_agrees_with_draws(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    prior, draws = rng.uniform(0.005, 0.06, 4), 40_000
    policy = BetaThompson(prior, strength=scale, epsilon=1e-9)
    batch = replace(one_set(1, [0, 1, 2, 3]), actions=ACTIONS[:4])
    probs = policy.action_probs(batch, rng)[0]
    a, b = np.maximum(prior * scale, LEAST_CLICKS), np.maximum((1 - prior) * scale, LEAST_CLICKS)
    best = rng.beta(a, b, size=(draws, 4)).argmax(axis=1)
    frequency = np.bincount(best, minlength=4) / draws
    # 64 nodes are within .015 even where the prior is worth less than one click.
    assert np.abs(probs - frequency).max() < 4 * 0.5 / np.sqrt(draws) + 0.015


def test_thompson_survives_posteriors_of_very_different_width() -> None:
    a, b = np.array([[1e6, 0.05, 3.0]]), np.array([[5e7, 4.0, 150.0]])
    grid = np.linspace(-120, 5, 64)[None, :]
    probs = best_probs(a, b, np.array([[True, True, True]]), grid)
    assert np.isfinite(probs).all()
    assert probs.sum() == pytest.approx(1)


def test_thompson_counts_clicks() -> None:
    policy, rng = BetaThompson(PRIOR, strength=50), np.random.default_rng(0)
    batch = one_set(200, [0, 1])
    column = np.repeat([0, 1], 100)
    policy.update(batch, column, (column == 1).astype(float), np.ones(200))
    assert policy.action_probs(batch, rng)[0, 1] > 0.98
    with pytest.raises(DataError, match=r"reward must be in \[0, 1\]"):
        policy.update(batch, column, np.full(200, 3.0), np.ones(200))


def test_linucb_starts_from_the_warm_start() -> None:
    policy = LinUCB(n_actions=M, n_features=Q, interactions=((0, 1), (2, 4)), state_channels=(1,))
    batch = make_batch(np.random.default_rng(4))
    np.testing.assert_allclose(policy.predict(batch), batch.prior, rtol=1e-12)
    np.testing.assert_array_equal(policy.theta, np.eye(9)[0])
    np.testing.assert_array_equal(policy.residual, np.zeros(M))


def dense_row(batch: Batch, row: int, column: int) -> Floats:
    """[x, one-hot of the variant], written out by hand, shape (9 + M,)."""
    variant = batch.candidates[row, column]
    f, c = ACTIONS[variant], batch.context[row]
    x = [1.0, *f, c[0] * f[1], c[2] * f[4], batch.state[row, column, 1]]
    return np.concatenate([x, np.eye(M)[variant]])


def test_linucb_is_the_joint_weighted_ridge_regression() -> None:
    policy = LinUCB(
        n_actions=M,
        n_features=Q,
        interactions=((0, 1), (2, 4)),
        state_channels=(1,),
        alpha=0.7,
        ridge=5.0,
        residual_ridge=11.0,
        epsilon=1e-6,
    )
    a = np.diag(np.concatenate([np.full(9, 5.0), np.full(M, 11.0)]))
    moment = 5.0 * np.eye(9 + M)[0]
    for batch, column, reward, weight in train(policy, np.random.default_rng(5), 8):
        for row in range(len(batch)):
            prior = batch.prior[row, column[row]]
            phi = prior * dense_row(batch, row, int(column[row]))
            a += weight[row] * np.outer(phi, phi) / prior
            moment += weight[row] * phi * reward[row] / prior
    solution = np.linalg.solve(a, moment)
    np.testing.assert_allclose(policy.theta, solution[:9], rtol=1e-8)
    np.testing.assert_allclose(policy.residual, solution[9:], rtol=1e-7, atol=1e-10)

    batch = make_batch(np.random.default_rng(6))
    best = policy.action_probs(batch, np.random.default_rng(0)).argmax(axis=1)
    inverse = np.linalg.inv(a)
    for row in range(len(batch)):
        score = np.full(4, -np.inf)
        for column_ in np.flatnonzero(batch.present[row]):
            x = dense_row(batch, row, int(column_))
            score[column_] = batch.prior[row, column_] * (x @ solution + 0.7 * np.sqrt(x @ inverse @ x))
        assert best[row] == score.argmax()


def test_linucb_stays_finite_on_collinear_features_of_extreme_size() -> None:
    rng = np.random.default_rng(8)
    column = rng.normal(size=(M, 1))
    huge = np.hstack([column * 1e6 / np.abs(column).max(), column, column, np.zeros((M, 2))])
    policy = LinUCB(n_actions=M, n_features=Q)
    for _ in range(30):
        batch = replace(make_batch(rng, n=100), actions=huge)
        shown = decide(policy.action_probs(batch, rng), rng)
        policy.update(batch, shown, rng.random(100), np.full(100, 1e6))
    check_policy(policy, replace(make_batch(rng), actions=huge), rng)
    assert np.isfinite(policy.theta).all()
    assert np.isfinite(policy.residual).all()
