"""A checkpoint on disk, whole or not at all; no pickle.

    FOLDER/manifest.json               schema, what it is, settings, lineage, and name and sha256 of the tensors
    FOLDER/state-SHA.safetensors       what has changed since it was made (and settings that are arrays)

The manifest is replaced last, in one step, once everything is on the disk: until then the folder holds the checkpoint
before, after that the new one.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
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
from copybandit.agents.policy_migrations import MIGRATIONS, SCHEMA
from copybandit.agents.stateful import Arrays, Settings
from copybandit.sim.types import DataError


def write_checkpoint(
    folder: Path, name: str, settings: Settings, tensors: Arrays, lineage: Lineage
) -> Manifest:
    """Write a checkpoint in the place of the one that the folder holds.

    Args:
        folder: made where there is none.
        name: what it is of.
        settings: no arrays.
        tensors: all arrays.
        lineage: where it comes from.

    Returns:
        The manifest that was written.

    Raises:
        OSError: it could not be written; the checkpoint before is still there.
    """
    content = save({key: np.asarray(array, order="C") for key, array in tensors.items()})
    sha256 = hashlib.sha256(content).hexdigest()
    manifest = Manifest(
        schema=SCHEMA,
        policy=name,
        settings=settings,
        file=f"state-{sha256[:16]}.safetensors",
        sha256=sha256,
        lineage=lineage,
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


def read_checkpoint(folder: Path) -> tuple[Manifest, dict[str, NDArray[Any]]]:
    """Manifest and tensors, checked against each other and brought to the present layout, version by version.

    Raises:
        DataError: there is none, or it is damaged or of another build; the message names the remedy.
    """
    manifest = parse_manifest(folder)
    content = read_whole(folder / manifest.file)
    if (found := hashlib.sha256(content).hexdigest()) != manifest.sha256:
        raise DataError(
            f"{folder / manifest.file}: sha256 must be {manifest.sha256[:16]}.., got {found[:16]}..; "
            "the file is damaged, take an earlier checkpoint"
        )
    try:
        return _migrated(folder, manifest, load(content))
    except SafetensorError as error:
        raise DataError(
            f"{folder / manifest.file}: not safetensors ({error}); take an earlier checkpoint"
        ) from error


def _migrated(
    folder: Path, manifest: Manifest, tensors: dict[str, NDArray[Any]]
) -> tuple[Manifest, dict[str, NDArray[Any]]]:
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
