"""Behaviour events in columns: who did what with which product, when, and at what price.

One `EventTable` holds every event of a shop; `copybandit.sim.types.Event` is its row, for people to read.
Reading files is the job of `copybandit.sim.logs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from copybandit.sim.schema import EVENT_SCHEMA, check_version
from copybandit.sim.types import Bools, DataError, Event, EventKind, Floats, Ints

KINDS: tuple[EventKind, ...] = get_args(EventKind)
"""Kinds of event in the order of their codes: view 0, search 1, add_to_cart 2, purchase 3, return 4."""

VIEW, SEARCH, ADD_TO_CART, PURCHASE, RETURN = range(len(KINDS))


@dataclass(frozen=True, kw_only=True)
class EventTable:
    """Events of one shop, one row each, in any order.

    Attributes:
        shopper_ids: distinct ids; `shopper` points into it.
        product_ids: distinct ids; `product` points into it.
        kind: shape (n,), int8 codes into `KINDS`.
        time: shape (n,), datetime64[us], UTC.
        shopper: shape (n,), index into `shopper_ids`.
        product: shape (n,), index into `product_ids`; -1 for a search and only there.
        quantity: shape (n,), at least 1; a return is its own kind, not a negative quantity.
        price: shape (n,), unit price above 0; NaN only where nothing was put in a cart, bought or returned.
        query: shape (n,), words of a search, else empty.

    Raises:
        DataError: when a column breaks one of these rules; the message names the row.
    """

    shopper_ids: tuple[str, ...]
    product_ids: tuple[str, ...]
    kind: NDArray[np.int8]
    time: NDArray[np.datetime64]
    shopper: Ints
    product: Ints
    quantity: Ints
    price: Floats
    query: NDArray[np.str_]

    def __post_init__(self) -> None:
        n = len(self.kind)
        for name in ("time", "shopper", "product", "quantity", "price", "query"):
            if getattr(self, name).shape != (n,):
                raise DataError(
                    f"events: column {name} must have shape ({n},), got {getattr(self, name).shape}; "
                    "align the columns"
                )
        for name, ids in (("shopper_ids", self.shopper_ids), ("product_ids", self.product_ids)):
            if len(set(ids)) != len(ids):
                raise DataError(
                    f"events: {name} must be distinct, got {len(ids) - len(set(ids))} repeats; "
                    "give each one id"
                )
        self._check_rows()

    def _check_rows(self) -> None:
        search = self.kind == SEARCH
        priced = self.kind >= ADD_TO_CART
        price_ok = np.where(np.isnan(self.price), ~priced, np.isfinite(self.price) & (self.price > 0))
        product_ok = (self.product < len(self.product_ids)) & ((self.product >= 0) ^ search)
        product_ok &= self.product >= -1
        _require((self.kind >= 0) & (self.kind < len(KINDS)), "kind", self.kind, f"0 to {len(KINDS) - 1}")
        _require(~np.isnat(self.time), "time", self.time, "a time")
        _require(
            (self.shopper >= 0) & (self.shopper < len(self.shopper_ids)),
            "shopper",
            self.shopper,
            f"an index below {len(self.shopper_ids)}",
        )
        _require(
            product_ok, "product", self.product, f"an index below {len(self.product_ids)}, -1 for a search"
        )
        _require(self.quantity >= 1, "quantity", self.quantity, "at least 1")
        _require(price_ok, "price", self.price, "above 0 where something was carted, bought or returned")

    def __len__(self) -> int:
        return len(self.kind)

    def __iter__(self) -> Iterator[Event]:
        return map(self.event, range(len(self)))

    def event(self, row: int) -> Event:
        """Return one row as a record, for people; computations stay on the columns."""
        product = int(self.product[row])
        time: datetime = self.time[row].astype("datetime64[us]").item()
        return Event(
            kind=KINDS[self.kind[row]],
            time=time,
            shopper_id=self.shopper_ids[self.shopper[row]],
            product_id=self.product_ids[product] if product >= 0 else "",
            query=str(self.query[row]),
            quantity=int(self.quantity[row]),
            price=float(self.price[row]),
        )

    def take(self, rows: Bools | Ints) -> EventTable:
        """Return the rows of a mask (n,) or an index (m,); id tables and index meaning stay."""
        return replace(
            self,
            kind=self.kind[rows],
            time=self.time[rows],
            shopper=self.shopper[rows],
            product=self.product[rows],
            quantity=self.quantity[rows],
            price=self.price[rows],
            query=self.query[rows],
        )

    def sorted_by_time(self) -> EventTable:
        """Return the rows in order of time; rows of the same time keep their order."""
        return self.take(np.argsort(self.time, kind="stable"))

    def to_arrow(self) -> pa.Table:
        """Return the events under `EVENT_SCHEMA`; ids without events are kept too."""
        columns = {
            "kind": pa.DictionaryArray.from_arrays(pa.array(self.kind), pa.array(KINDS)),
            "time": pa.array(self.time.astype("datetime64[us]")),
            "shopper_id": _dictionary(self.shopper, self.shopper_ids),
            "product_id": _dictionary(self.product, self.product_ids),
            "quantity": pa.array(self.quantity),
            "price": pa.array(self.price),
            "query": pa.array(self.query, pa.string()),
        }
        return pa.table(columns, schema=EVENT_SCHEMA)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> EventTable:
        """Read a table of `EVENT_SCHEMA`.

        Raises:
            DataError: for a foreign table, another version or a broken row.
        """
        check_version(table.schema, EVENT_SCHEMA, "events")
        kind, kinds = _codes(table, "kind")
        order = np.array([KINDS.index(k) if k in KINDS else -1 for k in kinds], np.int8)
        shopper, shopper_ids = _codes(table, "shopper_id")
        product, product_ids = _codes(table, "product_id")
        return cls(
            shopper_ids=shopper_ids,
            product_ids=product_ids,
            kind=order[kind],
            time=table["time"].to_numpy().astype("datetime64[us]"),
            shopper=shopper,
            product=product,
            quantity=table["quantity"].to_numpy(),
            price=table["price"].to_numpy(),
            query=np.array(table["query"].to_pylist(), dtype=np.str_),
        )


def _require(ok: Bools, column: str, values: NDArray[np.generic], rule: str) -> None:
    if not ok.all():
        row = int(np.argmin(ok))
        raise DataError(
            f"events row {row}: {column} must be {rule}, got {values[row]}; correct or drop the row"
        )


def _dictionary(index: Ints, ids: tuple[str, ...]) -> pa.DictionaryArray:
    codes = pa.array(index.astype(np.int32), mask=index < 0)
    return pa.DictionaryArray.from_arrays(codes, pa.array(ids, pa.string()))


def _codes(table: pa.Table, column: str) -> tuple[Ints, tuple[str, ...]]:
    values = table[column].unify_dictionaries().combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks else pa.array([], EVENT_SCHEMA.field(column).type)
    index = values.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return index, tuple(values.dictionary.to_pylist())
