"""A catalogue row by row, in constant memory: CSV, JSON lines or Parquet, checked value by value.

What is refused, with file and row: a file that is empty, not UTF-8 or holds a zero byte; a missing column; an id that is
empty or comes twice; a name that is empty, or longer than `MOST_NAME`; a price that is no number above 0; a rating that is
not 1 to 5.
What is repaired or left out: tags, entities, emoji and invisible characters in text (`copybandit.sim.plain_text`); a fact
longer than `MOST_FACT`; columns nobody reads, which `survey` lists. A title or brand may be empty.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import html
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from copybandit.sim.logs import MOST_PRICE
from copybandit.sim.plain_text import plain_text
from copybandit.sim.types import DataError, Product

SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")
REQUIRED = ("product_id", "name", "title", "category", "price")
OPTIONAL = ("brand", "facts", "question", "rating", "notes", "verified")
MOST_NAME = 200
"""Characters of a name; more is a description."""
MOST_FACT = 300
"""Characters of a fact; more is a description, and left out."""
MOST_TITLE = 2_000
"""Characters of a title that are kept."""
_BATCH = 256
_YES = ("1", "true", "yes", "y")
_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueRow:
    """One product, and what a shopper asked or a buyer said of it.

    Attributes:
        row: its number, from 1, after the header.
        question: for an answer.
        rating: stars of a buyer, 1 to 5.
        notes: the buyer's words.
        verified: whether the shop knows that the buyer bought the product.
    """

    row: int
    product: Product
    question: str
    rating: int | None
    notes: str
    verified: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What a catalogue holds: rows, columns that nobody reads, and the SHA-256 of the file."""

    n_rows: int
    unread: tuple[str, ...]
    sha256: str


def survey(path: Path) -> Survey:
    """Read a catalogue once from end to end, so that a bad row is found before anything is written.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    seen: set[bytes] = set()
    n_rows = 0
    for row in stream_products(path):
        key = hashlib.blake2b(row.product.product_id.encode(), digest_size=12).digest()
        if key in seen:
            _refuse(path, row.row, "product_id", row.product.product_id, "different in every row")
        seen.add(key)
        n_rows += 1
    if n_rows == 0:
        raise DataError(f"{path}: the file is empty (no products); copy or export it again")
    known = (*REQUIRED, *OPTIONAL)
    unread = tuple(name for name in _columns(path) if name not in known)
    return Survey(n_rows=n_rows, unread=unread, sha256=_sha256(path))


def stream_products(path: Path) -> Iterator[CatalogueRow]:
    """The rows of a catalogue in file order.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    present = _columns(path)
    if missing := [name for name in REQUIRED if name not in present]:
        raise DataError(
            f"{path}: missing column {', '.join(map(repr, missing))}; present are {', '.join(present)[:200]}; "
            "add or rename the column"
        )
    for number, cells in enumerate(_records(path), 1):
        yield _row(path, number, cells)


def _row(path: Path, number: int, cells: dict[str, object]) -> CatalogueRow:
    product_id = _text(cells, "product_id")
    if not product_id:
        _refuse(path, number, "product_id", "", "an id")
    name = _text(cells, "name")
    if not name:
        _refuse(
            path,
            number,
            "name",
            cells.get("name"),
            "a name, once tags, emoji and control characters are gone",
        )
    if len(name) > MOST_NAME:
        _refuse(path, number, "name", name, f"at most {MOST_NAME} characters")
    return CatalogueRow(
        row=number,
        product=Product(
            product_id=product_id,
            name=name,
            title=_text(cells, "title")[:MOST_TITLE],
            category=_text(cells, "category"),
            brand=_text(cells, "brand"),
            price=_price(path, number, cells.get("price")),
            facts=_facts(cells.get("facts")),
        ),
        question=_text(cells, "question"),
        rating=_rating(path, number, cells.get("rating")),
        notes=_text(cells, "notes"),
        verified=_text(cells, "verified").lower() in _YES,
    )


