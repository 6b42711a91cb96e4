"""Saved policies: what is loaded is what was saved to the last bit, whole or not at all, or refused in one line."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from copybandit.agents.checkpoint_manifest import MANIFEST
from copybandit.agents.policies import UCB1
from copybandit.agents.policy_files import load_policy, read_manifest, save_policy
from copybandit.agents.policy_migrations import SCHEMA
from copybandit.agents.policy_recipe import recipe_of
from copybandit.agents.stateful import Lasting
from copybandit.sim.types import DataError, Floats
from tests.policy_entries import (
    ENTRIES,
    LEARNERS,
    M,
    feedback,
    make_batch,
    some_seed,
    state_of,
    trained,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def stateful(name: str, seed: int, steps: int) -> Lasting:
    return trained(name, np.random.default_rng(seed), steps)


def save(policy: Lasting, folder: Path, **more: Any) -> Path:
    save_policy(policy, folder, **{"rows": 300, "created": NOON, **more})
    return folder


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=6, deadline=None)
@given(seed=some_seed, before=st.integers(0, 5), after=st.integers(0, 4), size=st.integers(1, 60))
def test_it_says_and_learns_the_same_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int, before: int, after: int, size: int
) -> None:
    policy = stateful(name, seed, before)
    other = load_policy(save(policy, tmp_path_factory.mktemp("saved")))
    assert type(other) is type(policy) and state_of(other) == state_of(policy)
    rng = np.random.default_rng(seed)
    for _ in range(after):
        told = feedback(policy, rng, size)
        for one in (policy, other):
            one.update(*told)
    asked = make_batch(rng)
    first, second = (one.action_probs(asked, np.random.default_rng(0)) for one in (policy, other))
    assert first.tobytes() == second.tobytes() and state_of(other) == state_of(policy)


@pytest.mark.parametrize("name", ENTRIES)
def test_equal_policies_are_equal_files_and_saving_changes_nothing(name: str, tmp_path: Path) -> None:
    policy, twin = stateful(name, 1, 3), stateful(name, 1, 3)
    before = state_of(policy)
    save(policy, tmp_path / "a")
    assert state_of(policy) == before
    save(twin, tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    assert len(list((tmp_path / "a").iterdir())) == 2


def test_the_manifest_tells_lineage(tmp_path: Path) -> None:
    policy = stateful("lints", 2, 2)
    first = save_policy(policy, tmp_path / "a", rows=100, created=NOON)
    policy.update(*feedback(policy, np.random.default_rng(3)))
    second = save_policy(policy, tmp_path / "a", rows=150, created=NOON, parent=first.sha256)
    told = read_manifest(tmp_path / "a")
    assert told == second and told.lineage.parent == first.sha256 and first.lineage.parent is None
    assert (told.lineage.rows, told.lineage.created) == (150, "2026-01-01T12:00:00+00:00")
    raw = json.loads((tmp_path / "a" / MANIFEST).read_text())
    assert (raw["format"], raw["schema"], raw["policy"]) == ("copybandit-policy", SCHEMA, "lints")
    assert raw["sha256"] == hashlib.sha256((tmp_path / "a" / raw["file"]).read_bytes()).hexdigest()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [MANIFEST, raw["file"]]


def changed(folder: Path, **fields: Any) -> Path:
    """The folder with other fields in its manifest."""
    raw = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**raw, **fields}))
    return folder


def with_tensors(folder: Path, **arrays: Floats | None) -> Path:
    """The folder with other tensors, their hash in the manifest the right one."""
    path = folder / json.loads((folder / MANIFEST).read_text())["file"]
    tensors = {**load_file(path), **arrays}
    save_file({name: array for name, array in tensors.items() if array is not None}, path)
    return changed(folder, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def refused(folder: Path, rule: str) -> None:
    with pytest.raises(DataError, match=rule) as caught:
        load_policy(folder)
    assert "\n" not in str(caught.value) and ";" in str(caught.value)


def test_what_is_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    def fresh(name: str) -> Path:
        return save(stateful("ucb1", 4, 2), tmp_path / name)

    refused(tmp_path / "nowhere", "manifest.json: cannot be read")
    folder = fresh("bits")
    path = folder / read_manifest(folder).file
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    refused(folder, "sha256 must be")
    path.write_bytes(content[:40])
    refused(folder, "sha256 must be")
    refused(changed(folder, sha256=hashlib.sha256(content[:40]).hexdigest()), "not safetensors")
    path.unlink()
    refused(folder, "cannot be read")
    folder = fresh("manifest")
    (folder / MANIFEST).write_text('{"format": "copy')
    refused(folder, "not JSON")
    (folder / MANIFEST).write_text('{"model": 3}')
    refused(folder, "format must be 'copybandit-policy'")
    refused(changed(fresh("field"), lineage={"rows": 3}), "must hold schema, policy")
    refused(changed(fresh("type"), sha256=3), "sha256 must be a str")
    refused(changed(fresh("path"), file="../ucb1"), "file a plain name")


def test_what_is_foreign_is_refused_in_one_line(tmp_path: Path) -> None:
    def fresh(name: str) -> Path:
        return save(stateful("ucb1", 5, 2), tmp_path / name)

    refused(changed(fresh("policy"), policy="oracle"), "policy must be one of uniform, ")
    refused(changed(fresh("other"), policy="epsilon_greedy"), "settings must be those of epsilon_greedy")
    refused(changed(fresh("wide"), settings={"n_actions": M, "width": -1.0}), "width must be finite")
    refused(changed(fresh("size"), settings={"n_actions": M + 1}), r"impressions must be float64\(25,\)")
    inside = save(stateful("guarded", 5, 2), tmp_path / "around")
    own = json.loads((inside / MANIFEST).read_text())["settings"]
    refused(changed(inside, settings={**own, "policy": "lints"}), "must name the policy inside")
    refused(changed(inside, settings={**own, "policy": {"policy": "oracle", "settings": {}}}), "'oracle'")
    refused(changed(inside, settings={**own, "floor": 2}), "floor must be in")
    refused(changed(inside, settings={**own, "code": "print()"}), "must be those of guarded")
    refused(with_tensors(fresh("missing"), **{"state.clicks": None}), "array clicks must be there")
    refused(with_tensors(fresh("more"), **{"state.ghost": np.ones(2)}), "got ghost too")
    refused(with_tensors(fresh("nan"), **{"state.clicks": np.full(M, np.nan)}), "clicks must be finite")
    narrow = {"state.clicks": np.ones(M, dtype=np.float32)}
    refused(with_tensors(fresh("dtype"), **narrow), r"clicks must be float64\(24,\), got float32")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_state_that_is_refused_changes_nothing(name: str) -> None:
    policy = stateful(name, 6, 3)
    before = state_of(policy)
    good = {key: array.copy() for key, array in stateful(name, 7, 5).get_state().items()}
    last = max(key for key in good if good[key].dtype.kind == "f")
    poisoned = good[last].copy()
    poisoned.ravel()[-1:] = np.nan
    for bad in ({**good, last: poisoned}, {key: good[key] for key in good if key != last}):
        with pytest.raises(DataError):
            policy.set_state(bad)
        assert state_of(policy) == before
    policy.set_state(good)
    assert state_of(policy) == state_of(stateful(name, 7, 5))


def test_a_policy_that_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    class Mine(UCB1):
        name = "mine"

    with pytest.raises(DataError, match="policy must be one of"):
        save_policy(Mine(n_actions=3), tmp_path / "mine", rows=0, created=NOON)
    assert not (tmp_path / "mine").exists()


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: a write that would fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 100, 1000])
def test_a_full_disk_leaves_the_last_good_one(room: int, tmp_path: Path) -> None:
    policy = stateful("linucb", 8, 2)
    folder = save(policy, tmp_path / "p")
    names, kept = sorted(path.name for path in folder.iterdir()), state_of(load_policy(folder))
    policy.update(*feedback(policy, np.random.default_rng(9)))
    with disk_of(room), pytest.raises(OSError, match="while saving; the checkpoint before is kept"):
        save(policy, folder)
    assert sorted(path.name for path in folder.iterdir()) == names
    assert state_of(load_policy(folder)) == kept != state_of(policy)
    save(policy, folder)
    assert state_of(load_policy(folder)) == state_of(policy)


def test_a_manifest_that_was_not_replaced_is_the_checkpoint_before(tmp_path: Path) -> None:
    """A crash between the two files: the new tensors lie there, the old ones still count; the next save tidies up."""
    policy = stateful("linucb", 10, 2)
    folder = save(policy, tmp_path / "p")
    before, old = (folder / MANIFEST).read_bytes(), state_of(policy)
    held = folder / read_manifest(folder).file
    tensors = held.read_bytes()
    policy.update(*feedback(policy, np.random.default_rng(11)))
    save(policy, folder)
    (folder / MANIFEST).write_bytes(before)
    held.write_bytes(tensors)
    (folder / ".state-12.safetensors-half").write_bytes(b"half")
    assert state_of(load_policy(folder)) == old
    save(policy, folder)
    assert len(list(folder.iterdir())) == 2


def test_settings_come_back_as_they_were(tmp_path: Path) -> None:
    for name, entry in ENTRIES.items():
        policy = stateful(name, 14, 1)
        loaded = load_policy(save(policy, tmp_path / name))
        assert state_of(recipe_of(loaded)) == state_of(recipe_of(policy)), name
        assert state_of(recipe_of(policy).make()) == state_of(entry.make())


def test_settings_that_numpy_counted_are_saved(tmp_path: Path) -> None:
    policy = UCB1(n_actions=np.int64(M), width=np.float64(0.1))  # type: ignore[arg-type]
    assert load_policy(save(policy, tmp_path / "p")).settings() == policy.settings()


def test_a_loaded_policy_is_its_own(tmp_path: Path) -> None:
    policy = stateful("linucb", 15, 2)
    state = {name: array.copy() for name, array in policy.get_state().items()}
    other = stateful("linucb", 16, 0)
    other.set_state(state)
    for array in state.values():
        array[...] = 0
    assert state_of(other.get_state()) == state_of(policy.get_state())
    batch = replace(make_batch(np.random.default_rng(17)))
    before = policy.action_probs(batch, np.random.default_rng(0))
    other.update(*feedback(other, np.random.default_rng(18)))
    np.testing.assert_array_equal(policy.action_probs(batch, np.random.default_rng(0)), before)
