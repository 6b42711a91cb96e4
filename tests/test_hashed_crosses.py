"""Hashed crosses: the formula, the sketch it is, both forms of it, and a world that needs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from copybandit.agents.batch import Batch
from copybandit.agents.decide import decide
from copybandit.agents.explain_parts import FeatureNames
from copybandit.agents.hashed_crosses import HashedCrosses, splitmix64
from copybandit.agents.policies import LinUCB
from copybandit.agents.policy_features import LinearOptions, SharedFeatures
from copybandit.agents.policy_files import load_policy, save_policy
from copybandit.sim.types import DataError

M, Q, P = 30, 6, 4
ACTIONS = np.random.default_rng(1).normal(size=(M, Q))
PLAIN = LinearOptions(n_actions=M, n_features=Q)
CROSSED = LinearOptions(n_actions=M, n_features=Q, n_context=P, hashed_crosses=7)
some_seed = st.integers(0, 2**32 - 1)


def request(rng: np.random.Generator, n: int, k: int = 5) -> Batch:
    return Batch(
        context=rng.normal(size=(n, P)),
        actions=ACTIONS,
        candidates=np.argsort(rng.random((n, M)), axis=1)[:, :k].astype(np.int32),
        state=np.full((n, k, 1), 0.1),
        time=np.zeros(n),
    )


def test_the_hash_is_the_one_that_is_published() -> None:
    """The first outputs of SplitMix64 with seed 0, as the reference implementation gives them."""
    first = splitmix64(np.arange(3, dtype=np.uint64))
    assert [hex(int(z)) for z in first] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]


def test_where_a_product_goes_never_changes() -> None:
    """Checkpoints hold coefficients of buckets, not what is in them."""
    hashed = HashedCrosses(n_context=2, n_features=4, buckets=10)
    assert hashed.bucket.tolist() == [[7, 0, 9, 2], [2, 7, 6, 2]]
    assert hashed.sign.tolist() == [[-1, 1, -1, 1], [1, -1, -1, -1]]


@settings(max_examples=40, deadline=None)
@given(seed=some_seed, n=st.integers(0, 5), p=st.integers(1, 5), q=st.integers(1, 6), h=st.integers(1, 9))
def test_phi_is_its_formula_and_the_plan_tells_the_same(seed: int, n: int, p: int, q: int, h: int) -> None:
    rng = np.random.default_rng(seed)
    context, actions = rng.normal(size=(n, p)), rng.normal(size=(n, 3, q))
    hashed = HashedCrosses(n_context=p, n_features=q, buckets=h)
    formula, planned = np.zeros((n, 3, h)), np.zeros((n, 3, 2 + h))
    for i in range(p):
        for a in range(q):
            z = int(splitmix64(np.array([(i << 32) + a], dtype=np.uint64))[0])
            formula[..., (z >> 1) % h] += (1 - 2 * (z & 1)) * context[:, i, None] * actions[..., a]
    for feature, i, a, sign in hashed.plan(2).tolist():
        planned[..., feature] += sign * context[:, i, None] * actions[..., a]
    np.testing.assert_allclose(hashed(context, actions), formula, atol=1e-12)
    np.testing.assert_allclose(planned[..., 2:], formula, atol=1e-12)


def test_the_sketch_keeps_inner_products_on_average() -> None:
    """E[phi . phi'] = (context . context') (action . action'): every request has context columns, so a hash, of its own."""
    rng, n = np.random.default_rng(2), 1000
    contexts, actions = rng.normal(size=(2, P)), rng.normal(size=(2, Q))
    hashed = HashedCrosses(n_context=n * P, n_features=Q, buckets=8)
    one, other = (
        hashed(np.kron(np.eye(n), context), np.tile(action, (n, 1, 1)))[:, 0]
        for context, action in zip(contexts, actions, strict=True)
    )
    found = np.einsum("nh,nh->n", one, other)
    error = found.std() / np.sqrt(n)
    assert abs(found.mean() - (contexts[0] @ contexts[1]) * (actions[0] @ actions[1])) < 3 * error


@settings(max_examples=20, deadline=None)
@given(seed=some_seed, n=st.integers(0, 7))
def test_what_was_shown_has_the_features_it_had_among_the_candidates(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    features = SharedFeatures(
        n_actions=M, n_features=Q, n_context=P, hashed_crosses=7, interactions=((0, 1),)
    )
    batch, column = request(rng, n), rng.integers(5, size=n)
    np.testing.assert_allclose(features(batch, column), features(batch)[np.arange(n), column], atol=1e-12)
    assert features(batch).shape == (n, 5, 1 + Q + 1 + 7)


def test_buckets_are_called_by_what_is_in_them() -> None:
    features = SharedFeatures(n_actions=M, n_features=2, n_context=1, hashed_crosses=5)
    names = features.names(FeatureNames(actions=("short", "price"), context=("age",), state=("prior",)))
    assert names[:2] == ("short", "price") and len(names) == 7
    told = [name for name in names[2:] if "of nothing" not in name]
    assert sum("short for age" in name for name in told) == sum("price for age" in name for name in told) == 1
    one = SharedFeatures(n_actions=M, n_features=2, n_context=1, hashed_crosses=1)
    assert one.names(FeatureNames(actions=("short", "price"), context=("age",)))[-1] == (
        "hashed cross 0 (short for age and 1 more)"
    )


@pytest.mark.parametrize(
    ("crosses", "context", "q"), [(-1, 2, 2), (3, 0, 2), (3, 2, 0), (3, -1, 2), (0, -1, 2)]
)
def test_crosses_need_columns(crosses: int, context: int, q: int) -> None:
    with pytest.raises(DataError, match="hashed_crosses must be 0, or above 0 with n_context"):
        SharedFeatures(n_actions=M, n_features=q, n_context=context, hashed_crosses=crosses)
    with pytest.raises(DataError, match="at most 256 shared features, got 257"):
        SharedFeatures(n_actions=M, n_features=2, n_context=1, hashed_crosses=255)


def test_a_score_is_told_with_its_crosses() -> None:
    """The parts add up to the score, and a part that is a cross says so."""
    rng, policy = np.random.default_rng(4), LinUCB(**CROSSED, alpha=0.0)
    batch = request(rng, 200)
    policy.update(batch, np.zeros(200, np.int64), (rng.random(200) < 0.3).astype(float), np.ones(200))
    asked = request(rng, 5)
    parts = policy.parts(asked, FeatureNames().of(asked))
    np.testing.assert_allclose(parts.value.sum(axis=2), policy.predict(asked), atol=1e-12)
    crosses = [column for column, name in enumerate(parts.names) if name.startswith("hashed cross")]
    assert len(crosses) == 7 and np.abs(parts.value[..., crosses]).max() > 1e-4


@pytest.mark.parametrize("columns", [P - 1, P + 1])
def test_another_context_is_refused(columns: int) -> None:
    policy = LinUCB(n_actions=M, n_features=Q, n_context=P, hashed_crosses=7)
    batch = Batch(
        context=np.zeros((1, columns)),
        actions=ACTIONS,
        candidates=np.array([[0, 1]], dtype=np.int32),
        state=np.full((1, 2, 1), 0.1),
        time=np.zeros(1),
    )
    with pytest.raises(DataError, match=f"hashed crosses need 4 context columns, got {columns}"):
        policy.action_probs(batch, np.random.default_rng(0))


@pytest.mark.parametrize("options", [PLAIN, CROSSED], ids=["none", "seven"])
def test_a_checkpoint_loads_to_the_last_bit_also_from_before_there_were_crosses(
    options: LinearOptions, tmp_path: Path
) -> None:
    rng, policy = np.random.default_rng(3), LinUCB(**options)
    policy.update(request(rng, 50), np.zeros(50, np.int64), (rng.random(50) < 0.2).astype(float), np.ones(50))
    save_policy(policy, tmp_path, rows=50, created=datetime(2026, 1, 1, tzinfo=UTC))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    if options is PLAIN:
        del manifest["settings"]["n_context"], manifest["settings"]["hashed_crosses"]
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    loaded, asked = load_policy(tmp_path), request(rng, 20)
    np.testing.assert_array_equal(loaded.action_probs(asked, rng), policy.action_probs(asked, rng))
    assert loaded.settings()["hashed_crosses"] == (7 if options is CROSSED else 0)


def crossed_season(policy: LinUCB, seed: int) -> float:
    """Mean true click of what a policy shows where taste for every copy column varies with every context column."""
    rng, taste = np.random.default_rng(seed), np.random.default_rng([seed, 1]).normal(size=(P, Q)) * 0.3
    earned = []
    for _ in range(60):
        batch = request(rng, 100)
        odds = logit(0.1) + np.einsum("np,pq,nkq->nk", batch.context, taste, ACTIONS[batch.candidates])
        column = decide(policy.action_probs(batch, rng), rng)
        chance = expit(odds)[np.arange(100), column]
        policy.update(batch, column, (rng.random(100) < chance).astype(float), np.ones(100))
        earned.append(float(chance.mean()))
    return float(np.mean(earned[30:]))


def test_a_world_of_crosses_needs_them() -> None:
    """Paired over seeds, each with a taste of its own; no pair is named, and 16 buckets hold the 24 products."""
    gain: list[float] = []
    for seed in range(8):
        made = [LinUCB(n_actions=M, n_features=Q, ridge=3.0, n_context=P, hashed_crosses=h) for h in (16, 0)]
        gain.append(crossed_season(made[0], seed) - crossed_season(made[1], seed))
    assert np.mean(gain) > 3 * np.std(gain, ddof=1) / np.sqrt(len(gain)) > 0
    assert np.mean(gain) > 0.02
