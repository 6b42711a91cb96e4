"""A policy on disk, with whatever is put around it: `checkpoint_files` of its settings and its state.

A policy that is loaded says and learns the same as the one that was saved, to the last bit.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from copybandit.agents.checkpoint_files import read_checkpoint, write_checkpoint
from copybandit.agents.checkpoint_manifest import Lineage, Manifest
from copybandit.agents.policy_recipe import parse_recipe, recipe_of
from copybandit.agents.stateful import Lasting, Stateful, part, within
from copybandit.sim.types import DataError


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
        DataError: the policy, or one inside it, is none of those that can be loaded again.
        OSError: it could not be written; the checkpoint before is still there.
    """
    try:
        recipe = recipe_of(policy)
    except DataError as error:
        raise DataError(f"save_policy: {error}") from error
    return write_checkpoint(
        folder,
        recipe.kind,
        recipe.plain(),
        {**within("setting", recipe.arrays()), **within("state", policy.get_state())},
        Lineage(rows=rows, created=created.isoformat(), parent=parent),
    )


def read_manifest(folder: Path) -> Manifest:
    """What a checkpoint says of itself, in the present layout where it was migrated.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    manifest, _ = read_checkpoint(folder)
    return manifest


def load_policy(folder: Path) -> Lasting:
    """The policy of a checkpoint.

    Raises:
        DataError: there is none, or it is damaged, of another build, or not finite; the message names the remedy.
    """
    manifest, tensors = read_checkpoint(folder)
    try:
        policy = parse_recipe(manifest.policy, manifest.settings, part("setting", tensors)).make()
        policy.set_state(part("state", tensors))
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error
    return policy
