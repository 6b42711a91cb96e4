"""Policies that are one formula, against that formula worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.policies import UCB1, EpsilonGreedy, LinUCB, Softmax, SquareCB
from copybandit.agents.policy_squarecb import inverse_gap
from copybandit.sim.types import DataError, Floats, Ints

RNG = np.random.default_rng(0)
M = 6
ACTIONS = np.random.default_rng(1).normal(size=(M, 2))


def request(candidates: list[int], prior: list[float], n: int = 1) -> Batch:
    """The same request n times."""
    return Batch(
        context=np.zeros((n, 1)),
        actions=ACTIONS,
        candidates=np.tile(np.array(candidates, dtype=np.int32), (n, 1)),
        state=np.tile(np.array(prior)[:, None], (n, 1, 1)),
        time=np.zeros(n),
    )


def tell(policy: Learner, batch: Batch, column: Ints, reward: Floats) -> None:
    policy.update(batch, column, reward, np.ones(len(batch)))


def test_inverse_gap_weights_by_hand() -> None:
    # Three present: 1 / (3 + 100 * .02) = .2, 1 / (3 + 100 * .07) = .1, the best has the rest.
    score, present = np.array([[0.05, 0.10, 9.0, 0.03]]), np.array([[True, True, False, True]])
    weights = inverse_gap(score, present, gamma=100.0)
    np.testing.assert_allclose(weights, [[1 / 8, 1 - 1 / 8 - 0.1, 0, 0.1]])


def test_inverse_gap_weights_at_the_ends_and_at_ties() -> None:
    present = np.ones((1, 3), dtype=bool)
    score = np.array([[0.2, 0.1, 0.2]])
    # Two best: their formulas add up to 1 - 1 / (3 + 10 * .1), in two equal shares.
    np.testing.assert_allclose(inverse_gap(score, present, 10.0), [[0.375, 0.25, 0.375]])
    np.testing.assert_allclose(inverse_gap(score, present, 1e-12), np.full((1, 3), 1 / 3))
    np.testing.assert_allclose(inverse_gap(score, present, 1e12), [[0.5, 0, 0.5]], atol=1e-9)


def test_squarecb_is_inverse_gap_weighting_of_what_the_linear_model_predicts() -> None:
    policy = SquareCB(n_actions=M, n_features=2, scale=30.0, exponent=0.5, epsilon=0.1)
    model = LinUCB(n_actions=M, n_features=2)
    batch = request([0, 1, 2, 3], [0.02, 0.03, 0.04, 0.05], n=80)
    column = np.arange(80) % 4
    for learner in (policy, model):
        tell(learner, batch, column, (np.arange(80) % 7 == 0).astype(float))
    assert policy.gamma == pytest.approx(30 * 81**0.5)
    predicted = model.predict(batch)[0]
    best = int(predicted.argmax())
    expected = 1 / (4 + policy.gamma * (predicted[best] - predicted))
    expected[best] = 1 - (expected.sum() - expected[best])
    np.testing.assert_allclose(policy.action_probs(batch, RNG)[0], 0.9 * expected + 0.1 / 4)


def test_squarecb_explores_less_as_rows_come_in() -> None:
    policy = SquareCB(n_actions=M, n_features=2, scale=100.0)
    batch = request([0, 1], [0.02, 0.04], n=500)
    before = policy.action_probs(batch, RNG)[0, 1]
    assert before == pytest.approx(0.98 * (1 - 1 / (2 + 100 * 0.02)) + 0.01)
    tell(policy, batch, np.arange(500) % 2, np.zeros(500))
    assert policy.gamma == pytest.approx(100 * 501**0.5)
    steep = SquareCB(n_actions=M, n_features=2, scale=100.0, exponent=1000.0)
    tell(steep, batch, np.arange(500) % 2, np.zeros(500))
    np.testing.assert_allclose(steep.action_probs(batch, RNG)[0], [0.01, 0.99], atol=1e-6)


def test_softmax_by_hand() -> None:
    policy = Softmax(n_actions=M, n_features=2, temperature=0.01, epsilon=0.2)
    batch = request([4, ABSENT, 2, 0], [0.03, 0.0, 0.05, 0.04])
    power = np.exp(np.array([3.0, 5.0, 4.0]))
    probs = 0.8 * power / power.sum() + 0.2 / 3
    np.testing.assert_allclose(policy.action_probs(batch, RNG), [[probs[0], 0, probs[1], probs[2]]])


def test_epsilon_greedy_shrinks_each_ratio_to_the_warm_start() -> None:
    policy = EpsilonGreedy(n_actions=M, strength=2.0, epsilon=0.1)
    batch = request([0, 1, 2], [0.1, 0.2, 0.15], n=20)
    np.testing.assert_array_equal(policy.predict(batch)[0], [0.1, 0.2, 0.15])
    # Ten impressions of 0 with 6 clicks: ratio (2 + 6) / (2 + 10 * .1); ten of 1 with none: 2 / (2 + 10 * .2).
    column = np.repeat([0, 1], 10)
    tell(policy, batch, column, (np.arange(20) < 6).astype(float))
    np.testing.assert_allclose(policy.predict(batch)[0], [0.1 * 8 / 3, 0.2 * 2 / 4, 0.15])
    np.testing.assert_allclose(policy.action_probs(batch, RNG)[0], [0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3])
    # The ratio goes with the variant, the warm start with the request.
    np.testing.assert_allclose(policy.predict(request([3, 0], [0.3, 0.01]))[0], [0.3, 0.01 * 8 / 3])


def test_epsilon_greedy_finds_the_true_ratio_within_three_standard_errors() -> None:
    rng, n = np.random.default_rng(5), 40_000
    policy, batch = EpsilonGreedy(n_actions=M), request([0, 1], [0.02, 0.02], n=n)
    column = rng.integers(2, size=n)
    truth = np.array([0.03, 0.015])
    tell(policy, batch, column, (rng.random(n) < truth[column]).astype(float))
    # The posterior mean is the shrunk truth; the error is that of the clicks.
    expected = np.bincount(column) * 0.02
    shrunk = 0.02 * (44 + expected * truth / 0.02) / (44 + expected)
    error = 0.02 * np.sqrt(np.bincount(column) * truth) / (44 + expected)
    assert (np.abs(policy.predict(batch)[0] - shrunk) < 3 * error).all()


def test_ucb1_is_the_textbook_bound() -> None:
    policy = UCB1(n_actions=M, epsilon=0.3)
    batch = request([0, 1, 2], [0.1, 0.1, 0.1], n=12)
    column = np.array([0] * 7 + [1] * 4 + [2])
    tell(policy, batch, column, np.array([1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], dtype=float))
    n, clicks = np.array([7, 4, 1]), np.array([4, 1, 0])
    expected = clicks / n + np.sqrt(2 * np.log(12) / n)
    np.testing.assert_allclose(policy.bound(batch)[0], expected)
    best = np.eye(3)[expected.argmax()]
    np.testing.assert_allclose(policy.action_probs(batch, RNG)[0], 0.7 * best + 0.1)
    # Another set counts its own impressions only.
    pair = policy.bound(request([1, 2], [0.1, 0.1]))[0]
    np.testing.assert_allclose(pair, [1 / 4 + np.sqrt(2 * np.log(5) / 4), np.sqrt(2 * np.log(5))])


def test_ucb1_shows_those_never_shown_first() -> None:
    policy = UCB1(n_actions=M, epsilon=0.3)
    batch = request([0, ABSENT, 1, 2], [0.1, 0.0, 0.1, 0.1])
    tell(policy, batch, np.array([2]), np.ones(1))
    np.testing.assert_allclose(policy.action_probs(batch, RNG), [[0.45, 0, 0.1, 0.45]])
    assert np.isinf(policy.bound(batch)[0]).tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SquareCB(n_actions=M, n_features=2, scale=0.0),
            "squarecb: scale must be finite and above 0",
        ),
        (lambda: SquareCB(n_actions=M, n_features=2, exponent=-1.0), "exponent must be finite and >= 0"),
        (lambda: Softmax(n_actions=M, n_features=2, temperature=np.nan), "softmax: temperature"),
        (lambda: EpsilonGreedy(n_actions=M, strength=np.inf), "epsilon_greedy: strength"),
        (lambda: UCB1(n_actions=M, width=-0.1), "ucb1: width"),
        (lambda: LinUCB(n_actions=M, n_features=2, alpha=np.inf), "linucb: alpha"),
        (lambda: SquareCB(n_actions=M, n_features=2, ridge=-1.0), "ridge"),
    ],
)
def test_bad_settings_are_refused_in_one_line(make: Callable[[], Learner], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
