"""Event tables check themselves once, keep their ids through takes, and survive Arrow exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.sim.events import KINDS, PURCHASE, SEARCH, VIEW, EventTable
from copybandit.sim.schema import EVENT_SCHEMA, SCHEMA_KEY
from copybandit.sim.types import DataError


def table(n: int = 6, seed: int = 0) -> EventTable:
    rng = np.random.default_rng(seed)
    kind = (np.arange(n) % len(KINDS)).astype(np.int8)
    return EventTable(
        shopper_ids=("ann", "bob", "never seen"),
        product_ids=("mug", "lamp", "never sold"),
        kind=kind,
        time=np.datetime64("2024-01-01", "us") + rng.permutation(n) * np.timedelta64(1, "h"),
        shopper=rng.integers(2, size=n),
        product=np.where(kind == SEARCH, -1, rng.integers(2, size=n)),
        quantity=rng.integers(1, 5, n),
        price=np.where(kind >= 2, rng.random(n) + 0.1, np.nan),
        query=np.where(kind == SEARCH, "blue mug", ""),
    )


def assert_same(a: EventTable, b: EventTable) -> None:
    assert (a.shopper_ids, a.product_ids) == (b.shopper_ids, b.product_ids)
    for name in ("kind", "time", "shopper", "product", "quantity", "price", "query"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype.kind == getattr(b, name).dtype.kind


@given(st.integers(0, 40), st.integers(0, 9))
def test_arrow_round_trip_is_exact(n: int, seed: int) -> None:
    events = table(n, seed)
    arrow = events.to_arrow()
    assert arrow.schema.metadata[SCHEMA_KEY] == b"copybandit.events/1"
    assert_same(EventTable.from_arrow(arrow), events)


def test_another_version_is_refused() -> None:
    arrow = table().to_arrow().replace_schema_metadata({SCHEMA_KEY: b"copybandit.events/9"})
    with pytest.raises(
        DataError, match=r"schema must be copybandit\.events/1, got copybandit\.events/9; read it"
    ):
        EventTable.from_arrow(arrow)


def test_another_type_of_column_is_refused() -> None:
    arrow = table().to_arrow()
    place = arrow.schema.get_field_index("quantity")
    changed = arrow.set_column(place, "quantity", arrow["quantity"].cast("float64"))
    with pytest.raises(DataError, match="column quantity must be int64, got double"):
        EventTable.from_arrow(changed.replace_schema_metadata(EVENT_SCHEMA.metadata))


def test_take_keeps_ids_and_rows() -> None:
    events = table(10)
    bought = events.take(events.kind == PURCHASE)
    assert bought.shopper_ids == events.shopper_ids
    assert len(bought) == 2
    assert_same(events.take(np.arange(10)), events)


def test_sorted_by_time_is_stable() -> None:
    events = replace(table(8), time=np.array(["2024-01-02", "2024-01-01"] * 4, "datetime64[us]"))
    ordered = events.sorted_by_time()
    assert (np.diff(ordered.time) >= np.timedelta64(0)).all()
    np.testing.assert_array_equal(ordered.kind, events.kind[[1, 3, 5, 7, 0, 2, 4, 6]])


def test_rows_are_records() -> None:
    events = list(table(6))
    assert [event.kind for event in events] == [*KINDS, "view"]
    search = events[1]
    assert (search.product_id, search.query) == ("", "blue mug")
    assert events[3].price > 0
    assert events[0].time.year == 2024


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("kind", 2, 7, "row 2: kind must be 0 to 4, got 7"),
        ("time", 3, np.datetime64("NaT"), "row 3: time must be a time"),
        ("shopper", 1, 3, "row 1: shopper must be an index below 3, got 3"),
        ("product", 0, -1, "row 0: product must be an index below 3, -1 for a search, got -1"),
        ("product", 1, 1, "row 1: product must be"),
        ("product", 1, -2, "row 1: product must be"),
        ("quantity", 4, 0, "row 4: quantity must be at least 1, got 0"),
        ("price", 3, np.nan, "row 3: price must be above 0 where"),
        ("price", 0, -1.0, "row 0: price must be above 0"),
        ("price", 2, np.inf, "row 2: price must be above 0"),
    ],
)
def test_broken_rows_are_named(column: str, row: int, value: Any, message: str) -> None:
    events = table(6)
    values = getattr(events, column).copy()
    values[row] = value
    with pytest.raises(DataError) as caught:
        replace(events, **{column: values})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_of_other_length_and_repeated_ids_are_refused() -> None:
    with pytest.raises(DataError, match=r"column time must have shape \(6,\), got \(5,\)"):
        replace(table(6), time=table(5).time)
    with pytest.raises(DataError, match="shopper_ids must be distinct, got 1 repeats"):
        replace(table(6), shopper_ids=("ann", "ann", "bob"))


def test_a_view_may_lack_a_price() -> None:
    assert np.isnan(table(6).price[VIEW])
