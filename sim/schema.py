"""The two Arrow schemas that every log shares, and the files they are kept in.

`LOG_SCHEMA` is a superset of the Open Bandit columns (Saito et al., arXiv:2008.07146), so logs of the
simulator, of the service and of Open Bandit have the same readers. Each schema carries its name and version
in its metadata under `copybandit.schema`; a reader refuses any other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.log_lists import context_of, dense, lists, nested, state_of
from copybandit.sim.types import DataError

SCHEMA_KEY = b"copybandit.schema"

_ID = pa.dictionary(pa.int32(), pa.string())

EVENT_SCHEMA = pa.schema(
    [
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("time", pa.timestamp("us"), nullable=False),
        pa.field("shopper_id", _ID, nullable=False),
        pa.field("product_id", _ID),
        pa.field("quantity", pa.int64(), nullable=False),
        pa.field("price", pa.float64()),
        pa.field("query", pa.string(), nullable=False),
    ],
    metadata={SCHEMA_KEY: b"copybandit.events/1"},
)
"""Behaviour events; the columnar form of `copybandit.sim.events.EventTable`."""

LOG_SCHEMA = pa.schema(
    [
        pa.field("decision_id", pa.string(), nullable=False),
        pa.field("timestamp", pa.timestamp("us"), nullable=False),
        pa.field("shopper", pa.int64()),
        pa.field("product", pa.int64()),
        pa.field("item_id", pa.int64(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("candidates", pa.list_(pa.int32())),
        pa.field("action_probs", pa.list_(pa.float64())),
        pa.field("action", pa.int64()),
        pa.field("propensity_score", pa.float64(), nullable=False),
        pa.field("click", pa.float64(), nullable=False),
        pa.field("conversion", pa.float64()),
        pa.field("value", pa.float64()),
        pa.field("reward", pa.float64(), nullable=False),
        pa.field("policy", pa.string(), nullable=False),
        pa.field("assignment", pa.string(), nullable=False),
        pa.field("user_features", pa.list_(pa.string())),
        pa.field("affinity", pa.list_(pa.float64())),
        pa.field("context", pa.list_(pa.float64())),
        pa.field("state", pa.list_(pa.list_(pa.float64()))),
    ],
    metadata={SCHEMA_KEY: b"copybandit.log/2"},
)
"""Logged bandit feedback, one row per decision.

`item_id` is the variant shown, `action` its place among `candidates` (-1: absent). `assignment` says how the
row came about: `online`, `holdout`, `simulated` or `imported`. `context` is what the policy knew of the request, `state`
what it knew of each candidate, channel 0 the warm start: with them a saved policy can be asked about the row, and a
learner be made again. Null stands for what the source did not log.
"""

LOG_SCHEMA_1 = pa.schema(
    [field for field in LOG_SCHEMA if field.name not in ("context", "state")],
    metadata={SCHEMA_KEY: b"copybandit.log/1"},
)
"""The layout before: without `context` and `state`; still read."""

_COLUMNS = ("shopper", "product", "position", "action", "click", "conversion", "value", "reward")


def check_version(schema: pa.Schema, expected: pa.Schema, where: str) -> None:
    """Refuse a table that does not carry the expected schema name, version, columns and types.

    Raises:
        DataError: naming what was found and what to do.
    """
    want = expected.metadata[SCHEMA_KEY].decode()
    got = (schema.metadata or {}).get(SCHEMA_KEY, b"no copybandit schema").decode(errors="replace")
    if got != want:
        raise DataError(
            f"{where}: schema must be {want}, got {got}; read it with the version that wrote it, "
            "or export it again"
        )
    for field in expected:
        if field.name not in schema.names or schema.field(field.name).type != field.type:
            found = schema.field(field.name).type if field.name in schema.names else "no such column"
            raise DataError(
                f"{where}: column {field.name} must be {field.type}, got {found}; export the log again"
            )


def as_log(table: pa.Table, where: str) -> pa.Table:
    """A table of any version of the log in the present one; what a version did not have is null.

    Raises:
        DataError: it is no log, or one of a version that is not known here.
    """
    version = (table.schema.metadata or {}).get(SCHEMA_KEY)
    if version != LOG_SCHEMA_1.metadata[SCHEMA_KEY]:
        check_version(table.schema, LOG_SCHEMA, where)
        return table
    check_version(table.schema, LOG_SCHEMA_1, where)
    columns = {name: table[name] for name in LOG_SCHEMA_1.names}
    return log_table(columns)


def feedback_to_arrow(
    feedback: LoggedFeedback, *, decision_ids: Sequence[str] | None = None, assignment: str = "simulated"
) -> pa.Table:
    """Return the log under `LOG_SCHEMA`.

    Args:
        feedback: n rows, at least one.
        decision_ids: n ids; the row number when None.
        assignment: how the rows came about, see `LOG_SCHEMA`; those of the held out are `holdout` whatever it says.

    Raises:
        DataError: for a log without rows.
    """
    n = len(feedback)
    if n == 0:
        raise DataError("feedback: a log must hold at least one row, got 0; log some decisions first")
    columns = {
        "decision_id": pa.array(map(str, range(n)) if decision_ids is None else decision_ids, pa.string()),
        "timestamp": pa.array(feedback.timestamp.astype("datetime64[us]")),
        "item_id": pa.array(feedback.item_id),
        "candidates": lists(feedback.candidates.astype(np.int32, copy=False)),
        "action_probs": lists(feedback.action_probs.astype(np.float64, copy=False)),
        "propensity_score": pa.array(feedback.propensity),
        "policy": pa.repeat(feedback.policy, n),
        "assignment": _assigned(feedback, assignment),
    }
    columns |= {name: pa.array(getattr(feedback, name)) for name in _COLUMNS}
    if feedback.context is not None:
        columns["context"] = lists(feedback.context)
    if feedback.state is not None:
        columns["state"] = nested(feedback.state)
    return log_table(columns)


def log_table(columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return a table of `LOG_SCHEMA` from some of its columns; optional columns left out become null."""
    n = len(columns["item_id"])
    filled = [columns.get(field.name, pa.nulls(n, field.type)) for field in LOG_SCHEMA]
    return pa.Table.from_arrays(
        [a.cast(f.type) for a, f in zip(filled, LOG_SCHEMA, strict=True)], schema=LOG_SCHEMA
    )


