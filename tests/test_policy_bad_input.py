"""Bad input, whatever the policy and whatever is put around it: refused by the name of the field, and nothing is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

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
