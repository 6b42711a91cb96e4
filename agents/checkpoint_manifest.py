"""The manifest of what is saved, and how files of a checkpoint come to be whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.sim.types import DataError

FORMAT, MANIFEST = "copybandit-policy", "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a checkpoint comes from.

    Attributes:
        rows: of feedback learned in all; of a decision book, decisions that are open.
        created: when, ISO 8601.
        parent: sha256 of the tensors of the checkpoint that it went on from; None where it began anew.
    """

    rows: int
    created: str
    parent: str | None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a checkpoint says of itself.

    Attributes:
        schema: version of the layout.
        policy: kind of the policy, or "decision_book".
        settings: arguments of its constructor that are no arrays; lists are tuples.
        file: name of the tensors' file.
        sha256: of that file.
        lineage: where it comes from.
    """

    schema: int
    policy: str
    settings: dict[str, Any]
    file: str
    sha256: str
    lineage: Lineage


FIELDS = tuple(field.name for field in fields(Manifest))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a folder in one step; errors as `write_whole`."""
    raw = {"format": FORMAT, **asdict(manifest)}
    text = json.dumps(raw, indent=1, sort_keys=True, allow_nan=False, default=_number)
    write_whole(folder / MANIFEST, (text + "\n").encode())


def _record(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    content = read_whole(path)
    try:
        raw = json.loads(content)
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON ({' '.join(str(error).split())}); take an earlier checkpoint"
        ) from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise DataError(
            f"{path}: format must be {FORMAT!r}, got another file; name a folder that save_policy wrote"
        )
    return raw


def parse_manifest(folder: Path) -> Manifest:
    """The manifest of a folder as it was written.

    Raises:
        DataError: there is none, or it is damaged.
    """
    raw = _record(folder)
    try:
        lineage = Lineage(**raw["lineage"])
        fields = {name: value for name, value in raw.items() if name not in ("format", "lineage")}
        manifest = Manifest(**fields, lineage=lineage)
    except (KeyError, TypeError) as error:
        told = " ".join(str(error).split())
        raise DataError(
            f"{folder / MANIFEST}: must hold {', '.join(FIELDS)}, got {told}; take an earlier checkpoint"
        ) from error
    plain = {"schema": int, "policy": str, "settings": dict, "file": str, "sha256": str}
    for name, kind in plain.items():
        if not isinstance(getattr(manifest, name), kind) or Path(manifest.file).name != manifest.file:
            raise DataError(
                f"{folder / MANIFEST}: {name} must be a {kind.__name__}, and file a plain name, got "
                f"{getattr(manifest, name)!r}; take an earlier checkpoint"
            )
    return replace(manifest, settings={name: _frozen(value) for name, value in manifest.settings.items()})


def read_whole(path: Path) -> bytes:
    """A file's content.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); name a folder that save_policy wrote"
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in its place in one step, once its bytes are on the disk.

    Raises:
        OSError: it could not be written; what was there is still there.
    """
    number, half = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except OSError as error:
        Path(half).unlink(missing_ok=True)
        told = f"{error.strerror} while saving; the checkpoint before is kept"
        raise OSError(error.errno, told, str(path)) from error
    except BaseException:
        Path(half).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _frozen(value: Any) -> Any:
    """Lists of JSON as the tuples that they were."""
    if isinstance(value, dict):
        return {name: _frozen(one) for name, one in value.items()}
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def _number(value: object) -> int | float | bool:
    """A number of NumPy as JSON has it."""
    if not isinstance(value, np.generic):
        raise TypeError(f"settings must be numbers or text, got {type(value).__name__}")
    plain: int | float | bool = value.item()
    return plain
