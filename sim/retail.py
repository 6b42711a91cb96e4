"""Online Retail (Chen, UCI Machine Learning Repository, 2015) and Online Retail II: a gift shop's invoices.

Reads the owner's columns and turns lines into purchases and returns of named products; what is dropped is
counted by reason. The log is mostly wholesale and holds no views, so it speaks of interest, price and recency
only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from copybandit.sim.descriptions import describe
from copybandit.sim.events import PURCHASE, RETURN, EventTable
from copybandit.sim.spelling import merge_spellings, words_of
from copybandit.sim.tables import (
    ids,
    integer_column,
    is_missing,
    number_column,
    read_table,
    refuse,
    text_column,
    time_column,
)
from copybandit.sim.types import Bools, DataError, Floats, Ints, Product, Shopper

COLUMNS = ("Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
ALIASES = {
    "Invoice": "InvoiceNo",
    "Price": "UnitPrice",
    "Customer ID": "CustomerID",
    "Customer Id": "CustomerID",
}
TIME_FORMATS = ("ISO8601", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M")

NOT_PRODUCTS = frozenset(
    "postage|dotcom postage|carriage|next day carriage|packing charge|manual|discount|amazon fee|amazon|ebay|"
    "fba|bank charges|samples|sample|cruk commission|adjust bad debt|high resolution image|gift voucher|"
    "check|damaged|damages|damage|lost|missing|found|test|breakages|given away|counted|display|wet|mouldy|"
    "smashed|thrown away|throw away|wrongly coded|wrongly marked|wrongly sold|dotcom|mailout|returned|faulty|"
    "broken|crushed".split("|")
)
"""Whole descriptions, in lower case and without punctuation, that name a charge or a note."""
NOTE_STARTS = frozenset("adjust adjustment wrongly incorrect incorrectly damaged thrown unsaleable".split())
"""A description that begins with one of these is a note of the warehouse."""
PRODUCT_CODE = re.compile(r"\d{5}|DCGS|PADS$", re.IGNORECASE)
"""How the stock code of a product begins; charges have codes such as POST, D, M, C2 or BANK CHARGES."""


@dataclass(frozen=True, kw_only=True)
class RetailData:
    """A shop read from invoice lines.

    Attributes:
        products: in the order of `events.product_ids`.
        shoppers: in the order of `events.shopper_ids`.
        events: purchases and returns, by time.
        dropped: lines left out, by reason; the counts and `len(events)` add up to the lines of the file.
    """

    products: tuple[Product, ...]
    shoppers: tuple[Shopper, ...]
    events: EventTable
    dropped: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """Columns of the file, n lines; `text` indexes `texts`, the distinct descriptions (-1: none)."""

    text: Ints
    texts: tuple[str, ...]
    stock: NDArray[np.object_]
    customer: NDArray[np.object_]
    country: NDArray[np.object_]
    time: NDArray[np.datetime64]
    quantity: Ints
    price: Floats
    cancelled: Bools

    def take(self, rows: Bools) -> _Lines:
        names = ("text", "stock", "customer", "country", "time", "quantity", "price", "cancelled")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def load_retail(path: Path | str, *, min_lines: int = 20) -> RetailData:
    """Read Online Retail from csv, xlsx or parquet; InvoiceNo and StockCode may be absent.

    A line with negative quantity, or of an invoice that begins with C, is a return. Lines without a customer,
    of charges and warehouse notes, without a price above 0 or with quantity 0 are dropped. Spelling variants
    are merged, see `copybandit.sim.spelling`. Repeated lines are kept: they are orders of the same thing.

    Args:
        path: the owner's file; text must be UTF-8.
        min_lines: a product with fewer lines is dropped.

    Raises:
        DataError: for an unusable file or value, e.g. a missing price on a line that is a sale.
    """
    lines, dropped = _usable(path)
    counts = np.bincount(lines.text, minlength=len(lines.texts))
    stock = pd.DataFrame({"text": lines.text, "stock": lines.stock}).drop_duplicates()
    stock = stock[stock["stock"] != ""]
    standing = merge_spellings(lines.texts, counts, zip(stock["text"], stock["stock"], strict=True))
    lines = replace(lines, text=standing[lines.text])
    bought = ~lines.cancelled & (lines.quantity > 0)
    enough = np.bincount(lines.text, minlength=len(lines.texts)) >= min_lines
    enough &= np.bincount(lines.text, weights=bought, minlength=len(lines.texts)) > 0
    keep = enough[lines.text]
    dropped.append((f"product with fewer than {min_lines} lines", int((~keep).sum())))
    if not keep.any():
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped if count)
        raise DataError(f"{path}: no line is left ({reasons}); lower min_lines or check the file")
    return _shop(lines.take(keep), tuple(dropped))


def is_product(texts: tuple[str, ...]) -> Bools:
    """Say which descriptions name a product, shape (m,).

    Not a product: a charge or note of `NOT_PRODUCTS`, a note that begins with a word of `NOTE_STARTS`, a text
    without letters or with two question marks, and, in a shop that writes its products in capitals, a text
    that is mostly lower case and is no product in other letters.
    """
    words = [words_of(text) for text in texts]
    named = np.array(
        [
            any(c.isalpha() for c in text)
            and "??" not in text
            and " ".join(w) not in NOT_PRODUCTS
            and (not w or w[0] not in NOTE_STARTS)
            for text, w in zip(texts, words, strict=True)
        ],
        np.bool_,
    )
    capitals = np.array([_in_capitals(text) for text in texts], np.bool_)
    if len(texts) and capitals.mean() >= 0.5:
        known = {w for w, upper in zip(words, capitals, strict=True) if upper}
        named &= capitals | np.array([w in known for w in words], np.bool_)
    return named


def _in_capitals(text: str) -> bool:
    letters = [c for c in text if c.isalpha()]
    return 2 * sum(c.isupper() for c in letters) >= len(letters)


def _usable(path: Path | str) -> tuple[_Lines, list[tuple[str, int]]]:
    """Read the lines and drop what is no sale; the first reason that holds is counted."""
    frame = read_table(
        path, COLUMNS, text=("InvoiceNo", "StockCode", "Description", "Invoice"), aliases=ALIASES
    )
    text, texts = ids(text_column(frame, "Description").replace("", None))
    lines = _Lines(
        text=text,
        texts=texts,
        stock=_or_empty(frame, "StockCode"),
        customer=text_column(frame, "CustomerID").str.replace(r"\.0$", "", regex=True).to_numpy(),
        country=text_column(frame, "Country").to_numpy(),
        time=time_column(frame, "InvoiceDate", path, formats=TIME_FORMATS),
        quantity=integer_column(frame, "Quantity", path),
        price=number_column(frame, "UnitPrice", path, missing=True),
        cancelled=np.char.startswith(np.char.upper(_or_empty(frame, "InvoiceNo").astype(np.str_)), "C"),
    )
    reasons = _reasons(lines, coded="StockCode" in frame)
    adjustment = np.logical_or.reduce(list(reasons.values()))
    refuse(path, np.isnan(lines.price) & ~adjustment, "UnitPrice", frame["UnitPrice"], "a price")
    reasons["price not above 0"] = ~(lines.price > 0)
    dropped, keep = [], np.ones(len(frame), np.bool_)
    for reason, rows in reasons.items():
        dropped.append((reason, int((keep & rows).sum())))
        keep &= ~rows
    return lines.take(keep), dropped


def _reasons(lines: _Lines, *, coded: bool) -> dict[str, Bools]:
    """Reason -> lines it drops; `coded` says that the file has stock codes."""
    no_product = ~np.append(is_product(lines.texts), True)[lines.text]
    if coded:
        no_product |= ~pd.Series(lines.stock).str.match(PRODUCT_CODE).to_numpy(np.bool_)
    return {
        "no description": lines.text < 0,
        "no customer": is_missing(pd.Series(lines.customer)),
        "not a product": no_product,
        "quantity 0": lines.quantity == 0,
    }


def _or_empty(frame: pd.DataFrame, column: str) -> NDArray[np.object_]:
    if column in frame:
        return text_column(frame, column).to_numpy(object)
    return np.full(len(frame), "", dtype=object)


def _shop(lines: _Lines, dropped: tuple[tuple[str, int], ...]) -> RetailData:
    used, product = np.unique(lines.text, return_inverse=True)
    shopper, shopper_ids = ids(pd.Series(lines.customer))
    returned = lines.cancelled | (lines.quantity < 0)
    sold = pd.DataFrame({"product": product, "price": lines.price})[~returned]
    price = sold.groupby("product")["price"].median()
    products = tuple(
        _product(lines.texts[text], float(p)) for text, p in zip(used.tolist(), price, strict=True)
    )
    country = pd.DataFrame({"shopper": shopper, "country": lines.country}).value_counts().reset_index()
    country = country.sort_values(["count", "country"], ascending=[False, True]).drop_duplicates("shopper")
    of_shopper = country.sort_values("shopper")["country"].tolist()
    events = EventTable(
        shopper_ids=shopper_ids,
        product_ids=tuple(p.product_id for p in products),
        kind=np.where(returned, RETURN, PURCHASE).astype(np.int8),
        time=lines.time,
        shopper=shopper,
        product=product.astype(np.int64),
        quantity=np.abs(lines.quantity),
        price=lines.price,
        query=np.full(len(product), "", dtype=np.str_),
    )
    shoppers = tuple(Shopper(shopper_id=i, country=c) for i, c in zip(shopper_ids, of_shopper, strict=True))
    return RetailData(products=products, shoppers=shoppers, events=events.sorted_by_time(), dropped=dropped)


def _product(text: str, price: float) -> Product:
    told = describe(text)
    return Product(
        product_id="-".join(words_of(text)),
        name=told.name,
        title=told.title,
        category=told.category,
        brand="",
        price=price,
        facts=told.facts,
    )
