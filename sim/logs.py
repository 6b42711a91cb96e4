"""Files of the shop's own: behaviour events and products, from CSV, JSONL, Parquet or Excel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from copybandit.sim.currency import CURRENCIES
from copybandit.sim.events import ADD_TO_CART, KINDS, SEARCH, EventTable
from copybandit.sim.tables import (
    ids,
    integer_column,
    number_column,
    read_table,
    refuse,
    text_column,
    time_column,
)
from copybandit.sim.types import Bools, Product

__all__ = ["read_events", "read_products", "read_table"]

MOST_PRICE = 1e12
"""In any currency; what costs more is a mistake, and overflows."""


def read_events(path: Path | str) -> EventTable:
    """Read behaviour events; the columns are those of `Event`, `query` may be absent, `currency` may be there.

    Rows may stand in any order. Prices must be above 0 and all in one currency.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    names = ("shopper_id", "product_id")
    frame = read_table(path, ["kind", "time", *names, "quantity", "price"], text=[*names, "query"])
    _check_currency(frame, path)
    kinds = text_column(frame, "kind")
    kind = pd.Index(KINDS, dtype=object).get_indexer(pd.Index(kinds)).astype(np.int8)
    refuse(path, kind < 0, "kind", kinds, f"one of {', '.join(KINDS)}")
    price = number_column(frame, "price", path, missing=True)
    unpriced = (kind >= ADD_TO_CART) & ~(price > 0)
    rule = "above 0 where something was carted, bought or returned"
    refuse(path, unpriced | (price <= 0), "price", frame["price"], rule)
    refuse(path, price > MOST_PRICE, "price", frame["price"], f"at most {MOST_PRICE:.0e}")
    quantity = integer_column(frame, "quantity", path)
    refuse(path, quantity < 1, "quantity", frame["quantity"], "at least 1")
    shopper, shopper_ids = ids(_ids_of(frame, "shopper_id", path, np.zeros(len(frame), np.bool_)))
    product, product_ids = ids(_ids_of(frame, "product_id", path, kind == SEARCH))
    return EventTable(
        shopper_ids=shopper_ids,
        product_ids=product_ids,
        kind=kind,
        time=time_column(frame, "time", path),
        shopper=shopper,
        product=product,
        quantity=quantity,
        price=price,
        query=(text_column(frame, "query") if "query" in frame else kinds.str[:0]).to_numpy(np.str_),
    )


def _ids_of(frame: pd.DataFrame, column: str, path: Path | str, without: Bools) -> pd.Series:
    """The ids of a column, missing where `without` says so, and only there."""
    values = text_column(frame, column)
    empty = (values == "").to_numpy(np.bool_)
    refuse(path, empty & ~without, column, values, "an id, except for a search" if without.any() else "an id")
    refuse(path, ~empty & without, column, values, "empty for a search")
    return values.where(~without)


def read_products(path: Path | str) -> tuple[Product, ...]:
    """Read a catalogue: product_id, name, title, category, price, and optionally brand and facts.

    Facts are a list, or one text parted by semicolons.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    words = ("product_id", "name", "title", "category", "brand")
    frame = read_table(path, [*words[:4], "price"], text=[*words, "facts"])
    columns = {w: text_column(frame, w).tolist() if w in frame else [""] * len(frame) for w in words}
    identity = pd.Series(columns["product_id"])
    refuse(path, (identity == "").to_numpy(), "product_id", identity, "an id")
    refuse(path, identity.duplicated().to_numpy(), "product_id", identity, "different in every row")
    names = pd.Series(columns["name"])
    refuse(path, (names == "").to_numpy(), "name", names, "a name")
    price = number_column(frame, "price", path)
    refuse(
        path,
        (price <= 0) | (price > MOST_PRICE),
        "price",
        frame["price"],
        f"above 0, at most {MOST_PRICE:.0e}",
    )
    facts = [_facts(value) for value in frame["facts"]] if "facts" in frame else [()] * len(frame)
    rows = zip(*columns.values(), price.tolist(), facts, strict=True)
    return tuple(
        Product(product_id=i, name=n, title=t, category=c, brand=b, price=p, facts=f)
        for i, n, t, c, b, p, f in rows
    )


def _facts(value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple, np.ndarray)):
        parts = [str(part) for part in value]
    else:
        parts = [] if value is None or value != value else str(value).split(";")
    return tuple(part.strip() for part in parts if part.strip())


def _check_currency(frame: pd.DataFrame, path: Path | str) -> None:
    """Refuse a table whose column `currency`, where it has one, holds an unknown code or more than one."""
    if "currency" not in frame:
        return
    code = text_column(frame, "currency").str.upper()
    refuse(path, ~code.isin(CURRENCIES).to_numpy(np.bool_), "currency", frame["currency"], "an ISO 4217 code")
    first = str(code.iloc[0])
    refuse(
        path,
        (code != first).to_numpy(np.bool_),
        "currency",
        frame["currency"],
        f"{first} as in row 1; convert first",
    )
