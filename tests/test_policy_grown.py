"""New variants: the policy for more of them has learned the same, and starts the new ones at their prior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import Batch
from copybandit.agents.check import check_policy
from copybandit.agents.policy_files import load_policy
from copybandit.agents.policy_grown import grown
from copybandit.agents.policy_recipe import Recipe, recipe_of
from copybandit.agents.stateful import Lasting
from copybandit.sim.types import DataError, Floats
from tests.policy_entries import ACTIONS, ENTRIES, PRIOR, M, Q, feedback, make_batch, state_of, trained
from tests.test_policy_files import save

MORE = 7
NEW_PRIOR = np.linspace(0.01, 0.04, MORE)
NEW_ACTIONS = np.random.default_rng(5).normal(size=(MORE, Q))


def prior_of(recipe: Recipe) -> bool:
    return "prior" in recipe.settings or (recipe.inside is not None and prior_of(recipe.inside))


def more(policy: Lasting) -> Lasting:
    return grown(policy, M + MORE, NEW_PRIOR if prior_of(recipe_of(policy)) else None)


def probs(policy: Lasting, batch: Batch) -> Floats:
    return policy.action_probs(batch, np.random.default_rng(0))


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 20), k=st.integers(1, 8), steps=st.integers(0, 5))
def test_what_it_says_of_the_old_ones_is_unchanged_to_the_last_bit(
    name: str, seed: int, n: int, k: int, steps: int
) -> None:
    rng = np.random.default_rng(seed)
    policy, batch = trained(name, rng, steps), make_batch(rng, n, k)
    before = state_of(policy)
    larger = more(policy)
    assert type(larger) is type(policy) and state_of(policy) == before
    longer = replace(batch, actions=np.vstack([ACTIONS, NEW_ACTIONS]))
    assert probs(larger, longer).tobytes() == probs(policy, batch).tobytes()
    assert probs(larger, batch).tobytes() == probs(policy, batch).tobytes()


@pytest.mark.parametrize("name", ENTRIES)
def test_new_ones_start_at_the_prior_and_are_learned_of(name: str) -> None:
    rng = np.random.default_rng(3)
    policy = trained(name, rng, 5)
    larger, fresh = more(policy), more(ENTRIES[name].make())
    held = policy.get_state()
    for key, array in larger.get_state().items():
        if array.shape == held[key].shape:
            np.testing.assert_array_equal(array, held[key])
        else:
            assert array.shape == (M + MORE, *held[key].shape[1:])
            np.testing.assert_array_equal(array[:M], held[key])
            np.testing.assert_array_equal(array[M:], fresh.get_state()[key][M:])
    batch = make_batch(rng, 40)
    new = batch.candidates[:, :1] % MORE + M
    wide = replace(
        batch,
        actions=np.vstack([ACTIONS, NEW_ACTIONS]),
        candidates=np.concatenate([new, batch.candidates[:, 1:]], axis=1).astype(np.int32),
    )
    for _ in range(8):
        larger.update(wide, np.zeros(40, np.int64), np.zeros(40), np.ones(40))
    check_policy(larger, wide, rng)
    if ENTRIES[name].learns:
        assert np.abs(probs(larger, wide) - probs(more(policy), wide)).max() > 1e-3


@pytest.mark.parametrize("name", ENTRIES)
def test_growing_by_none_is_a_copy_and_what_has_grown_can_be_saved(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    policy = trained(name, np.random.default_rng(4), 4)
    assert state_of(grown(policy, M).get_state()) == state_of(policy.get_state())
    larger = more(policy)
    again = load_policy(save(larger, tmp_path_factory.mktemp("grown")))
    assert state_of(again) == state_of(larger)
    policy.update(*feedback(policy, np.random.default_rng(5)))
    assert state_of(again) == state_of(larger)


def test_what_cannot_be_is_refused() -> None:
    needy = [name for name, entry in ENTRIES.items() if prior_of(recipe_of(entry.make()))]
    assert needy == ["thompson", "horizon_index", "windowed_by_rows"]
    thompson, linucb = trained("thompson", np.random.default_rng(6), 2), ENTRIES["watchful"].make()
    with pytest.raises(
        DataError, match=r"prior must be \(3,\), as thompson keeps the prior of each .* got \(0,\)"
    ):
        grown(thompson, M + 3)
    with pytest.raises(DataError, match=r"prior must be in \(0, 1\)"):
        grown(thompson, M + 1, np.array([1.5]))
    with pytest.raises(DataError, match=r"n_actions must be at least 24, .* watchful has learned of, got 20"):
        grown(linucb, 20)
    with pytest.raises(DataError, match="n_actions must be at least 24"):
        grown(thompson, M - 1, PRIOR[:0])
