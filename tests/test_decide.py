"""decide() draws from exactly the distribution it is given, and stamps that probability."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.decide import decide, decide_one
from copybandit.sim.types import DataError


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    weights=st.lists(st.sampled_from([0.0, 0.0, 1e-12, 1e-3, 0.5, 1.0, 7.0]), min_size=1, max_size=8),
)
def test_a_column_of_probability_zero_is_never_drawn(seed: int, weights: list[float]) -> None:
    raw = np.array([*weights, 1.0])
    probs = np.tile(raw / raw.sum(), (500, 1))
    column = decide(probs, np.random.default_rng(seed))
    assert column.shape == (500,)
    assert (probs[np.arange(500), column] > 0).all()


def test_frequencies_match_the_probabilities() -> None:
    probs, n = np.array([0.5, 0.0, 0.02, 0.18, 0.3, 0.0]), 200_000
    column = decide(np.tile(probs, (n, 1)), np.random.default_rng(1))
    frequency = np.bincount(column, minlength=6) / n
    assert (np.abs(frequency - probs) <= 4 * np.sqrt(probs * (1 - probs) / n)).all()


def test_same_seed_same_draw_and_one_number_per_row() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(5), size=40)
    first, second = np.random.default_rng(9), np.random.default_rng(9)
    np.testing.assert_array_equal(decide(probs, first), decide(probs, second))
    assert first.bit_generator.state == second.bit_generator.state
    # A request decided alone consumes what it would have consumed in a batch.
    alone = np.random.default_rng(9)
    one_by_one = [int(decide(row[None, :], alone)[0]) for row in probs]
    np.testing.assert_array_equal(one_by_one, decide(probs, np.random.default_rng(9)))


@pytest.mark.parametrize(
    "row", [[0.5, 0.4], [1.5, -0.5], [np.nan, 1.0], [0.0, 0.0]], ids=["sum", "negative", "nan", "zero"]
)
def test_what_is_no_distribution_is_refused(row: list[float]) -> None:
    probs = np.array([[0.5, 0.5], row])
    with pytest.raises(DataError, match="decide row 1: action_probs must be >= 0 and sum to 1"):
        decide(probs, np.random.default_rng(0))


def test_one_row_must_still_be_a_batch() -> None:
    with pytest.raises(DataError, match="batch of one"):
        decide(np.array([0.5, 0.5]), np.random.default_rng(0))


def test_decide_one_stamps_the_probability_it_drew_with() -> None:
    candidates, probs = np.array([4, -1, 9], dtype=np.int32), np.array([0.25, 0.0, 0.75])
    shown = set()
    for seed in range(30):
        decision = decide_one(
            candidates=candidates,
            action_probs=probs,
            rng=np.random.default_rng(seed),
            decision_id=f"d{seed}",
            time=datetime(2026, 1, 1, tzinfo=UTC),
            shopper_id="s1",
            product_id="p1",
        )
        assert decision.propensity == {4: 0.25, 9: 0.75}[decision.action]
        assert decision.action_probs == (0.25, 0.0, 0.75)
        shown.add(decision.action)
    assert shown == {4, 9}


def test_decide_one_refuses_probability_on_an_absent_candidate() -> None:
    with pytest.raises(DataError, match="0 where a candidate is absent"):
        decide_one(
            candidates=np.array([4, -1], dtype=np.int32),
            action_probs=np.array([0.5, 0.5]),
            rng=np.random.default_rng(0),
            decision_id="d",
            time=datetime(2026, 1, 1, tzinfo=UTC),
            shopper_id="s1",
            product_id="p1",
        )
