"""Tables from CSV, JSONL, Parquet or Excel files, checked value by value.

`read_table` is the one door for every loader of the project. It reads a file whole or refuses it with one
line that names the file, the place and the remedy; the column readers beside it do the same for values.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
from numpy.typing import NDArray

from copybandit.sim.schema import read_parquet
from copybandit.sim.types import Bools, DataError, Floats, Ints

SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet", ".xlsx")

MOST_COLUMNS = 5_000
"""A table with more is refused before it is parsed: it is transposed, or a matrix."""

MOST_INTEGER = 10**15
"""Beyond about nine times that, float64 skips whole numbers."""

_MISSING = ("", "nan", "na", "n/a", "null", "none")


def read_table(
    path: Path | str,
    required: Sequence[str],
    *,
    text: Sequence[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read a table by the suffix of its name; text must be UTF-8, with or without a byte order mark.

    Args:
        path: one of `SUFFIXES`.
        required: columns that must be there.
        text: columns kept as written, so that ids keep their leading zeros.
        aliases: other name of a column -> the name to give it.

    Raises:
        DataError: for a missing, empty, truncated or foreign file, a wrong encoding, or a missing column.
    """
    path = Path(path)
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    if suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{path}: suffix must be one of {', '.join(SUFFIXES)}, got {suffix!r}; convert the file"
        )
    if _size(path) == 0:
        raise DataError(f"{path}: the file is empty (0 bytes); copy or export it again")
    if suffix.lower() == ".parquet":
        _few_columns(path, _parquet_width(path))
        frame: pd.DataFrame = read_parquet(path).to_pandas()
    elif suffix.lower() == ".xlsx":
        frame = _read_xlsx(path)
    else:
        content = _utf8(path)
        _few_columns(path, content[: (content.find(b"\n") + 1) or len(content)].count(b","))
        frame = _read_csv(path, content, text) if ".csv" in suffix.lower() else _read_jsonl(path, content)
    frame = frame.rename(columns=dict(aliases or {}))
    missing = [name for name in required if name not in frame.columns]
    if missing:
        present = ", ".join(str(name)[:40] for name in list(frame.columns)[:20])
        raise DataError(
            f"{path}: missing column {', '.join(map(repr, missing))}; present are {present}; "
            "add or rename the column"
        )
    if frame.empty:
        raise DataError(f"{path}: the file is empty (a header without rows); copy or export it again")
    return frame.reset_index(drop=True)


def _size(path: Path) -> int:
    """Bytes of a file that may be read."""
    try:
        if not path.is_file():
            raise DataError(f"{path}: no such file; check the path")
        with path.open("rb"):
            return path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a file you may read") from None


def _few_columns(path: Path, n: int) -> None:
    if n > MOST_COLUMNS:
        raise DataError(
            f"{path}: must have at most {MOST_COLUMNS} columns, got about {n + 1}; write one event or product a row"
        )


def _parquet_width(path: Path) -> int:
    """Columns of a Parquet file; 0 for a broken one, which its reader refuses in better words."""
    try:
        return len(pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        return 0


def _utf8(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            content = file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}); copy or export the file again") from None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: byte {error.start} (line {line}) is not UTF-8 text, got {content[error.start]:#04x}; "
            "convert the file, e.g. iconv -f latin1 -t utf-8"
        ) from None
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise DataError(
            f"{path}: line {line} must be text, got a zero byte; give a text file, not a binary one"
        )
    return content.removeprefix(b"\xef\xbb\xbf")


