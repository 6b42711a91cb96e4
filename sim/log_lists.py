"""Columns of a log that hold lists: rows of numbers, and numbers of each candidate, to Arrow and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from copybandit.sim.types import DataError, Floats


def lists(rows: NDArray[Any]) -> pa.ListArray:
    """Rows, shape (n, k), as n lists."""
    n, k = rows.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * k), pa.array(rows.ravel()))


def nested(rows: NDArray[Any]) -> pa.ListArray:
    """Shape (n, k, s) as n lists of k lists."""
    n, k, s = rows.shape
    inner = lists(rows.reshape(n * k, s))
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * k), inner)


def dense(column: pa.ChunkedArray, fill: float) -> NDArray[Any]:
    """Lists of a column as rows, shape (n, longest), padded with ``fill``."""
    found = _whole(column)
    lengths = found.value_lengths().to_numpy(zero_copy_only=False)
    values = found.flatten().to_numpy(zero_copy_only=False)
    rows: NDArray[Any] = np.full((len(lengths), int(lengths.max(initial=0))), fill, values.dtype)
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = values
    return rows


def context_of(column: pa.ChunkedArray, where: str) -> Floats | None:
    """What was known of the requests, shape (n, p); None where it was not logged.

    Raises:
        DataError: it is there in some rows only, or in other widths; the message begins with ``where``.
    """
    if not _logged(column, "context", where):
        return None
    found = _whole(column)
    return _even(found, "context", where).reshape(len(found), -1)


def state_of(column: pa.ChunkedArray, candidates: NDArray[np.int32], where: str) -> Floats | None:
    """What was known of the candidates, shape (n, k, s), 0 where absent; None where it was not logged.

    Raises:
        DataError: it is there in some rows only, or of other candidates than those, (n, k), or in other widths.
    """
    if not _logged(column, "state", where):
        return None
    found = _whole(column)
    lengths = found.value_lengths().to_numpy(zero_copy_only=False)
    (n, k), inner = candidates.shape, found.flatten()
    there = np.arange(k) < lengths[:, None]
    if lengths.max(initial=0) > k or (~there & (candidates >= 0)).any():
        raise DataError(f"{where}: state must have a list for each candidate, got others; log it with them")
    values = _even(inner, "state", where)
    if not values.size:
        raise DataError(f"{where}: state must have a channel, got none; log the warm start")
    rows = np.zeros((n, k, values.size // len(inner)))
    rows[there] = values.reshape(len(inner), -1)
    return rows


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def _logged(column: pa.ChunkedArray, name: str, where: str) -> bool:
    """Whether the column is there, in every row or in none."""
    if 0 < column.null_count < len(column):
        raise DataError(
            f"{where}: {name} must be there in every row or in none, got {column.null_count} of {len(column)} null; "
            "split the log"
        )
    return len(column) > 0 and not column.null_count


def _even(found: pa.Array, name: str, where: str) -> Floats:
    """The values of lists that are equally long and hold no null."""
    lengths = found.value_lengths().to_numpy(zero_copy_only=False)
    values = found.flatten()
    if found.null_count or values.null_count or len(np.unique(lengths)) > 1:
        raise DataError(
            f"{where}: {name} must have as many numbers in every list, got others; log all of them"
        )
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
