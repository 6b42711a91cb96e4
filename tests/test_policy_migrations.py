"""Checkpoints of former layouts: they are brought to the present one, or refused with a remedy."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from copybandit.agents.checkpoint_manifest import MANIFEST
from copybandit.agents.policies import LinTS, LinUCB
from copybandit.agents.policy_files import load_policy, read_manifest
from copybandit.agents.policy_migrations import MIGRATIONS, SCHEMA
from tests.policy_entries import LINEAR, M, feedback, make_batch, state_of
from tests.test_policy_files import changed, refused, save, stateful


def former(policy: LinUCB | LinTS, folder: Path, batches: list[Any]) -> Path:
    """A checkpoint as schema 1 wrote it: the normal equations as sums over the same rows."""
    d, own = 1 + 5 + 2 + 1, policy.settings()
    gram, cross = own["ridge"] * np.eye(d), np.zeros((M, d))
    diagonal, residual = np.full(M, own["residual_ridge"]), np.zeros(M)
    moment = own["ridge"] * np.eye(d)[0]
    for batch, column, reward, weight in batches:
        row, v = np.arange(len(batch)), batch.shown(column)
        a, c, state = batch.actions[v], batch.context, batch.state[row, column]
        x = np.column_stack([np.ones(len(batch)), a, c[:, 0] * a[:, 1], c[:, 2] * a[:, 4], state[:, 1]])
        w = weight * state[:, 0]
        gram += (w[:, None] * x).T @ x
        np.add.at(cross, v, w[:, None] * x)
        np.add.at(diagonal, v, w)
        moment += (weight * reward) @ x
        np.add.at(residual, v, weight * reward)
    folder.mkdir()
    tensors = {
        "state.gram": gram,
        "state.cross": cross,
        "state.diagonal": diagonal,
        "state.moment": moment,
        "state.residual_moment": residual,
    }
    save_file(tensors, folder / "state-1.safetensors")
    raw = {
        "format": "copybandit-policy",
        "schema": 1,
        "policy": policy.name,
        "settings": own,
        "file": "state-1.safetensors",
        "sha256": hashlib.sha256((folder / "state-1.safetensors").read_bytes()).hexdigest(),
        "lineage": {"rows": 250, "created": "2025-11-01T00:00:00+00:00", "parent": None},
    }
    (folder / MANIFEST).write_text(json.dumps(raw))
    return folder


@pytest.mark.parametrize("kind", [LinUCB, LinTS])
def test_a_checkpoint_of_the_former_layout_is_migrated(
    kind: type[LinUCB] | type[LinTS], tmp_path: Path
) -> None:
    rng, policy = np.random.default_rng(12), kind(**LINEAR)
    batches = [feedback(policy, rng) for _ in range(5)]
    for told in batches:
        policy.update(*told)
    loaded = load_policy(former(policy, tmp_path / "old", batches))
    assert read_manifest(tmp_path / "old").schema == SCHEMA
    mine, theirs = policy.get_state(), loaded.get_state()
    for name in ("shared", "each"):
        np.testing.assert_allclose(theirs[name], mine[name], atol=1e-9)
    for told in [feedback(policy, rng)]:
        policy.update(*told)
        loaded.update(*told)
    asked = make_batch(rng)
    np.testing.assert_allclose(loaded.action_probs(asked, rng), policy.action_probs(asked, rng), atol=1e-7)
    again = load_policy(save(loaded, tmp_path / "new"))
    assert state_of(again) == state_of(loaded)


def test_schemas_that_cannot_be_migrated_are_refused_with_a_remedy(tmp_path: Path) -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA))
    folder = save(stateful("linucb", 13, 1), tmp_path / "p")
    refused(changed(folder, schema=SCHEMA + 1), "load it with a newer copybandit")
    refused(changed(folder, schema=0), "learn the policy again from its log")
    refused(changed(folder, schema=1), "tensor state.gram must be there")