def _read_csv(path: Path, content: bytes, text: Sequence[str]) -> pd.DataFrame:
    try:
        return pd.read_csv(
            io.BytesIO(content),
            dtype=dict.fromkeys(text, "str"),
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: the file is empty (no header); copy or export it again") from None
    except pd.errors.ParserError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: not a CSV table ({reason}); quote text that holds commas") from None


def _read_jsonl(path: Path, content: bytes) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = pyarrow.json.read_json(io.BytesIO(content)).to_pandas()
    except pa.ArrowInvalid as error:
        reason = re.sub(r"in row (\d+)", lambda m: f"in line {int(m[1]) + 1}", " ".join(str(error).split()))
        raise DataError(f"{path}: not JSON lines ({reason}); write one JSON object per line") from None
    return frame


def _read_xlsx(path: Path) -> pd.DataFrame:
    try:
        sheets = pd.read_excel(path, sheet_name=None, engine="openpyxl")
    except ImportError:
        raise DataError(
            f"{path}: reading Excel needs openpyxl; run: pip install 'copybandit[data]'"
        ) from None
    except Exception as error:  # openpyxl raises whatever its zip and XML layers raise on a damaged file
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: not a whole Excel file ({reason}); save the file again") from None
    filled = [sheet for sheet in sheets.values() if len(sheet.columns)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def refuse(path: Path | str, bad: Bools, column: str, values: pd.Series, rule: str) -> None:
    """Raise for the first row that `bad` marks; rows are counted from 1, after the header.

    Raises:
        DataError: when any row is bad.
    """
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{path}: row {row + 1}, column {column!r}: must be {rule}, got {str(values.iloc[row])!r}; "
            "correct or drop the row"
        )


def number_column(frame: pd.DataFrame, column: str, path: Path | str, *, missing: bool = False) -> Floats:
    """Return a column as float64, shape (n,); NaN where it is empty, which only `missing` allows.

    Raises:
        DataError: for a value that is no finite number, naming its row.
    """
    values = frame[column]
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = ~np.isfinite(numbers)
    if missing:
        bad &= ~is_missing(values)
    refuse(path, bad, column, values, "a finite number")
    return numbers


def integer_column(frame: pd.DataFrame, column: str, path: Path | str) -> Ints:
    """Return a column as int64, shape (n,).

    Raises:
        DataError: for a value that is missing or no whole number, naming its row.
    """
    numbers = number_column(frame, column, path)
    refuse(path, numbers != np.round(numbers), column, frame[column], "a whole number")
    refuse(path, np.abs(numbers) > MOST_INTEGER, column, frame[column], f"at most {MOST_INTEGER:.0e}")
    return numbers.astype(np.int64)


def time_column(
    frame: pd.DataFrame, column: str, path: Path | str, *, formats: Sequence[str] = ("ISO8601",)
) -> NDArray[np.datetime64]:
    """Return a column as datetime64[us] in UTC, shape (n,); a time without zone is taken as UTC.

    Raises:
        DataError: for a value that none of the formats reads, naming its row.
    """
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values):
        refuse(path, np.ones(len(values), np.bool_), column, values, "a time such as 2024-05-31 12:00:00")
    times = pd.to_datetime(values, errors="coerce", utc=True, format=formats[0])
    for other in formats[1:]:
        times = times.fillna(pd.to_datetime(values, errors="coerce", utc=True, format=other))
    refuse(path, times.isna().to_numpy(), column, values, "a time such as 2024-05-31 12:00:00")
    return times.dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def text_column(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as stripped text, empty where missing; a whole number is written without ``.0``."""
    values = frame[column]
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype("string").fillna("").str.strip().astype(object)


def is_missing(values: pd.Series) -> Bools:
    """Return which values are empty, or a word for it such as ``NaN``, shape (n,)."""
    if pd.api.types.is_numeric_dtype(values):
        return values.isna().to_numpy()
    return values.isna().to_numpy() | values.astype(str).str.strip().str.lower().isin(_MISSING).to_numpy()


def ids(values: pd.Series) -> tuple[Ints, tuple[str, ...]]:
    """Return the index of each value among the sorted distinct values, shape (n,), and those values."""
    codes, names = pd.factorize(values, sort=True)
    return codes.astype(np.int64), tuple(map(str, names))
