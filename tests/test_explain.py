"""Explanations: the parts are the score, their rule is the policy's, and what they say of a choice is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.explain import explain
from copybandit.agents.explain_parts import FeatureNames
from copybandit.agents.guarded import Guarded
from copybandit.agents.guardrails import Guardrails
from copybandit.agents.policies import (
    UCB1,
    BetaThompson,
    DisjointLinTS,
    DisjointLinUCB,
    EpsilonGreedy,
    ExploreThenCommit,
    HorizonIndex,
    LinTS,
    LinUCB,
    PriorGreedy,
    Softmax,
    Uniform,
)
from copybandit.sim.types import DataError, Floats
from tests.policy_entries import ENTRIES, make_batch, some_seed, state_of, trained

NAMES = FeatureNames(
    actions=("urgency", "price", "warmth", "length", "question"),
    context=("returning", "mobile", "evening"),
    state=("warm start", "recently seen"),
)


def shop(prior: Floats, actions: Floats) -> Batch:
    """One request for all variants."""
    k = len(prior)
    return Batch(
        context=np.zeros((1, 0)),
        actions=actions,
        candidates=np.arange(k, dtype=np.int32)[None, :],
        state=prior[None, :, None],
        time=np.zeros(1),
    )


def teach(policy: Learner, batch: Batch, column: int, clicks: int, rows: int) -> None:
    """Shows one candidate of a request many times."""
    many = replace(
        batch,
        context=np.repeat(batch.context, rows, 0),
        candidates=np.repeat(batch.candidates, rows, 0),
        state=np.repeat(batch.state, rows, 0),
        time=np.zeros(rows),
    )
    reward = (np.arange(rows) < clicks).astype(float)
    policy.update(many, np.full(rows, column), reward, np.ones(rows))


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=20, deadline=None)
@given(seed=some_seed, n=st.integers(1, 12), k=st.integers(1, 6), steps=st.integers(0, 5))
def test_parts_add_up_and_their_rule_is_the_policy(name: str, seed: int, n: int, k: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    policy, batch = trained(name, rng, steps), make_batch(rng, n, k)
    before = state_of(policy)
    told = explain(policy, batch, NAMES)
    probs = policy.action_probs(batch, np.random.default_rng(0))
    assert state_of(policy) == before
    for row, request in enumerate(told):
        columns = np.flatnonzero(batch.present[row])
        assert [one.variant for one in request] == batch.candidates[row, columns].tolist()
        np.testing.assert_allclose([one.probability for one in request], probs[row, columns], atol=1e-9)
        for one in request:
            size = sum(abs(part.value) for part in one.contributions)
            assert sum(part.value for part in one.contributions) == pytest.approx(
                one.score, abs=1e-12 * (1 + size) if np.isfinite(size) else 0
            )
            assert all(-1 <= part.move <= 1 for part in one.contributions)


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=10, deadline=None)
@given(seed=some_seed)
def test_moves_of_a_part_cancel_over_the_candidates(name: str, seed: int) -> None:
    """What one candidate gains by a part, others lose: both vectors that are compared sum to 1."""
    rng = np.random.default_rng(seed)
    for request in explain(trained(name, rng, 3), make_batch(rng, 5, 5)):
        moves: dict[tuple[str, str], float] = {}
        for one in request:
            for part in one.contributions:
                moves[part.kind, part.name] = moves.get((part.kind, part.name), 0.0) + part.move
        assert max(abs(total) for total in moves.values()) < 1e-9


def test_guardrails_tell_what_the_projection_did_to_each_probability() -> None:
    rng = np.random.default_rng(8)
    plain, batch = trained("lints", rng, 4), make_batch(rng, 12, 5)
    rules = Guardrails(floor=0.05, cap=0.5, least=((3, 0.2),), paused=(0,), control=(0,))
    inner, outer = Guarded(plain, Guardrails(floor=0.1)), Guarded(plain, rules)
    free, ruled = (one.action_probs(batch, rng) for one in (plain, outer))
    assert np.abs(ruled - free).max() > 0.1
    for row, request in enumerate(explain(outer, batch)):
        for one, column in zip(request, np.flatnonzero(batch.present[row]), strict=True):
            (rule,) = (part for part in one.contributions if part.kind == "guardrails")
            assert rule.move == pytest.approx(ruled[row, column] - free[row, column], abs=1e-12)
            if abs(rule.move) > 0.2:
                assert "the shop's rules" in one.sentence
    assert not any("shop's rules" in one.sentence for row in explain(plain, batch) for one in row)
    both = Guarded(inner, Guardrails(cap=0.5))
    told = [one.probability for row in explain(both, batch) for one in row]
    np.testing.assert_allclose(told, both.action_probs(batch, rng)[batch.present], atol=1e-9)


def test_scores_are_what_the_policies_rank_by() -> None:
    rng = np.random.default_rng(1)
    batch = make_batch(rng, 15, 5)
    names = ("linucb", "epsilon_greedy", "ucb1", "horizon_index")
    linucb, greedy, ucb, index = (trained(name, rng, 5) for name in names)
    assert isinstance(linucb, LinUCB) and isinstance(greedy, EpsilonGreedy)
    assert isinstance(ucb, UCB1) and isinstance(index, HorizonIndex)
    scores = linucb.parts(batch, NAMES)
    plain = linucb.predict(batch)
    doubt = scores.value[..., -1]
    assert scores.kinds[-1] == "doubt" and (doubt[batch.present] > 0).all()
    np.testing.assert_allclose((scores.score - doubt)[batch.present], plain[batch.present], atol=1e-14)
    for expected, got in (
        (greedy.predict(batch), greedy.parts(batch, NAMES)),
        (ucb.bound(batch), ucb.parts(batch, NAMES)),
        (index.index(batch), index.parts(batch, NAMES)),
    ):
        np.testing.assert_allclose(got.score[batch.present], expected[batch.present], atol=1e-14)


def test_features_are_told_relative_to_the_candidates_and_by_name() -> None:
    rng = np.random.default_rng(2)
    policy = trained("linucb", rng, 8)
    assert isinstance(policy, LinUCB)
    batch = make_batch(rng, 6, 4)
    told = policy.parts(batch, NAMES.of(batch))
    named = dict(zip(told.names, np.moveaxis(told.value, 2, 0), strict=True))
    here = batch.present
    x = np.where(here, batch.actions[batch.candidates, 0], 0.0)
    mean = x.sum(axis=1, keepdims=True) / here.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        named["urgency"], np.where(here, batch.prior * policy.theta[1] * (x - mean), 0.0), atol=1e-15
    )
    x = np.where(here, batch.context[:, [0]] * batch.actions[batch.candidates, 1], 0.0)
    mean = x.sum(axis=1, keepdims=True) / here.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        named["price for returning"],
        np.where(here, batch.prior * policy.theta[6] * (x - mean), 0.0),
        atol=1e-15,
    )
    assert "recently seen" in named


def test_a_disjoint_record_is_told_by_context() -> None:
    rng = np.random.default_rng(4)
    policy = trained("disjoint_linucb", rng, 8)
    assert isinstance(policy, DisjointLinUCB)
    batch = make_batch(rng, 6, 4)
    told = policy.parts(batch, NAMES.of(batch))
    named = dict(zip(told.names, np.moveaxis(told.value, 2, 0), strict=True))
    theta = policy.model.theta[batch.candidates]
    expected = np.where(batch.present, batch.prior * theta[..., 2] * batch.context[:, [1]], 0.0)
    np.testing.assert_allclose(named["its own record for mobile"], expected, atol=1e-15)
    mean, _ = policy.model.scores(batch)
    np.testing.assert_allclose((told.score - told.value[..., -1])[batch.present], mean[batch.present])
    assert (named["its own record for such requests"][batch.present] != 0).any()


def test_what_candidates_share_of_a_test_is_told_apart_from_their_own_clicks() -> None:
    """All of them earn thrice what was believed: the level that they share says it, none has much of its own."""
    batch = shop(np.full(4, 0.02), np.zeros((4, 0)))
    policy = HorizonIndex(np.full(4, 0.02), horizon=1e5, strength=50.0)
    before = policy.parts(batch, FeatureNames())
    assert before.kinds == ("warm start", "common", "record", "doubt")
    np.testing.assert_allclose(before.value[..., 1:3], 0, atol=1e-15)
    for column in range(4):
        teach(policy, batch, column, clicks=60, rows=1000)
    start, common, own, _ = np.moveaxis(policy.parts(batch, FeatureNames()).value[0], 1, 0)
    assert (common > start).all() and (np.abs(own) < 0.1 * common).all()


def test_a_feature_that_wins_clicks_is_why_it_is_shown() -> None:
    """Two variants differ in one feature alone, and only that can be what moved their probabilities."""
    batch = shop(np.array([0.02, 0.02]), np.array([[1.0, 0.3], [-1.0, 0.3]]))
    policy = LinTS(n_actions=2, n_features=2, residual_ridge=1e9)
    teach(policy, batch, 0, clicks=60, rows=1000)
    teach(policy, batch, 1, clicks=2, rows=1000)
    (best, _), *_ = explain(policy, batch, FeatureNames(actions=("urgency", "length")))
    first = best.contributions[0]
    assert (first.kind, first.name) == ("feature", "urgency") and first.value > 0 and first.move > 0.3
    assert best.sentence.startswith(f"Shown {best.probability:.0%} of the time: urgency +")
    assert best.sentence.endswith("60 clicks where the estimate before any feedback expected 20.")
    assert next(part for part in best.contributions if part.name == "length").move == 0


def test_identical_candidates_have_nothing_that_tells_them_apart() -> None:
    batch = shop(np.full(4, 0.02), np.zeros((4, 1)))
    for policy in (
        LinUCB(n_actions=4, n_features=1),
        LinTS(n_actions=4, n_features=1, points=256),
        EpsilonGreedy(n_actions=4),
        Uniform(),
    ):
        for one in explain(policy, batch)[0]:
            assert max(abs(part.move) for part in one.contributions) < 0.003
            assert one.sentence.startswith("Shown 25% of the time: nothing tells it from the others.")


def test_a_variant_that_was_never_tried_says_so_and_doubt_speaks_for_it() -> None:
    batch = shop(np.full(3, 0.02), np.zeros((3, 1)))
    policies: list[LinUCB | UCB1 | DisjointLinUCB] = [
        LinUCB(n_actions=3, n_features=1, alpha=2.0),
        UCB1(n_actions=3),
        DisjointLinUCB(n_actions=3, n_context=0, alpha=2.0),
    ]
    for policy in policies:
        teach(policy, batch, 0, clicks=8, rows=400)
        teach(policy, batch, 1, clicks=8, rows=400)
        *_, new = explain(policy, batch)[0]
        assert new.past is not None and new.past.seen == 0 and new.sentence.endswith("Never tried.")
        assert (
            max((part for part in new.contributions if part.kind == "doubt"), key=lambda p: p.move).move > 0.5
        )
        assert "doubt +" in new.sentence


def test_doubt_moves_thompson_towards_the_variant_of_which_little_is_known() -> None:
    batch = shop(np.full(3, 0.02), np.zeros((3, 1)))
    linear = LinTS(n_actions=3, n_features=1)
    beta = BetaThompson(np.full(3, 0.02), strength=50)
    disjoint = DisjointLinTS(n_actions=3, n_context=0)
    for policy in (linear, beta, disjoint):
        for column in (0, 1):
            teach(policy, batch, column, clicks=60, rows=2000)  # better than the warm start says
        # Well below the others in the mean, and shown at all only because it may be better than that.
        new = explain(policy, batch)[0][2]
        doubt = next(part for part in new.contributions if part.kind == "doubt")
        assert doubt.value == 0 and doubt.move > 0.01, policy.name


def test_counts_are_the_counts() -> None:
    batch = shop(np.array([0.01, 0.02]), np.zeros((2, 0)))
    for policy in (
        UCB1(n_actions=2),
        ExploreThenCommit(n_actions=2, explore=100),
        BetaThompson(np.array([0.01, 0.02]), strength=100),
        HorizonIndex(np.array([0.01, 0.02]), horizon=500),
    ):
        teach(policy, batch, 1, clicks=3, rows=90)
        first, second = explain(policy, batch)[0]
        assert first.past is not None and second.past is not None
        assert first.past.seen == 0
        assert second.past.seen == pytest.approx(90) and second.past.clicks == pytest.approx(3)
        assert second.sentence.endswith("3 clicks in 90 impressions.")


def test_exploration_is_told_as_what_it_takes_and_gives() -> None:
    batch = shop(np.array([0.01, 0.02, 0.03, 0.04]), np.zeros((4, 0)))
    for one in explain(PriorGreedy(epsilon=0.2), batch)[0]:
        floor = next(part for part in one.contributions if part.kind == "exploration")
        assert floor.move == pytest.approx(0.05 - 0.2 * (one.variant == 3))
    worst, *_, best = explain(PriorGreedy(epsilon=0.2), batch)[0]
    assert worst.sentence == (
        "Shown 5% of the time: the estimate before any feedback -20 points, even exploration +5 points."
    )
    assert best.sentence.startswith("Shown 85% of the time: the estimate before any feedback +60 points")


def test_softmax_moves_are_those_of_the_formula() -> None:
    """With the warm start evened out, both candidates are alike: p without it is 1/2 exactly."""
    batch = shop(np.array([0.010, 0.012]), np.zeros((2, 1)))
    policy = Softmax(n_actions=2, n_features=1, temperature=0.001, epsilon=0.02)
    share = 1 / (1 + np.exp(-2.0))
    _, better = explain(policy, batch)[0]
    start = next(part for part in better.contributions if part.kind == "warm start")
    assert better.probability == pytest.approx(0.98 * share + 0.01)
    assert start.move == pytest.approx(0.98 * (share - 0.5)) and start.value == 0.012


def test_names_that_do_not_fit_are_refused() -> None:
    batch = make_batch(np.random.default_rng(3))
    policy = LinUCB(n_actions=24, n_features=5)
    with pytest.raises(DataError, match="actions must have 5 names, one a column, got 1"):
        explain(policy, batch, FeatureNames(actions=("urgency",)))
    assert explain(policy, batch)[0][0].contributions[0].words
