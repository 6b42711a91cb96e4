"""Chunks of a log of this project: log.parquet of any version, with items.parquet beside it where policies need features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from copybandit.agents.bandit_run import EPOCH, MICROSECONDS_PER_DAY
from copybandit.agents.batch import Batch
from copybandit.evaluation.feedback_logs import ITEMS
from copybandit.evaluation.ope_chunk import Chunk, LeftOut, Source, check_drawn, plain_requests
from copybandit.sim.log_lists import context_of, dense, state_of
from copybandit.sim.schema import as_log, read_parquet
from copybandit.sim.types import DataError, Floats, Ints

CHUNK = 65_536
"""Rows that are held at a time."""
COUNTED = ("online", "simulated", "imported")
"""Assignments whose rows were decided by the behavior policy that was logged."""
_NEEDED = ("candidates", "action_probs", "action")


@dataclass(frozen=True, kw_only=True)
class Items:
    """What a log's candidates are.

    Attributes:
        n: how many.
        features: shape (n, q); None where policies chose without.
        most: shape (n,), largest reward of a request that shows it; 1 where not told.
    """

    n: int
    features: Floats | None
    most: Floats


def log_source(path: Path) -> Source:
    """The log of a file.

    Raises:
        DataError: it is missing, damaged, of another version or no log; here or when it is read.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            rows, empty = file.metadata.num_rows, file.schema_arrow.empty_table()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except (OSError, pa.ArrowException) as error:
        raise _broken(path, error) from None
    as_log(empty, str(path))
    if not rows:
        raise DataError(f"{path}: a log must hold at least one row, got 0; log some decisions first")
    items = read_items(path.with_name(ITEMS))
    first = next(_batches(path))
    known = first["context"].null_count == 0 and first["state"].null_count == 0
    featured = known and items is not None and items.features is not None
    return Source(
        path=path,
        kind="log of this project",
        chunks=lambda: _chunks(path, items, featured=featured),
        rows=rows,
        n_actions=None if items is None else items.n,
        featured=featured,
        warm=featured,
        notes=() if featured else (_unknown(path, known),),
    )


def read_items(path: Path) -> Items | None:
    """Features and largest rewards of the items of a log; None where there is no such file.

    Raises:
        DataError: it is damaged, its items are not 0 to n - 1, or features are not finite or unequal in number.
    """
    if not path.is_file():
        return None
    table = read_parquet(path)
    if "item_id" not in table.column_names:
        raise DataError(f"{path}: must have a column item_id, got {', '.join(table.column_names)}; add it")
    n, order = table.num_rows, np.argsort(table["item_id"].to_numpy(), kind="stable")
    if not np.array_equal(table["item_id"].to_numpy()[order], np.arange(n)):
        raise DataError(f"{path}: item_id must be 0 to {n - 1}, each once, got others; export the log again")
    found = context_of(table["features"], str(path)) if "features" in table.column_names else None
    most = table["most"].to_numpy() if "most" in table.column_names else np.ones(n)
    if (found is not None and not np.isfinite(found).all()) or not (np.isfinite(most) & (most > 0)).all():
        raise DataError(f"{path}: features must be finite and most above 0, got others; export the log again")
    features = None if found is None else found[order]
    if features is not None:
        features = features.copy()
        features.flags.writeable = False
    return Items(n=n, features=features, most=np.asarray(most, dtype=np.float64)[order])


def _unknown(path: Path, known: bool) -> str:
    what = f"no features of the items beside it ({ITEMS})" if known else "no context and state"
    return f"{path.name} has {what}: only policies that need no features can be asked about it"


def _batches(path: Path) -> Iterator[pa.Table]:
    """Tables of the present layout; nothing is buffered ahead, which would keep the whole file."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            metadata = file.schema_arrow.metadata
            for batch in file.iter_batches(CHUNK):
                if batch.num_rows:
                    table = pa.Table.from_batches([batch]).replace_schema_metadata(metadata)
                    yield as_log(table, str(path))
    except (OSError, pa.ArrowException) as error:
        raise _broken(path, error) from None


def _chunks(path: Path, items: Items | None, *, featured: bool) -> Iterator[Chunk]:
    read = 0
    for table in _batches(path):
        kept = table.filter(pc.is_in(table["assignment"], pa.array(COUNTED)))
        others = Counter(table["assignment"].to_pylist())
        left = tuple(LeftOut(why=why, rows=n) for why, n in sorted(others.items()) if why not in COUNTED)
        yield _chunk(kept, items, left, f"{path}: rows from {read}", read, table.num_rows, featured)
        read += table.num_rows


def _chunk(
    table: pa.Table,
    items: Items | None,
    left: tuple[LeftOut, ...],
    where: str,
    start: int,
    read: int,
    featured: bool,
) -> Chunk:
    n = table.num_rows
    reward, propensity = (table[name].to_numpy() for name in ("reward", "propensity_score"))
    own = np.arange(start, start + n)
    component = own if table["shopper"].null_count else table["shopper"].to_numpy()
    if n == 0 or any(table[name].null_count for name in _NEEDED):
        return Chunk(reward=reward, propensity=propensity, component=component, left_out=left, read=read)
    candidates, column = dense(table["candidates"], -1), table["action"].to_numpy()
    _check_shown(candidates, column, table["item_id"].to_numpy(), where)
    most = np.ones(n) if items is None else _known(items, candidates, where)[table["item_id"].to_numpy()]
    chunk = Chunk(
        reward=reward,
        propensity=propensity,
        component=component,
        requests=_requests(table, candidates, items, where, featured=featured),
        column=column,
        action_probs=dense(table["action_probs"], 0.0),
        scale=most,
        left_out=left,
        read=read,
    )
    check_drawn(chunk, where)
    return chunk


def _requests(
    table: pa.Table, candidates: NDArray[np.int32], items: Items | None, where: str, *, featured: bool
) -> Batch:
    if not featured or items is None or items.features is None:
        return plain_requests(candidates, int(candidates.max()) + 1 if items is None else items.n)
    context, state = context_of(table["context"], where), state_of(table["state"], candidates, where)
    if context is None or state is None:
        raise DataError(
            f"{where}: context and state must be there in every row, got none here; split the log"
        )
    stamp = table["timestamp"].to_numpy().astype("datetime64[us]")
    time = (stamp - EPOCH).astype(np.int64) / MICROSECONDS_PER_DAY
    try:
        return Batch(context=context, actions=items.features, candidates=candidates, state=state, time=time)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def _known(items: Items, candidates: NDArray[np.int32], where: str) -> Floats:
    if candidates.max(initial=-1) >= items.n:
        raise DataError(
            f"{where}: candidates must be items of {ITEMS}, got item {candidates.max()} of {items.n}; give the items of "
            "this log"
        )
    return items.most


def _check_shown(candidates: NDArray[np.int32], column: Ints, item: Ints, where: str) -> None:
    n, k = candidates.shape
    inside = (column >= 0) & (column < k)
    fits = inside & (candidates[np.arange(n), np.where(inside, column, 0)] == item) & (item >= 0)
    if not fits.all():
        row = int(np.argmin(fits))
        raise DataError(
            f"{where}: item_id must be the candidate at action, got item {item[row]} at {column[row]} of "
            f"{candidates[row].tolist()}; export the log again"
        )


def _broken(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()).rstrip(".")
    return DataError(f"{path}: not a whole Parquet file ({reason}); copy or export the file again")
