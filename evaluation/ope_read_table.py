"""Chunks of any csv or Parquet table, by a map of its columns: ``reward=clicked,propensity=p,target=q``.

reward       what the row earned (needed)
target       probability of the shown action under the policy that is valued (needed)
propensity   probability it was shown with; estimated from action and context where absent
action       what was shown, a whole number
context      what was known, numbers, several joined by +
component    whose row it is, a whole number; the row's own where absent
q, v         a reward model's value of what was shown, and its average over the valued policy
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from copybandit.evaluation.ope_chunk import Chunk, Source
from copybandit.evaluation.ope_propensity import FOLDS, MOST_ROWS, Propensities, estimate
from copybandit.sim.types import DataError, Floats, Ints

CHUNK = 65_536
ROLES = ("reward", "target", "propensity", "action", "context", "component", "q", "v")
_WHOLE = ("action", "component")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column plays which role; ``context`` may be several, the others are one or none."""

    names: tuple[tuple[str, tuple[str, ...]], ...]

    def of(self, role: str) -> tuple[str, ...]:
        """Columns of a role, none where it is not given."""
        return dict(self.names).get(role, ())

    @property
    def all(self) -> list[str]:
        """Every column, each once."""
        return list(dict.fromkeys(name for _, names in self.names for name in names))


def parse_columns(text: str) -> Columns:
    """Read a map of columns.

    Raises:
        DataError: it has another form, an unknown role, one twice, or not what is needed.
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        role, equals, value = (piece.strip() for piece in part.partition("="))
        if role not in ROLES or not equals or not value or role in found:
            raise DataError(
                f"--columns must be ROLE=COLUMN, each of {', '.join(ROLES)} at most once, got {part!r}; write it like "
                "reward=clicked,propensity=p,target=q"
            )
        found[role] = tuple(value.split("+")) if role == "context" else (value,)
    for role in ("reward", "target"):
        if role not in found:
            raise DataError(f"--columns must name a column for {role}, got {text!r}; add {role}=COLUMN")
    if "propensity" not in found and "action" not in found:
        raise DataError(
            f"--columns must name propensity, or action to estimate it from, got {text!r}; add one of both"
        )
    return Columns(names=tuple(found.items()))


def table_source(path: Path, columns: Columns, rng: np.random.Generator) -> Source:
    """The table of a file; read once more beforehand where propensities are to be estimated.

    Raises:
        DataError: the file or a column is missing, a value is no number, or propensities cannot be estimated.
    """
    made = None if columns.of("propensity") else _learn(path, columns, rng)
    return Source(
        path=path,
        kind="table",
        chunks=lambda: _chunks(path, columns, made),
        has_target=True,
        findings=() if made is None else made.findings,
        notes=() if made is None else ("propensities are estimated, since the table has none",),
    )


def _batches(path: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Batches that hold the wanted columns."""
    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path, pre_buffer=False) as file:
                _check_names(path, columns, file.schema_arrow.names)
                yield from file.iter_batches(CHUNK, columns=columns.all)
            return
        with pa.input_stream(path) as stream:
            _check_names(path, columns, next(csv.reader(io.TextIOWrapper(stream, "utf-8-sig")), []))
        options = pyarrow.csv.ConvertOptions(
            include_columns=columns.all, column_types=dict.fromkeys(columns.all, pa.float64())
        )
        with pyarrow.csv.open_csv(path, convert_options=options) as reader:
            yield from reader
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"{path}: must be a csv or Parquet table, got {reason}; export it again") from None


def _check_names(path: Path, columns: Columns, names: list[str]) -> None:
    missing = [name for name in columns.all if name not in names]
    if missing:
        raise DataError(f"{path}: must have a column {missing[0]}, got {', '.join(names)}; correct --columns")


def _numbers(batch: pa.RecordBatch, name: str, where: str) -> Floats:
    column = batch.column(name)
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError(f"{where}: {name} must be a number, got {kind}; correct the column")
    values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    if column.null_count or not np.isfinite(values).all():
        raise DataError(
            f"{where}: {name} must be a finite number in every row, got others; drop or fill them"
        )
    return values


def _whole(batch: pa.RecordBatch, name: str, where: str) -> Ints:
    values = _numbers(batch, name, where)
    if (values != np.rint(values)).any() or np.abs(values).max(initial=0) >= 2**53:
        raise DataError(f"{where}: {name} must be whole numbers, got others; number what it names")
    return values.astype(np.int64)


def _context(batch: pa.RecordBatch, columns: Columns, where: str) -> Floats:
    known = [_numbers(batch, name, where) for name in columns.of("context")]
    return np.stack(known, axis=1) if known else np.empty((batch.num_rows, 0))


def _component(batch: pa.RecordBatch, columns: Columns, where: str, start: int) -> Ints:
    own = columns.of("component")
    return _whole(batch, own[0], where) if own else np.arange(start, start + batch.num_rows)


def _learn(path: Path, columns: Columns, rng: np.random.Generator) -> Propensities:
    """From the rows with the smallest of numbers drawn for each: a sample without replacement in one pass."""
    key: Floats = np.empty(0)
    kept: list[tuple[Floats, Ints, Ints]] = [
        (np.empty((0, len(columns.of("context")))), *np.empty((2, 0), np.int64))
    ]
    start = 0
    for batch in _batches(path, columns):
        where = f"{path}: rows from {start}"
        new = (
            _context(batch, columns, where),
            _whole(batch, columns.of("action")[0], where),
            _component(batch, columns, where, start) % FOLDS,
        )
        start += batch.num_rows
        key = np.concatenate([key, rng.random(batch.num_rows)])
        joined = tuple(np.concatenate([old, one]) for old, one in zip(kept[0], new, strict=True))
        few = np.argsort(key, kind="stable")[:MOST_ROWS]
        key, kept[0] = key[few], (joined[0][few], joined[1][few], joined[2][few])
    return estimate(*kept[0])


def _chunks(path: Path, columns: Columns, made: Propensities | None) -> Iterator[Chunk]:
    start = 0
    for batch in _batches(path, columns):
        where = f"{path}: rows from {start}"
        read = partial(_numbers, batch, where=where)
        component = _component(batch, columns, where, start)
        if made is None:
            propensity = read(columns.of("propensity")[0])
        else:
            action = _whole(batch, columns.of("action")[0], where)
            propensity = made.of(_context(batch, columns, where), action, component % FOLDS)
        q, v = (read(columns.of(role)[0]) if columns.of(role) else None for role in ("q", "v"))
        yield Chunk(
            reward=read(columns.of("reward")[0]),
            propensity=propensity,
            component=component,
            target_prob=read(columns.of("target")[0]),
            q=q,
            v=v,
            read=batch.num_rows,
        )
        start += batch.num_rows
