"""Events, products and tables: the same from every format, and one clear line for every unusable file."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest

from copybandit.sim.events import KINDS
from copybandit.sim.logs import read_events, read_products, read_table
from copybandit.sim.types import DataError


def one_line(action: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be somebody who may read nothing that is closed, even where the tests run as root."""
    user = os.geteuid()
    if not user:
        os.seteuid(65534)
    try:
        yield
    finally:
        if not user:
            os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
@pytest.mark.parametrize("name", ["e.csv", "e.jsonl", "e.parquet", "e.xlsx", "closed/e.csv"])
def test_a_file_that_may_not_be_read_says_so(name: str) -> None:
    with TemporaryDirectory() as folder:  # pytest's own are closed to others already
        path = Path(folder) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"kind\n")
        Path(folder).chmod(0o755)
        closed = path.parent if "/" in name else path
        closed.chmod(0)
        with as_nobody():
            line = one_line(lambda: read_table(path, ("kind",)))
        closed.chmod(0o755)
        assert line == f"{path}: cannot be read (Permission denied); give a file you may read"


def test_a_binary_file_is_refused_without_repeating_it(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes(b"kind\n" + b"\0" * 9999)
    assert one_line(lambda: read_events(path)) == (
        f"{path}: line 2 must be text, got a zero byte; give a text file, not a binary one"
    )
    path.write_bytes(b"x" * 9999 + b"\n1\n")
    assert len(one_line(lambda: read_events(path))) < 300 + len(str(path))


EVENTS = pd.DataFrame(
    {
        "kind": ["view", "search", "purchase", "return"],
        "time": ["2024-01-01 10:00:00", "2024-01-01T10:01:00.5", "2024-01-02", "2024-02-01T00:00:00+02:00"],
        "shopper_id": ["007", "8", "007", "007"],
        "product_id": ["mug", None, "mug", "mug"],
        "quantity": [1, 1, 2, 1],
        "price": [None, None, 8.5, 8.5],
        "query": ["", "blue mug", "", ""],
    }
)


def write(frame: pd.DataFrame, path: Path) -> Path:
    if ".jsonl" in path.name:
        rows = [
            {k: v for k, v in row.items() if v == v and v is not None} for row in frame.to_dict("records")
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz", "e.jsonl", "e.jsonl.gz", "e.parquet"])
def test_events_are_the_same_from_every_format(tmp_path: Path, name: str) -> None:
    events = read_events(write(EVENTS, tmp_path / name))
    assert [KINDS[k] for k in events.kind] == EVENTS["kind"].tolist()
    assert events.shopper_ids == ("007", "8")
    assert events.product_ids == ("mug",)
    assert events.product.tolist() == [0, -1, 0, 0]
    assert events.query.tolist() == ["", "blue mug", "", ""]
    assert events.time[1] == np.datetime64("2024-01-01T10:01:00.5")
    assert events.time[3] == np.datetime64("2024-01-31T22:00:00")
    np.testing.assert_array_equal(events.price, [np.nan, np.nan, 8.5, 8.5])


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("price", 2, None, "row 3, column 'price': must be above 0 where something was carted"),
        ("price", 2, "NaN", "row 3, column 'price': must be above 0 where"),
        ("price", 2, "cheap", "row 3, column 'price': must be a finite number, got 'cheap'; correct or drop"),
        ("price", 2, "inf", "row 3, column 'price': must be a finite number, got 'inf'"),
        ("time", 1, "noon", "row 2, column 'time': must be a time such as 2024-05-31 12:00:00, got 'noon'"),
        ("time", 1, None, "row 2, column 'time': must be a time"),
        ("kind", 0, "glance", "row 1, column 'kind': must be one of view, search,"),
        ("quantity", 3, "-1", "row 4, column 'quantity': must be at least 1, got '-1'"),
        ("quantity", 3, "1.5", "row 4, column 'quantity': must be a whole number, got '1.5'"),
        ("shopper_id", 0, None, "row 1, column 'shopper_id': must be an id"),
        ("product_id", 0, None, "row 1, column 'product_id': must be an id, except for a search"),
        ("product_id", 1, "mug", "row 2, column 'product_id': must be empty for a search, got 'mug'"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, column: str, row: int, value: str | None, message: str) -> None:
    frame = EVENTS.astype(object)
    frame.loc[row, column] = value
    path = write(frame, tmp_path / "e.csv")
    line = one_line(lambda: read_events(path))
    assert line.startswith(f"{path}: {message}")


def test_a_missing_column_is_named_with_those_present(tmp_path: Path) -> None:
    path = write(EVENTS.drop(columns="price"), tmp_path / "e.csv")
    line = one_line(lambda: read_events(path))
    assert "missing column 'price'; present are kind, time, shopper_id, product_id, quantity, query" in line


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "the file is empty (0 bytes)"),
        ("t.csv", b"\n\n", "the file is empty (no header)"),
        ("t.csv", b"a,b\n", "the file is empty (a header without rows)"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "the file is empty (no header)"),
        (
            "t.csv",
            "a,b\n1,2\ncafé,3\n".encode("latin1"),
            "byte 11 (line 3) is not UTF-8 text, got 0xe9; convert",
        ),
        ("t.csv.gz", gzip.compress("a\né\n".encode("latin1"), mtime=0), "byte 2 (line 2) is not UTF-8 text"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "byte 0 (line 1) is not UTF-8 text, got 0xff"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "not a CSV table"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:-20], "not a whole gzip file"),
        ("t.csv.gz", b"a,b\n1,2\n", "not a whole gzip file"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "not JSON lines"),
        ("t.jsonl", b'{"a": 1}\n{"a": "x"}\n', "in line 2"),
        ("t.parquet", b"PAR1 and no more", "not a whole Parquet file"),
        ("t.xlsx", b"PK but no workbook", "not a whole Excel file"),
        ("t.txt", b"a,b\n1,2\n", "suffix must be one of .csv, .csv.gz, .jsonl"),
    ],
)
def test_unusable_files_get_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    line = one_line(lambda: read_table(path, ["a"]))
    assert line.startswith(f"{path}: ")
    assert message in line
    assert ";" in line


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    assert "no such file; check the path" in one_line(lambda: read_table(tmp_path / "no.csv", ["a"]))
    (tmp_path / "folder.csv").mkdir()
    assert "no such file" in one_line(lambda: read_table(tmp_path / "folder.csv", ["a"]))


