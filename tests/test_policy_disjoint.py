"""Coefficients of each variant's own: the posterior is the textbook's, its root stays one, its quadrature an integral."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import Batch
from copybandit.agents.disjoint_model import DisjointModel, DisjointOptions
from copybandit.agents.policy_context import ContextFeatures
from copybandit.agents.policy_disjoint import DisjointLinTS, DisjointLinUCB
from copybandit.agents.policy_independent import best_of_independent
from copybandit.agents.policy_roots import RENEW, Roots
from copybandit.sim.types import DataError, Floats, Ints

some_seed = st.integers(0, 2**32 - 1)


def make_batch(rng: np.random.Generator, n: int, m: int, p: int) -> Batch:
    """Requests with all variants."""
    return Batch(
        context=rng.normal(size=(n, p)),
        actions=np.empty((m, 0)),
        candidates=np.tile(np.arange(m, dtype=np.int32), (n, 1)),
        state=rng.uniform(0.02, 0.3, (n, m, 1)),
        time=np.zeros(n),
    )


def told(rng: np.random.Generator, n: int, m: int, p: int) -> tuple[Batch, Ints, Floats, Floats]:
    batch = make_batch(rng, n, m, p)
    return batch, rng.integers(m, size=n), rng.integers(2, size=n).astype(float), rng.uniform(0.5, 2, n)


@settings(max_examples=15, deadline=None)
@given(seed=some_seed, size=st.integers(1, 40))
def test_the_posterior_is_weighted_ridge_regression_of_each_variant(seed: int, size: int) -> None:
    rng, m, p, ridge = np.random.default_rng(seed), 3, 4, 2.0
    model, rows = DisjointModel(n_actions=m, n_context=p, ridge=ridge), []
    for _ in range(8):
        rows.append(told(rng, size, m, p))
        model.update(*rows[-1])
    asked = make_batch(rng, 7, m, p)
    mean, deviation = model.scores(asked)
    z = np.hstack([np.ones((7, 1)), asked.context])
    for variant in range(m):
        gram, moment = ridge * np.eye(p + 1), np.zeros(p + 1)
        for batch, column, reward, weight in rows:
            at = np.flatnonzero(column == variant)
            x, prior = np.hstack([np.ones((len(at), 1)), batch.context[at]]), batch.prior[at, variant]
            gram += (x * (weight[at] * prior)[:, None]).T @ x
            moment += (weight[at] * (reward[at] - prior)) @ x
        theta = np.linalg.solve(gram, moment)
        np.testing.assert_allclose(model.theta[variant], theta, atol=1e-9)
        np.testing.assert_allclose(mean[:, variant], asked.prior[:, variant] * (1 + z @ theta), atol=1e-9)
        spread = asked.prior[:, variant] * np.sqrt((z * np.linalg.solve(gram, z.T).T).sum(axis=1))
        np.testing.assert_allclose(deviation[:, variant], spread, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=some_seed, size=st.integers(1, 40), keep=st.floats(0, 1))
def test_forgetting_a_variant_is_to_weigh_its_rows_for_less(seed: int, size: int, keep: float) -> None:
    rng = np.random.default_rng(seed)
    options = DisjointOptions(n_actions=3, n_context=2, ridge=2.0, waves=3)
    model, lighter = DisjointModel(**options), DisjointModel(**options)
    for _ in range(4):
        batch, column, reward, weight = told(rng, size, 3, 2)
        model.update(batch, column, reward, weight)
        lighter.update(batch, column, reward, weight * np.where(column == 1, 1.0, keep))
    model.forget(keep, np.array([2, 0]))
    asked = make_batch(rng, 7, 3, 2)
    for one, other in zip(model.scores(asked), lighter.scores(asked), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_rank_one_updates_do_not_drift_away_from_the_precision() -> None:
    rng, d = np.random.default_rng(0), 12
    roots = Roots(2, d, 1e-3)
    for step in range(4 * RENEW + 7):
        z = rng.normal(size=(1, d)) * 10 ** rng.uniform(-3, 3)
        roots.add(z, np.array([step % 2]), np.array([10 ** rng.uniform(-3, 3)]))
    for variant in range(2):
        inverse = roots.root[variant] @ roots.root[variant].T
        np.testing.assert_allclose(inverse @ roots.precision[variant], np.eye(d), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=some_seed, k=st.integers(1, 7))
def test_the_best_of_independent_scores_agrees_with_draws(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    mean, deviation = rng.normal(size=(1, k)), 10 ** rng.uniform(-1.5, 0.5, (1, k))
    drawn = mean + deviation * rng.normal(size=(200_000, k))
    share = np.bincount(drawn.argmax(axis=1), minlength=k) / len(drawn)
    found = best_of_independent(mean, deviation, np.ones((1, k), dtype=np.bool_), 64)[0]
    assert np.abs(found - share).sum() / 2 < 0.02


def test_two_scores_have_a_closed_form() -> None:
    from scipy.special import ndtr

    found = best_of_independent(
        np.array([[0.3, 0.0]]), np.array([[0.6, 0.8]]), np.ones((1, 2), np.bool_), 256
    )
    assert found[0, 0] == pytest.approx(ndtr(0.3), abs=2e-4)


def test_waves_stand_for_a_gaussian_kernel() -> None:
    rng, width = np.random.default_rng(1), 1.5
    x = rng.normal(size=(40, 3))
    waves = ContextFeatures(n_context=3, waves=20_000, width=width)(x)[:, 4:]
    distance = np.square(x[:, None] - x[None]).sum(axis=2)
    np.testing.assert_allclose(waves @ waves.T, np.exp(-distance / (2 * width**2)), atol=0.05)


@pytest.mark.parametrize("made", [DisjointLinUCB, DisjointLinTS])
def test_each_context_gets_its_own_best_variant(made: type[DisjointLinUCB] | type[DisjointLinTS]) -> None:
    rng = np.random.default_rng(2)
    policy = made(n_actions=3, n_context=2, ridge=1.0, waves=16, epsilon=0.02)
    for _ in range(40):
        batch = make_batch(rng, 100, 3, 2)
        column = rng.integers(3, size=100)
        better = np.where(batch.context[:, 0] > 0, 0, 1)
        reward = (rng.random(100) < np.where(column == better, 0.4, 0.05)).astype(float)
        policy.update(batch, column, reward, np.ones(100))
    asked = make_batch(rng, 400, 3, 2)
    asked = Batch(
        context=asked.context,
        actions=asked.actions,
        candidates=asked.candidates,
        state=np.full((400, 3, 1), 0.15),
        time=asked.time,
    )
    right = np.where(asked.context[:, 0] > 0, 0, 1)
    clear = np.abs(asked.context[:, 0]) > 0.5
    chosen = policy.action_probs(asked, rng)[np.arange(400), right]
    assert chosen[clear].mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"n_actions": 100_000, "n_context": 64}, "must be at most 67108864, got 100000 x 65"),
        ({"n_actions": 2, "n_context": 3, "ridge": 0.0}, "ridge must be finite and above 0, got 0"),
        ({"n_actions": 2, "n_context": 3, "waves": -1}, "waves must be at least 0, got 3 and -1"),
        ({"n_actions": 2, "n_context": 3, "width": 0.0}, "width must be finite and above 0"),
    ],
)
def test_unusable_settings_are_refused(arguments: dict[str, float], rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        DisjointModel(**arguments)  # type: ignore[arg-type]
