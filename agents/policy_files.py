"""A policy on disk, whole or not at all; no pickle.

    FOLDER/manifest.json               schema, policy, settings, lineage, and name and sha256 of the tensors
    FOLDER/state-SHA.safetensors       what feedback has changed (and settings that are arrays)

The manifest is replaced last, in one step, once everything is on the disk: until then the folder holds the checkpoint
before, after that the new one. A policy that is loaded says and learns the same as the one that was saved, to the last bit.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from copybandit.agents.checkpoint_manifest import (
    Lineage,
    Manifest,
    parse_manifest,
    read_whole,
    write_manifest,
    write_whole,
)
from copybandit.agents.policies import (
    UCB1,
    BetaThompson,
    BootstrapBag,
    DisjointLinTS,
    DisjointLinUCB,
    EpsilonGreedy,
    ExploreThenCommit,
    HorizonIndex,
    LinTS,
    LinUCB,
    LogisticThompson,
    NeuralLinear,
    PriorGreedy,
    Softmax,
    SquareCB,
    Uniform,
)
from copybandit.agents.policy_migrations import MIGRATIONS, SCHEMA
from copybandit.agents.stateful import Lasting, Stateful, part, within
from copybandit.sim.types import DataError

KINDS: dict[str, type[Lasting]] = {
    kind.name: kind
    for kind in (
        Uniform,
        PriorGreedy,
        ExploreThenCommit,
        BetaThompson,
        LinUCB,
        EpsilonGreedy,
        UCB1,
        Softmax,
        SquareCB,
        LinTS,
        LogisticThompson,
        BootstrapBag,
        NeuralLinear,
        DisjointLinUCB,
        DisjointLinTS,
        HorizonIndex,
    )
}


def save_policy(
    policy: Stateful, folder: Path, *, rows: int, created: datetime, parent: str | None = None
) -> Manifest:
    """Write a checkpoint in the place of the one that the folder holds.

    Args:
        policy: to keep.
        folder: made where there is none.
        rows: of feedback that it has learned in all.
        created: the time now.
        parent: sha256 of the checkpoint that it went on from.

    Returns:
        The manifest that was written.

    Raises:
        DataError: the policy is none of those that can be loaded again.
        OSError: it could not be written; the checkpoint before is still there.
    """
    if KINDS.get(policy.name) is not type(policy):
        raise DataError(
            f"save_policy: policy must be one of {', '.join(KINDS)}, got {policy.name}; keep its log instead"
        )
    settings = policy.settings()
    fixed = {name: value for name, value in settings.items() if isinstance(value, np.ndarray)}
    tensors = {**within("setting", fixed), **within("state", policy.get_state())}
    content = save({name: np.asarray(array, order="C") for name, array in tensors.items()})
    sha256 = hashlib.sha256(content).hexdigest()
    manifest = Manifest(
        schema=SCHEMA,
        policy=policy.name,
        settings={name: value for name, value in settings.items() if name not in fixed},
        file=f"state-{sha256[:16]}.safetensors",
        sha256=sha256,
        lineage=Lineage(rows=rows, created=created.isoformat(), parent=parent),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / manifest.file, content)
    write_manifest(folder, manifest)
    for path in folder.glob(
        "*state-*.safetensors*"
    ):  # of earlier checkpoints, or half-written before a crash
        if path.name != manifest.file:
            path.unlink(missing_ok=True)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """What a checkpoint says of itself, in the present layout where it was migrated.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    manifest, _ = _read(folder)
    return manifest


def load_policy(folder: Path) -> Lasting:
    """The policy of a checkpoint.

    Raises:
        DataError: there is none, or it is damaged, of another build, or not finite; the message names the remedy.
    """
    manifest, tensors = _read(folder)
    if (kind := KINDS.get(manifest.policy)) is None:
        raise DataError(
            f"{folder}: policy must be one of {', '.join(KINDS)}, got {manifest.policy!r}; load it with what saved it"
        )
    try:
        policy = kind(**manifest.settings, **part("setting", tensors))
    except (TypeError, ValueError) as error:
        told = " ".join(str(error).split())
        raise DataError(
            f"{folder}: settings must be those of {manifest.policy}, got {told}; save it again"
        ) from error
    try:
        policy.set_state(part("state", tensors))
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error
    return policy


def _read(folder: Path) -> tuple[Manifest, dict[str, NDArray[Any]]]:
    """Manifest and tensors, checked against each other and brought to the present layout."""
    manifest = parse_manifest(folder)
    content = read_whole(folder / manifest.file)
    if (found := hashlib.sha256(content).hexdigest()) != manifest.sha256:
        raise DataError(
            f"{folder / manifest.file}: sha256 must be {manifest.sha256[:16]}.., got {found[:16]}..; "
            "the file is damaged, take an earlier checkpoint"
        )
    try:
        tensors: dict[str, NDArray[Any]] = load(content)
    except SafetensorError as error:
        raise DataError(
            f"{folder / manifest.file}: not safetensors ({error}); take an earlier checkpoint"
        ) from error
    return _migrated(folder, manifest, tensors)


def _migrated(
    folder: Path, manifest: Manifest, tensors: dict[str, NDArray[Any]]
) -> tuple[Manifest, dict[str, NDArray[Any]]]:
    """Layout after layout up to the present one."""
    if manifest.schema > SCHEMA:
        raise DataError(
            f"{folder}: schema must be at most {SCHEMA}, got {manifest.schema}; load it with a newer copybandit"
        )
    for version in range(manifest.schema, SCHEMA):
        if version not in MIGRATIONS:
            raise DataError(
                f"{folder}: schema must be {SCHEMA}, or one that can be migrated "
                f"({', '.join(map(str, MIGRATIONS))}), got {manifest.schema}; learn the policy again from its log"
            )
        tensors = MIGRATIONS[version](manifest.policy, manifest.settings, tensors)
    return replace(manifest, schema=SCHEMA), tensors