def test_a_truncated_parquet_table_is_refused(tmp_path: Path) -> None:
    path = write(EVENTS, tmp_path / "e.parquet")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "not a whole Parquet file" in one_line(lambda: read_events(path))


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a,b\nNA,2\n".encode("utf-8-sig"))
    assert read_table(path, ["a"])["a"].tolist() == ["NA"]


PRODUCTS = pd.DataFrame(
    {
        "product_id": ["0012", "13"],
        "name": ["mug", "lamp"],
        "title": ["Blue Mug", "Oak Lamp"],
        "category": ["kitchen", "light"],
        "brand": ["", "Oakly"],
        "price": [8.5, 20.0],
        "facts": ["blue; holds 350 ml", ""],
    }
)


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl", "p.parquet"])
def test_products_are_the_same_from_every_format(tmp_path: Path, name: str) -> None:
    mug, lamp = read_products(write(PRODUCTS, tmp_path / name))
    assert (mug.product_id, mug.name, mug.price, mug.brand) == ("0012", "mug", 8.5, "")
    assert mug.facts == ("blue", "holds 350 ml")
    assert (lamp.title, lamp.brand, lamp.facts) == ("Oak Lamp", "Oakly", ())


def test_facts_may_be_lists_and_optional_columns_absent(tmp_path: Path) -> None:
    facts = pd.Series([["blue", "holds 350 ml"], []], dtype=object)
    lists = PRODUCTS.assign(facts=facts).drop(columns="brand")
    mug, lamp = read_products(write(lists, tmp_path / "p.parquet"))
    assert mug.facts == ("blue", "holds 350 ml")
    assert lamp.facts == ()
    bare = write(PRODUCTS.drop(columns=["brand", "facts"]), tmp_path / "p.csv")
    assert read_products(bare)[0].facts == ()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("price", None, "row 2, column 'price': must be a finite number, got 'nan'"),
        ("price", 0, "row 2, column 'price': must be above 0"),
        ("product_id", "0012", "row 2, column 'product_id': must be different in every row, got '0012'"),
        ("product_id", "", "row 2, column 'product_id': must be an id"),
        ("name", " ", "row 2, column 'name': must be a name"),
    ],
)
def test_bad_products_are_named(tmp_path: Path, column: str, value: str | float | None, message: str) -> None:
    frame = PRODUCTS.astype(object)
    frame.loc[1, column] = value
    path = write(frame, tmp_path / "p.csv")
    assert one_line(lambda: read_products(path)).startswith(f"{path}: {message}")
