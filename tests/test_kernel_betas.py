"""The compiled Beta quadrature against the NumPy form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import ABSENT, Batch
from copybandit.agents.fast import kernel
from copybandit.agents.policies import BetaThompson
from copybandit.agents.policy_pmf import with_floor

pytest.importorskip("numba", reason="the extra [fast] is not installed: nothing to compare with")

M = 24


def make_batch(rng: np.random.Generator, n: int, k: int) -> Batch:
    candidates = np.argsort(rng.random((n, M)), axis=1)[:, :k].astype(np.int32)
    absent = rng.random((n, k)) < 0.3
    absent[np.arange(n), rng.integers(k, size=n)] = False
    candidates[absent] = ABSENT
    return Batch(
        context=np.zeros((n, 1)),
        actions=np.zeros((M, 1)),
        candidates=candidates,
        state=np.full((n, k, 1), 0.1),
        time=np.zeros(n),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 30),
    k=st.integers(1, 12),
    scale=st.sampled_from((0.1, 3.0, 1e3, 1e6)),
)
def test_probabilities_are_those_of_numpy(seed: int, n: int, k: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    policy = BetaThompson(rng.uniform(0.001, 0.5, M), strength=scale, epsilon=0.01)
    told = make_batch(rng, 200, 5)
    column = told.present.argmax(axis=1)
    policy.update(told, column, (rng.random(200) < 0.1).astype(float), rng.uniform(0, scale, 200))
    batch = make_batch(rng, n, k)
    c, present = batch.candidates, batch.present
    state = policy.get_state()
    expected = policy._best(state["a"][c], state["b"][c], state["low"][c], state["high"][c], present)
    # Logs of densities are as large as the counts, and lose as many digits, either way.
    rounding = 1e-12 + 1e-14 * (state["a"] + state["b"]).max()
    np.testing.assert_allclose(
        policy.action_probs(batch, rng), with_floor(expected, present, 0.01), rtol=0, atol=rounding
    )


def test_candidates_of_another_kind_take_the_long_way() -> None:
    assert kernel() is not None
    rng = np.random.default_rng(2)
    policy, batch = BetaThompson(np.full(M, 0.1)), make_batch(rng, 6, 5)
    other = Batch.unchecked(
        context=batch.context,
        actions=batch.actions,
        candidates=batch.candidates.astype(np.int64),  # what a caller may do
        state=batch.state,
        time=batch.time,
    )
    np.testing.assert_allclose(policy.action_probs(other, rng), policy.action_probs(batch, rng), atol=1e-12)