def feedback_from_arrow(table: pa.Table, *, policy: str | None = None, where: str = "log") -> LoggedFeedback:
    """Read a table of `LOG_SCHEMA` back; ragged candidate lists are padded with -1 and probability 0.

    Args:
        table: the log.
        policy: keep the rows of this behavior policy; needed where the log holds several.
        where: what error messages call the table.

    Raises:
        DataError: for another schema, no rows, several policies, or rows without the full distribution.
    """
    table = as_log(table, where)
    if policy is not None:
        table = table.filter(pc.equal(table["policy"], policy))
    names = sorted(table["policy"].unique().to_pylist())
    if len(names) != 1:
        raise DataError(
            f"{where}: must hold rows of one behavior policy, got {names or 'no rows'}; pass policy=NAME"
        )
    for name in ("candidates", "action_probs", *_COLUMNS):
        if table[name].null_count:
            row = table[name].is_null().index(True).as_py()
            raise DataError(
                f"{where}: row {row}, column {name} must not be null; log the full distribution and outcome"
            )
    candidates, probs = dense(table["candidates"], -1), dense(table["action_probs"], 0.0)
    columns = {name: table[name].to_numpy() for name in _COLUMNS}
    timestamp = table["timestamp"].to_numpy().astype("datetime64[us]")
    held = pc.equal(table["assignment"], "holdout").to_numpy(zero_copy_only=False).astype(np.bool_)
    return LoggedFeedback(
        timestamp=timestamp,
        candidates=candidates,
        action_probs=probs,
        policy=names[0],
        held=held if held.any() else None,
        context=context_of(table["context"], where),
        state=state_of(table["state"], candidates, where),
        **columns,
    )


def _assigned(feedback: LoggedFeedback, assignment: str) -> pa.Array:
    held = np.zeros(len(feedback), np.bool_) if feedback.held is None else feedback.held
    return pa.array(np.where(held, "holdout", assignment), pa.string())


def write_feedback(feedback: LoggedFeedback, path: Path | str, *, assignment: str = "simulated") -> None:
    """Write the log to one Parquet file, whole or not at all."""
    write_table(feedback_to_arrow(feedback, assignment=assignment), path)


def write_table(table: pa.Table, path: Path | str) -> None:
    """Write a table to one Parquet file: a reader sees the old file or the new one, never a part."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_feedback(path: Path | str, *, policy: str | None = None) -> LoggedFeedback:
    """Read a log that `write_feedback` wrote; every value comes back exactly.

    Raises:
        DataError: for a missing, truncated or foreign file, or another schema version.
    """
    return feedback_from_arrow(read_parquet(path), policy=policy, where=str(path))


def read_parquet(path: Path | str) -> pa.Table:
    """Read one Parquet file.

    Raises:
        DataError: where the file is missing, truncated or not Parquet.
    """
    try:
        return pq.read_table(Path(path), partitioning=None)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(
            f"{path}: not a whole Parquet file ({reason}); copy or export the file again"
        ) from None
