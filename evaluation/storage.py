"""How stages keep what they made: JSON for records, safetensors for arrays, Arrow for tables; never pickle.

Every writer replaces its file in one step, so a reader sees the old file or the whole new one. Equal content
gives equal bytes: keys are sorted, floats are written by `repr`, nothing holds a time or a path.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from copybandit.sim.types import DataError


def plain(value: object) -> Any:
    """The value in JSON's own types; records become objects, arrays lists, and what is not finite null.

    >>> plain({"ci": (np.float64(0.5), float("nan")), 3: np.arange(2)})
    {'ci': [0.5, None], '3': [0, 1]}

    Raises:
        TypeError: the value holds something JSON has no form for.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.structs.asdict(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(
        f"a {type(value).__name__} has no form in JSON; turn it into numbers, text, lists or a record"
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def save_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys and exact floats; `plain` says what becomes of records, arrays and nan."""
    text = json.dumps(plain(value), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def load_json(path: Path) -> Any:
    """Read what `save_json` wrote.

    Raises:
        DataError: the file is absent or is not JSON.
    """
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({' '.join(str(error).split())}); run the stage again") from error


def save_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write named arrays of numbers or booleans as safetensors.

    Raises:
        DataError: an array holds text or objects.
    """
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise DataError(
                f"{path}: array {name} must hold numbers, got {array.dtype}; keep text in a table"
            )
    write_bytes(path, save({name: np.asarray(array, order="C") for name, array in arrays.items()}))


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote: name to array, shapes and dtypes unchanged.

    Raises:
        DataError: the file is absent or is not safetensors.
    """
    try:
        return load(_read(path))
    except SafetensorError as error:
        raise DataError(f"{path}: not safetensors ({error}); run the stage again") from error


def save_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table, schema and metadata with it, in Arrow's own file format."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    write_bytes(path, sink.getvalue().to_pybytes())


def load_table(path: Path) -> pa.Table:
    """Read what `save_table` wrote.

    Raises:
        DataError: the file is absent or is not an Arrow file.
    """
    try:
        return pa.ipc.open_file(pa.py_buffer(_read(path))).read_all()
    except pa.ArrowException as error:
        raise DataError(f"{path}: not an Arrow file ({error}); run the stage again") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); run the stage again") from error
