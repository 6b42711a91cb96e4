"""Which kind of log a path is, by what lies there; nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from copybandit.evaluation.feedback_logs import log_in
from copybandit.evaluation.ope_chunk import Source
from copybandit.evaluation.ope_read_dsjson import dsjson_source
from copybandit.evaluation.ope_read_log import log_source
from copybandit.evaluation.ope_read_open_bandit import open_bandit_source
from copybandit.evaluation.ope_read_table import parse_columns, table_source
from copybandit.sim.schema import SCHEMA_KEY
from copybandit.sim.types import DataError

STAGES = ("stages", "bandit")
"""Where `copybandit run` keeps its season's logs in a run folder."""


def open_log(path: Path, columns: str | None, rng: np.random.Generator) -> Source:
    """The log of a path.

    Args:
        path: a folder of `copybandit simulate` or `run`, a log.parquet, the folder or csv of an Open Bandit campaign, a VW
            .dsjson file, or with ``columns`` any csv or Parquet table.
        columns: the map of a table's columns, see `ope_read_table`.
        rng: draws the rows that propensities are estimated from.

    Raises:
        DataError: there is nothing, or nothing that is known; the message says what can be read.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path")
    if columns is not None:
        if path.is_dir():
            raise DataError(f"{path}: --columns are of a csv or Parquet table, got a folder; name the file")
        return table_source(path, parse_columns(columns), rng)
    if path.is_dir():
        return _of_folder(path)
    if path.suffix == ".dsjson":
        return dsjson_source(path)
    if path.suffix == ".parquet":
        return _of_parquet(path)
    if path.suffix == ".csv" and path.with_name("item_context.csv").is_file():
        return open_bandit_source(path)
    raise DataError(
        f"{path}: must be a log.parquet, a .dsjson, or the csv of an Open Bandit campaign beside item_context.csv, got "
        f"another file; name the columns of a table by --columns reward=...,propensity=...,target=..."
    )


def _of_folder(path: Path) -> Source:
    seasons = path.joinpath(*STAGES)
    folder = seasons if seasons.is_dir() else path
    if any(folder.glob("log*.parquet")):
        return log_source(log_in(folder))
    if (folder / "item_context.csv").is_file():
        return open_bandit_source(folder)
    raise DataError(
        f"{path}: must hold log.parquet, one log-POLICY.parquet, or a campaign's csv beside item_context.csv, got none; "
        "name the folder that `copybandit simulate` printed"
    )


def _of_parquet(path: Path) -> Source:
    try:
        with pq.ParquetFile(path) as file:
            ours = SCHEMA_KEY in (file.schema_arrow.metadata or {})
    except (OSError, pa.ArrowException):
        ours = True  # the reader of logs says what is wrong with it
    if ours:
        return log_source(path)
    raise DataError(
        f"{path}: must carry the schema of a log, got another table; name its columns by --columns "
        "reward=...,propensity=...,target=..."
    )
