"""Open Bandit: the owner's layout, values out of range, and the shared log schema."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from copybandit.sim.open_bandit import load_open_bandit
from copybandit.sim.schema import LOG_SCHEMA, feedback_from_arrow
from copybandit.sim.types import DataError
from tests.slices import write_open_bandit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_open_bandit(tmp_path, n_rounds=200, n_items=12, seed=0)


@pytest.mark.parametrize("policy", ["random", "bts"])
def test_a_campaign_is_read_from_its_folder_or_csv(root: Path, policy: str) -> None:
    log = load_open_bandit(root / policy / "men")
    assert (len(log), len(log.items), log.policy, log.campaign) == (200, 12, policy, "men")
    assert log.affinity.shape == (200, 12)
    assert log.user_features.shape == (200, 4)
    assert log.items.numeric.shape == (12, 1)
    assert log.items.codes.shape == (12, 3)
    assert set(log.click.tolist()) <= {0.0, 1.0}
    raw = pd.read_csv(root / policy / "men" / "men.csv")
    np.testing.assert_array_equal(log.item_id, raw["item_id"])
    np.testing.assert_array_equal(log.propensity, raw["propensity_score"])
    names = np.array(log.user_levels[2])[log.user_features[:, 2]]
    assert names.tolist() == raw["user_feature_2"].tolist()
    again = load_open_bandit(root / policy / "men" / "men.csv")
    np.testing.assert_array_equal(again.timestamp, log.timestamp)
    np.testing.assert_array_equal(again.reward, log.click)


def test_the_log_schema_holds_what_was_logged(root: Path) -> None:
    log = load_open_bandit(root / "bts" / "men")
    table = log.to_arrow()
    assert table.schema.equals(LOG_SCHEMA, check_metadata=True)
    np.testing.assert_array_equal(table["propensity_score"], log.propensity)
    assert table["user_features"][3].as_py() == [
        levels[code] for levels, code in zip(log.user_levels, log.user_features[3], strict=True)
    ]
    assert table["affinity"][3].as_py() == log.affinity[3].tolist()
    with pytest.raises(
        DataError, match="row 0, column candidates must not be null; log the full distribution"
    ):
        feedback_from_arrow(table)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("propensity_score", 0.0, "row 5, column 'propensity_score': must be in (0, 1], got '0.0'"),
        ("propensity_score", 1.01, "row 5, column 'propensity_score': must be in (0, 1], got '1.01'"),
        ("propensity_score", None, "row 5, column 'propensity_score': must be a finite number, got 'nan'"),
        ("item_id", 12, "row 5, column 'item_id': must be 0 to 11, got '12'"),
        ("click", 2, "row 5, column 'click': must be 0 or 1, got '2'"),
        ("position", 0, "row 5, column 'position': must be at least 1, got '0'"),
        ("timestamp", "soon", "row 5, column 'timestamp': must be a time"),
        (
            "user-item_affinity_3",
            "x",
            "row 5, column 'user-item_affinity_3': must be a finite number, got 'x'",
        ),
    ],
)
def test_bad_values_are_named(root: Path, column: str, value: str | float | None, message: str) -> None:
    path = root / "random" / "men" / "men.csv"
    frame = pd.read_csv(path, index_col=0).astype(object)
    frame.loc[4, column] = value
    frame.to_csv(path)
    with pytest.raises(DataError) as caught:
        load_open_bandit(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_wrong_folders_and_items_are_named(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"must hold one campaign's csv beside item_context\.csv, got 0; name a"
    ):
        load_open_bandit(root)
    campaign = root / "random" / "men"
    context = pd.read_csv(campaign / "item_context.csv", index_col=0)
    context.iloc[:-1].to_csv(campaign / "item_context.csv")
    with pytest.raises(DataError, match=r"must be 0 to 10, got '11'|one column user-item_affinity_"):
        load_open_bandit(campaign)
    context.assign(item_id=0).to_csv(campaign / "item_context.csv")
    with pytest.raises(
        DataError, match=r"item_context\.csv: row 2, column 'item_id': must be 0 to 11, each once"
    ):
        load_open_bandit(campaign)
    (campaign / "item_context.csv").unlink()
    with pytest.raises(DataError, match=r"item_context\.csv: no such file; check the path"):
        load_open_bandit(campaign)


def test_items_may_come_in_any_order(root: Path) -> None:
    campaign = root / "random" / "men"
    before = load_open_bandit(campaign).items
    context = pd.read_csv(campaign / "item_context.csv", index_col=0)
    context.iloc[::-1].to_csv(campaign / "item_context.csv")
    after = load_open_bandit(campaign).items
    np.testing.assert_array_equal(after.numeric, before.numeric)
    np.testing.assert_array_equal(after.codes, before.codes)
    assert after.levels == before.levels


@pytest.mark.parametrize(("policy", "clicks", "lowest"), [("random", 46, 0.029412), ("bts", 69, 1.65e-4)])
def test_real_sample(data_dir: Path, policy: str, clicks: int, lowest: float) -> None:
    log = load_open_bandit(data_dir / "open_bandit" / policy / "men")
    assert (len(log), len(log.items), int(log.click.sum())) == (10_000, 34, clicks)
    assert log.propensity.min() == pytest.approx(lowest, rel=1e-3)
    assert log.timestamp.min() >= np.datetime64("2019-11-24")
