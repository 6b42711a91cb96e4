"""Online Retail: what becomes of each line, what is a product, and what is dropped."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from copybandit.sim.descriptions import MAX_NAME_WORDS
from copybandit.sim.events import PURCHASE, RETURN
from copybandit.sim.listing_words import OTHER
from copybandit.sim.retail import RetailData, is_product, load_retail
from copybandit.sim.types import DataError
from tests.slices import retail_frame, write_retail

MUG, LAMP = "RED RETROSPOT MUG", "GLASS LANTERN"


def lines(**changes: list[object]) -> pd.DataFrame:
    columns: dict[str, list[object]] = {
        "InvoiceNo": ["1", "1", "2", "C3", "4"],
        "StockCode": ["20001", "20002", "20001", "20001", "20002"],
        "Description": [MUG, LAMP, MUG, MUG, LAMP],
        "Quantity": [6, 2, 1, -1, 3],
        "InvoiceDate": [f"2010-12-0{d} 08:26:00" for d in (1, 1, 3, 4, 2)],
        "UnitPrice": [2.55, 3.75, 2.95, 2.55, 3.75],
        "CustomerID": [17850, 17850, 13047, 17850, 13047],
        "Country": ["United Kingdom", "United Kingdom", "France", "United Kingdom", "France"],
    }
    return pd.DataFrame(columns | changes)


def load(frame: pd.DataFrame, tmp_path: Path, min_lines: int = 1) -> RetailData:
    path = tmp_path / "retail.csv"
    frame.to_csv(path, index=False)
    return load_retail(path, min_lines=min_lines)


def dropped(data: RetailData) -> dict[str, int]:
    return {reason: count for reason, count in data.dropped if count}


def test_lines_become_purchases_and_returns(tmp_path: Path) -> None:
    data = load(lines(), tmp_path)
    assert [p.product_id for p in data.products] == ["glass-lantern", "red-retrospot-mug"]
    assert [(s.shopper_id, s.country) for s in data.shoppers] == [
        ("13047", "France"),
        ("17850", "United Kingdom"),
    ]
    assert [e.kind for e in data.events] == ["purchase", "purchase", "purchase", "purchase", "return"]
    assert (np.diff(data.events.time) >= np.timedelta64(0)).all()
    assert data.events.event(4).quantity == 1
    assert data.products[1].price == pytest.approx(2.75)
    assert dropped(data) == {}


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("invoices", [True, False])
def test_every_format_gives_the_same_shop(tmp_path: Path, suffix: str, invoices: bool) -> None:
    frame = retail_frame(n_customers=25, n_products=15, seed=2)
    if not invoices:
        frame = frame.drop(columns=["InvoiceNo", "StockCode"])
    wanted = load(frame, tmp_path, min_lines=5)
    path = write_retail(tmp_path / f"r{suffix}", n_customers=25, n_products=15, seed=2, invoices=invoices)
    data = load_retail(path, min_lines=5)
    assert data.products == wanted.products
    assert data.shoppers == wanted.shoppers
    assert data.dropped == wanted.dropped
    np.testing.assert_array_equal(data.events.time, wanted.events.time)


def test_the_names_of_online_retail_ii_and_american_dates_are_read(tmp_path: Path) -> None:
    frame = lines(
        InvoiceDate=["12/1/2010 8:26", "12/1/2010 8:26", "12/3/2010 8:26", "12/4/2010 8:26", "12/2/2010 8:26"]
    )
    names = {"InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID"}
    data, wanted = load(frame.rename(columns=names), tmp_path), load(lines(), tmp_path)
    assert data.products == wanted.products
    np.testing.assert_array_equal(data.events.time, wanted.events.time)
    np.testing.assert_array_equal(data.events.kind, wanted.events.kind)


def test_every_drop_is_counted(tmp_path: Path) -> None:
    extra = pd.DataFrame(
        {
            "InvoiceNo": ["9"] * 7,
            "StockCode": ["20001", "POST", "20001", "20001", "20001", "20001", "20003"],
            "Description": [None, "POSTAGE", MUG, MUG, MUG, "damaged", "RARE THING"],
            "Quantity": [1, 1, 1, 1, 0, -2, 1],
            "InvoiceDate": ["2010-12-05"] * 7,
            "UnitPrice": [1.0, 18.0, 1.0, 0.0, 1.0, 0.0, 1.0],
            "CustomerID": [17850, 17850, None, 17850, 17850, 17850, 17850],
            "Country": ["United Kingdom"] * 7,
        }
    )
    data = load(pd.concat([lines(), extra]), tmp_path, min_lines=2)
    assert dropped(data) == {
        "no description": 1,
        "no customer": 1,
        "not a product": 2,
        "quantity 0": 1,
        "price not above 0": 1,
        "product with fewer than 2 lines": 1,
    }
    assert len(data.events) == 5


def test_repeated_lines_are_kept(tmp_path: Path) -> None:
    assert len(load(pd.concat([lines(), lines()]), tmp_path).events) == 10


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("UnitPrice", None, "row 3, column 'UnitPrice': must be a price, got 'nan'; correct or drop the row"),
        ("UnitPrice", "2,55", "row 3, column 'UnitPrice': must be a finite number, got '2,55'"),
        ("Quantity", None, "row 3, column 'Quantity': must be a finite number, got 'nan'"),
        ("Quantity", 1.5, "row 3, column 'Quantity': must be a whole number, got '1.5'"),
        ("InvoiceDate", None, "row 3, column 'InvoiceDate': must be a time"),
        ("InvoiceDate", "31/12/2010 8:26", "row 3, column 'InvoiceDate': must be a time"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, column: str, value: str | float | None, message: str) -> None:
    frame = lines().astype(object)
    frame.loc[2, column] = value
    with pytest.raises(DataError) as caught:
        load(frame, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'retail.csv'}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_price_is_no_error_on_an_adjustment(tmp_path: Path) -> None:
    frame = lines(Description=[MUG, LAMP, "adjustment", MUG, LAMP]).astype(object)
    frame.loc[2, "UnitPrice"] = None
    assert dropped(load(frame, tmp_path)) == {"not a product": 1}


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing column 'UnitPrice'; present are InvoiceNo, StockCode"):
        load(lines().drop(columns="UnitPrice"), tmp_path)
    with pytest.raises(
        DataError, match=r"no line is left \(5 product with fewer than 20 lines\); lower min_lines"
    ):
        load(lines(), tmp_path, min_lines=20)
    path = write_retail(tmp_path / "r.parquet", n_customers=5, n_products=10)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        load_retail(path)
    path = write_retail(tmp_path / "r.xlsx", n_customers=5, n_products=10)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a whole Excel file"):
        load_retail(path)


def test_charges_and_notes_are_no_products() -> None:
    notes = (
        "POSTAGE", "DOTCOM POSTAGE", "CARRIAGE", "Manual", "Discount", "AMAZON FEE",
        "Bank Charges", "SAMPLES", "wrongly coded 23343", "?", "??missing", "damaged", "lost", "adjustment",
        "Adjust bad debt", "Next Day Carriage", "CRUK Commission", "wet/rusty", "thrown away", "20713",
    )  # fmt: skip
    products = (
        "WHITE METAL LANTERN", "BAG 125g SWIRLY MARBLES", "POLYESTER FILLER PAD 40x40cm",
        "white metal lantern",
        "FLOWERS HANDBAG blue and orange", "FRENCH BLUE METAL DOOR SIGN No", "BANK ACCOUNT GREETING CARD",
        "SET OF 6 T-LIGHTS", "LOST PROPERTY BOX", "CHECK TEA TOWEL", "DISPLAY CABINET",
    )  # fmt: skip
    found = is_product((*notes, *products, *[f"RED MUG {i}" for i in range(20)]))
    assert not found[: len(notes)].any(), [n for n, ok in zip(notes, found, strict=False) if ok]
    assert found[len(notes) :].all()


def test_a_shop_that_does_not_write_in_capitals_keeps_its_products() -> None:
    assert is_product(("Red mug", "glass lantern", "Oak table", "postage")).tolist() == [
        True,
        True,
        True,
        False,
    ]


def test_slices_have_tastes_and_dirt(tmp_path: Path) -> None:
    data = load_retail(write_retail(tmp_path / "r.csv"))
    assert len(data.shoppers) == 300
    assert 100 <= len(data.products) <= 120
    assert all(count > 0 for reason, count in data.dropped if reason in ("no customer", "not a product"))
    assert dropped(data)["price not above 0"] > 0
    assert set(data.events.kind.tolist()) == {PURCHASE, RETURN}
    bought = pd.DataFrame({"shopper": data.events.shopper, "product": data.events.product})
    assert bought.duplicated().mean() > 0.3


def test_real_log(data_dir: Path) -> None:
    data = load_retail(data_dir / "online_retail.parquet")
    assert len(data.events) + sum(count for _, count in data.dropped) == 327_671
    assert 2300 <= len(data.products) <= 2500
    assert len(data.shoppers) > 3400
    assert dropped(data)["price not above 0"] < 50
    for product in data.products:
        assert len(product.name.split()) <= MAX_NAME_WORDS
        numbers = set(re.findall(r"\d+", " ".join([product.name, *product.facts])))
        assert numbers <= set(re.findall(r"\d+", product.title))
    names = {p.product_id for p in data.products}
    assert not names & {"postage", "manual", "discount", "carriage", "next-day-carriage"}
    assert sum(p.category == OTHER for p in data.products) < 0.1 * len(data.products)
