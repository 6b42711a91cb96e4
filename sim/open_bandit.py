"""Open Bandit Dataset (Saito, Aihara, Matsutani, Narita, arXiv:2008.07146): a fashion shop's logged feedback.

The owner's layout is ``{random,bts}/{campaign}/{campaign}.csv`` with ``item_context.csv`` beside it. The log
gives the propensity of the item shown, not the whole distribution, so it is no `LoggedFeedback`; it has the
same columns by the same names as far as they go.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from copybandit.sim.schema import log_table
from copybandit.sim.tables import (
    integer_column,
    number_column,
    read_table,
    refuse,
    text_column,
    time_column,
)
from copybandit.sim.types import DataError, Floats, Ints

COLUMNS = ("timestamp", "item_id", "position", "click", "propensity_score")
_AFFINITY = "user-item_affinity_"
_USER = "user_feature_"


@dataclass(frozen=True, kw_only=True)
class ItemContext:
    """Features of the k items, row i for item i.

    Attributes:
        numeric: shape (k, a), the features that are numbers.
        codes: shape (k, b), int32 codes of the features that are hashes; `levels` names them.
        levels: for each of the b features, its distinct values in the order of their codes.
    """

    numeric: Floats
    codes: NDArray[np.int32]
    levels: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.numeric)


@dataclass(frozen=True, kw_only=True)
class OpenBandit:
    """Logged rounds of one policy in one campaign.

    Attributes:
        timestamp: shape (n,), datetime64[us], UTC.
        item_id: shape (n,), the item shown, a row of `items`.
        position: shape (n,), 1 is the first place.
        click: shape (n,), 0 or 1.
        propensity: shape (n,), in (0, 1], probability of the item at its place under the behavior policy.
        user_features: shape (n, f), int32 codes of hashed features; `user_levels` names them.
        user_levels: for each of the f features, its distinct values in the order of their codes.
        affinity: shape (n, k), past likes of the user for each item; (n, 0) where the file has none.
        items: features of the k items.
        policy: name of the behavior policy, the folder above the campaign.
        campaign: e.g. ``men``.
    """

    timestamp: NDArray[np.datetime64]
    item_id: Ints
    position: Ints
    click: Floats
    propensity: Floats
    user_features: NDArray[np.int32]
    user_levels: tuple[tuple[str, ...], ...]
    affinity: Floats
    items: ItemContext
    policy: str
    campaign: str

    def __len__(self) -> int:
        return len(self.item_id)

    @property
    def reward(self) -> Floats:
        """What a learner is told: the click, shape (n,)."""
        return self.click

    def to_arrow(self) -> pa.Table:
        """Return the rounds under `LOG_SCHEMA`; the distribution is null, as it was not logged."""
        n = len(self)
        pairs = zip(self.user_levels, self.user_features.T, strict=True)
        names = [np.array(levels, object)[codes] for levels, codes in pairs]
        users = np.stack(names, axis=1).tolist() if names else [[]] * n
        return log_table(
            {
                "decision_id": pa.array([f"{self.policy}/{self.campaign}/{i}" for i in range(n)]),
                "timestamp": pa.array(self.timestamp),
                "item_id": pa.array(self.item_id),
                "position": pa.array(self.position),
                "propensity_score": pa.array(self.propensity),
                "click": pa.array(self.click),
                "reward": pa.array(self.reward),
                "policy": pa.repeat(self.policy, n),
                "assignment": pa.repeat("imported", n),
                "user_features": pa.array(users, pa.list_(pa.string())),
                "affinity": pa.array(list(self.affinity), pa.list_(pa.float64())),
            }
        )


def load_open_bandit(folder_or_csv: Path | str) -> OpenBandit:
    """Read one campaign of one policy: its csv, or the folder that holds it.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    path = log_file(Path(folder_or_csv))
    items = read_item_context(path.with_name("item_context.csv"))
    frame = read_table(path, COLUMNS)
    item = integer_column(frame, "item_id", path)
    refuse(path, (item < 0) | (item >= len(items)), "item_id", frame["item_id"], f"0 to {len(items) - 1}")
    position = integer_column(frame, "position", path)
    refuse(path, position < 1, "position", frame["position"], "at least 1")
    click = number_column(frame, "click", path)
    refuse(path, (click != 0) & (click != 1), "click", frame["click"], "0 or 1")
    propensity = number_column(frame, "propensity_score", path)
    impossible = (propensity <= 0) | (propensity > 1)
    refuse(path, impossible, "propensity_score", frame["propensity_score"], "in (0, 1]")
    users = [str(name) for name in frame.columns if str(name).startswith(_USER)]
    codes, levels = _codes(frame, users)
    return OpenBandit(
        timestamp=time_column(frame, "timestamp", path),
        item_id=item,
        position=position,
        click=click,
        propensity=propensity,
        user_features=codes,
        user_levels=levels,
        affinity=_affinity(frame, len(items), path),
        items=items,
        policy=path.parent.parent.name,
        campaign=path.stem,
    )


def log_file(path: Path) -> Path:
    """The csv of a campaign's folder, or the csv itself.

    Raises:
        DataError: the folder holds none, or several.
    """
    if not path.is_dir():
        return path
    logs = [log for log in sorted(path.glob("*.csv")) if log.name != "item_context.csv"]
    logs = [log for log in logs if log.stem == path.name] or logs
    if len(logs) != 1:
        raise DataError(
            f"{path}: must hold one campaign's csv beside item_context.csv, got {len(logs)}; "
            "name a folder such as random/men, or the csv itself"
        )
    return logs[0]


def _affinity(frame: pd.DataFrame, n_items: int, path: Path) -> Floats:
    names = [str(name) for name in frame.columns if str(name).startswith(_AFFINITY)]
    if not names:
        return np.empty((len(frame), 0))
    wanted = [f"{_AFFINITY}{item}" for item in range(n_items)]
    if set(names) != set(wanted):
        raise DataError(
            f"{path}: must have one column {_AFFINITY}* for each of the {n_items} items, got {len(names)}; "
            "take item_context.csv from the same campaign"
        )
    return np.stack([number_column(frame, name, path) for name in wanted], axis=1)


def read_item_context(path: Path) -> ItemContext:
    """Features of a campaign's items.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    frame = read_table(path, ["item_id"])
    item = integer_column(frame, "item_id", path)
    order = np.argsort(item, kind="stable")
    wrong = (item < 0) | (item >= len(item)) | frame["item_id"].duplicated().to_numpy()
    refuse(path, wrong, "item_id", frame["item_id"], f"0 to {len(item) - 1}, each once")
    frame = frame.iloc[order].reset_index(drop=True)
    names = [str(name) for name in frame.columns if str(name).startswith("item_feature_")]
    numbers = [name for name in names if pd.api.types.is_numeric_dtype(frame[name])]
    codes, levels = _codes(frame, [name for name in names if name not in numbers])
    columns = [number_column(frame, name, path) for name in numbers]
    numeric = np.stack(columns, axis=1) if columns else np.empty((len(frame), 0))
    return ItemContext(numeric=numeric, codes=codes, levels=levels)


def _codes(frame: pd.DataFrame, names: list[str]) -> tuple[NDArray[np.int32], tuple[tuple[str, ...], ...]]:
    found = [pd.factorize(text_column(frame, name), sort=True) for name in names]
    codes = np.empty((len(frame), len(names)), np.int32)
    for column, (values, _) in enumerate(found):
        codes[:, column] = values
    return codes, tuple(tuple(map(str, levels)) for _, levels in found)