def _text(cells: dict[str, object], column: str) -> str:
    value = cells.get(column)
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return plain_text(str(value))


def _price(path: Path, number: int, value: object) -> float:
    try:
        price = float(str(value))
    except ValueError:
        price = math.nan
    if not 0 < price <= MOST_PRICE:
        _refuse(path, number, "price", value, f"a number above 0, at most {MOST_PRICE:.0e}")
    return price


def _rating(path: Path, number: int, value: object) -> int | None:
    if value is None or value != value or not str(value).strip():
        return None
    try:
        stars = float(str(value))
    except ValueError:
        stars = 0.0
    if stars not in (1, 2, 3, 4, 5):
        _refuse(path, number, "rating", value, "1 to 5 stars, or empty")
    return int(stars)


def _facts(value: object) -> tuple[str, ...]:
    if value is None or value != value:
        return ()
    parts = [str(part) for part in value] if isinstance(value, list) else html.unescape(str(value)).split(";")
    facts = (plain_text(part) for part in parts)
    return tuple(fact for fact in facts if fact and len(fact) <= MOST_FACT)


def _refuse(path: Path, row: int, column: str, value: object, rule: str) -> None:
    shown = str(value)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    raise DataError(
        f"{path}: row {row}, column {column!r}: must be {rule}, got {shown!r}; correct or drop the row"
    )


def _suffix(path: Path) -> str:
    suffix = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
    if suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{path}: suffix must be one of {', '.join(SUFFIXES)}, got {suffix!r}; convert the file"
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes); copy or export it again")
    return suffix.lower().removesuffix(".gz")


def _columns(path: Path) -> tuple[str, ...]:
    suffix = _suffix(path)
    if suffix == ".parquet":
        return tuple(_parquet(path).schema_arrow.names)
    if suffix == ".csv":
        return tuple(next(csv.reader(_lines(path)), ()))
    return tuple(next(_json_lines(path), {}))


def _records(path: Path) -> Iterator[dict[str, object]]:
    suffix = _suffix(path)
    if suffix == ".parquet":
        return _parquet_rows(path)
    return _csv_rows(path) if suffix == ".csv" else _json_lines(path)


def _csv_rows(path: Path) -> Iterator[dict[str, object]]:
    reader = csv.reader(_lines(path), strict=True)
    header = next(reader)
    try:
        for number, cells in enumerate(reader, 1):
            if len(cells) != len(header) and cells:
                raise DataError(
                    f"{path}: row {number} must have {len(header)} cells, got {len(cells)}; quote text that holds commas"
                )
            if cells:
                yield dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(
            f"{path}: not a CSV table near line {reader.line_num} ({error}); quote text that holds commas"
        ) from None


def _json_lines(path: Path) -> Iterator[dict[str, object]]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(
                f"{path}: line {number} must be JSON ({error}); write one JSON object per line"
            ) from None
        if not isinstance(record, dict):
            raise DataError(
                f"{path}: line {number} must be a JSON object, got {line[:_SHOWN]!r}; write one per line"
            )
        yield record


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a whole Parquet file ({reason}); copy or export it again") from None


def _parquet_rows(path: Path) -> Iterator[dict[str, object]]:
    file = _parquet(path)
    read = [name for name in file.schema_arrow.names if name in (*REQUIRED, *OPTIONAL)]
    for batch in file.iter_batches(batch_size=_BATCH, columns=read):
        yield from batch.to_pylist()


def _lines(path: Path) -> Iterator[str]:
    """Lines of UTF-8 text with their ends, one at a time; the first loses its byte order mark."""
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}: line {number} is not UTF-8 text, got byte {line[error.start]:#04x}; "
                    "convert the file, e.g. iconv -f latin1 -t utf-8"
                ) from None
            if "\0" in text:
                raise DataError(
                    f"{path}: line {number} must be text, got a zero byte; give a text file, not a binary one"
                )
            yield text.removeprefix("\ufeff") if number == 1 else text


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
