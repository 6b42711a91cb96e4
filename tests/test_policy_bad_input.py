"""Bad input, whatever the policy and whatever is put around it: refused by the name of the field, and nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from copybandit.agents.batch import ABSENT
from copybandit.agents.check import check_policy
from copybandit.agents.decision_book import DecisionBook
from copybandit.agents.policies import Uniform
from copybandit.agents.reward_events import RewardEvents
from copybandit.agents.reward_formula import CLICKS
from copybandit.agents.watchful import Watchful
from copybandit.sim.types import DataError
from tests.policy_entries import (
    ACTIONS,
    CONTEXTUAL,
    ENTRIES,
    FEATURED,
    LEARNERS,
    M,
    make_batch,
    state_of,
    trained,
)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("name", ENTRIES)
def test_unusable_feedback_is_refused_and_changes_nothing(name: str, bad: float) -> None:
    rng = np.random.default_rng(7)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before = state_of(policy)
    column, fine = batch.present.argmax(axis=1), np.ones(len(batch))
    poisoned = np.where(np.arange(len(batch)) == 4, bad, 1.0)
    for reward, weight in ((poisoned, fine), (fine, poisoned), (fine, -fine)):
        with pytest.raises(DataError, match="must be finite"):
            policy.update(batch, column, reward, weight)
    with pytest.raises(DataError, match="present candidate"):
        policy.update(batch, np.where(batch.present.all(1), 9, (~batch.present).argmax(1)), fine, fine)
    with pytest.raises(DataError, match="one per request"):
        policy.update(batch, column, fine[:-1], fine)
    assert state_of(policy) == before


@pytest.mark.parametrize("name", LEARNERS)
def test_a_variant_without_a_place_is_refused_and_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(8)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before = state_of(policy)
    candidates = batch.candidates.copy()
    candidates[5, 0] = M
    grown = replace(batch, candidates=candidates, actions=np.vstack([ACTIONS, ACTIONS[:1]]))
    for ask in (
        lambda: policy.action_probs(grown, rng),
        lambda: policy.update(grown, np.zeros(20, np.int64), np.ones(20), np.ones(20)),
    ):
        with pytest.raises(DataError):
            ask()
    assert state_of(policy) == before


@pytest.mark.parametrize("name", FEATURED)
def test_features_of_another_width_are_refused_and_change_nothing(name: str) -> None:
    rng = np.random.default_rng(9)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before, ones = state_of(policy), np.ones(20)
    column = batch.present.argmax(axis=1)
    for other, rule in (
        (replace(batch, actions=ACTIONS[:, :3]), "actions must have 5 columns, got 3"),
        (replace(batch, context=batch.context[:, :2]), "context columns"),
        (replace(batch, state=batch.state[:, :, :1]), "state_channels"),
    ):
        with pytest.raises(DataError, match=rule):
            policy.action_probs(other, rng)
        with pytest.raises(DataError, match=rule):
            policy.update(other, column, ones, ones)
    assert state_of(policy) == before


@pytest.mark.parametrize("name", CONTEXTUAL)
def test_a_context_of_another_width_is_refused_and_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(9)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before, column = state_of(policy), batch.present.argmax(axis=1)
    other = replace(batch, context=batch.context[:, :2])
    with pytest.raises(DataError, match="context columns"):
        policy.action_probs(other, rng)
    with pytest.raises(DataError, match="context columns"):
        policy.update(other, column, np.ones(20), np.ones(20))
    assert state_of(policy) == before


@pytest.mark.parametrize("name", ENTRIES)
def test_a_request_that_no_policy_can_use_cannot_be_made_and_one_candidate_is_sure(name: str) -> None:
    rng = np.random.default_rng(11)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before = state_of(policy)
    nobody, twice, strange = (batch.candidates.copy() for _ in range(3))
    nobody[4], twice[4], strange[4] = ABSENT, 7, M
    poisoned = {
        field: np.where(
            np.arange(getattr(batch, field).size).reshape(getattr(batch, field).shape) == 2, bad, 0.5
        )
        for bad in (np.nan, np.inf)
        for field in ("context", "actions", "state", "time")
    }
    changes: list[tuple[dict[str, Any], str]] = [
        ({"candidates": nobody}, "row 4: candidates must name a variant"),
        ({"candidates": twice}, "row 4: candidates must be distinct"),
        ({"candidates": strange}, "candidates must be in"),
        ({"candidates": batch.candidates[:, :0]}, "candidates must be"),
        ({"candidates": batch.candidates.astype(float)}, "candidates must be int32, got float64"),
        ({"state": np.zeros(batch.state.shape)}, "prior must be in"),
        *(({field: array}, f"{field} must be finite") for field, array in poisoned.items()),
    ]
    for change, rule in changes:
        with pytest.raises(DataError, match=rule) as caught:
            policy.update(replace(batch, **change), np.zeros(20, np.int64), np.ones(20), np.ones(20))
        assert "\n" not in str(caught.value) and ";" in str(caught.value)
    assert state_of(policy) == before
    alone = replace(batch, candidates=batch.candidates.max(axis=1)[:, None], state=batch.state[:, :1])
    np.testing.assert_allclose(policy.action_probs(alone, rng), 1.0, atol=1e-12)


RATES = ["thompson", "horizon_index", "logistic_thompson", "windowed_by_rows", "watchful", "nested"]
"""Those that learn from rewards in [0, 1] alone."""


@pytest.mark.parametrize("name", ENTRIES)
def test_a_reward_is_refused_where_it_is_no_click_and_a_column_where_it_is_no_number(name: str) -> None:
    rng = np.random.default_rng(12)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before, column, ones = state_of(policy), batch.present.argmax(axis=1), np.ones(20)
    with pytest.raises(DataError, match="column must be whole numbers, got float64"):
        policy.update(batch, column.astype(float), ones, ones)
    for reward in (-0.5 * ones, 2 * ones):
        if name in RATES:
            with pytest.raises(DataError, match=r"reward must be in \[0, 1\]"):
                policy.update(batch, column, reward, ones)
            assert state_of(policy) == before
        else:
            policy.update(batch, column, reward, ones)
            check_policy(policy, batch, rng, floor=ENTRIES[name].floor)


@pytest.mark.parametrize("name", ENTRIES)
def test_what_cannot_be_forgotten_is_refused_and_changes_nothing(name: str) -> None:
    policy = trained(name, np.random.default_rng(13), 3)
    before = state_of(policy)
    for keep in (-0.1, 1.1, np.nan):
        with pytest.raises(DataError, match="keep must be in"):
            policy.forget(keep)
    if ENTRIES[name].learns:
        for variants in (np.array([M]), np.array([2, -1])):
            with pytest.raises(DataError, match="variants must be in"):
                policy.forget(0.5, variants)
    assert state_of(policy) == before


def test_a_watch_over_fewer_variants_than_are_shown_refuses_and_changes_nothing() -> None:
    policy, batch = Watchful(Uniform(), n_actions=3), make_batch(np.random.default_rng(14))
    before = state_of(policy)
    with pytest.raises(DataError, match="candidates must be below 3"):
        policy.update(batch, batch.present.argmax(axis=1), np.ones(20), np.ones(20))
    assert state_of(policy) == before
    with pytest.raises(DataError, match="scope must be one of variant, all, got 'some'"):
        Watchful(Uniform(), n_actions=3, scope="some")  # type: ignore[arg-type]


def test_what_is_told_of_an_unknown_decision_is_refused_and_changes_nothing() -> None:
    book, batch = DecisionBook(CLICKS, horizon_days=1.0), make_batch(np.random.default_rng(15), 3)
    book.open(["a", "b", "c"], batch, batch.present.argmax(axis=1), shown=False)
    before = {name: array.tobytes() for name, array in book.get_state().items()}
    events = RewardEvents(
        decision=["a", "z"], event=["1", "2"], kind=["click"] * 2, value=np.ones(2), time=np.full(2, 4.0)
    )
    with pytest.raises(DataError, match="row 1: decision must be one of the book's, got 'z'"):
        book.tell(events)
    with pytest.raises(DataError, match="row 1: decision must be one of the book's, got 'z'"):
        book.activate(["a", "z"], np.array([True, True]))
    assert {name: array.tobytes() for name, array in book.get_state().items()} == before
