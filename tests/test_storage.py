"""What is stored comes back, and equal content gives equal bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from copybandit.evaluation import storage
from copybandit.evaluation.settings import RunSettings
from copybandit.sim.types import DataError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NUMERIC = (
    hnp.integer_dtypes(endianness="=")
    | hnp.floating_dtypes(endianness="=", sizes=(32, 64))
    | st.just(np.bool_)
)


@dataclass(frozen=True, kw_only=True)
class Record:
    value: float
    ci: tuple[float, float]


@given(value=JSON)
def test_json_comes_back_unchanged(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.mktemp("json") / "x.json"
    storage.save_json(path, value)
    assert storage.load_json(path) == value


@given(array=hnp.arrays(NUMERIC, hnp.array_shapes(min_dims=0, min_side=0)))
def test_arrays_come_back_unchanged(tmp_path_factory: pytest.TempPathFactory, array: NDArray[Any]) -> None:
    path = tmp_path_factory.mktemp("arrays") / "x.safetensors"
    storage.save_arrays(path, a=array, turned=array.T)
    back = storage.load_arrays(path)
    assert back["a"].dtype == array.dtype and back["a"].shape == array.shape
    np.testing.assert_array_equal(back["a"], array)
    np.testing.assert_array_equal(back["turned"], array.T)


def test_tables_come_back_with_their_metadata(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", None], "n": [1, 2]}).replace_schema_metadata({"version": "1"})
    storage.save_table(tmp_path / "x.arrow", table)
    assert storage.load_table(tmp_path / "x.arrow").equals(table, check_metadata=True)


def test_records_arrays_and_nan_have_a_form_in_json() -> None:
    value = {
        "r": Record(value=math.nan, ci=(0.1, math.inf)),
        "n": np.int64(3),
        "b": np.bool_(True),
        "s": RunSettings(name="x"),
    }
    back = storage.plain(value)
    assert back["r"] == {"value": None, "ci": [0.1, None]} and back["n"] == 3 and back["b"] is True
    assert back["s"]["tune"]["seeds"] == [0]


def test_order_of_keys_does_not_change_the_bytes(tmp_path: Path) -> None:
    storage.save_json(tmp_path / "a", {"x": 1, "y": 2})
    storage.save_json(tmp_path / "b", {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="set has no form in JSON"):
        storage.save_json(tmp_path / "a", {"x": {1}})
    with pytest.raises(DataError, match="array names must hold numbers"):
        storage.save_arrays(tmp_path / "b", names=np.array(["x"]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("load", [storage.load_json, storage.load_arrays, storage.load_table])
def test_broken_and_absent_files_are_named(tmp_path: Path, load: Any) -> None:
    (tmp_path / "broken").write_bytes(b"\xff\x00{")
    for name in ("broken", "absent"):
        with pytest.raises(DataError, match=rf"{name}: .*; run the stage again") as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)
