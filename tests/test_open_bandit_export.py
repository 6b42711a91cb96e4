"""Logs written in the Open Bandit layout come back as they were."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.open_bandit import load_open_bandit
from copybandit.sim.open_bandit_export import (
    AFFINITY_ITEMS,
    ExportItems,
    Truth,
    past_clicks,
    write_open_bandit,
)
from copybandit.sim.types import DataError


def drawn_log(n: int, m: int, k: int, seed: int) -> LoggedFeedback:
    rng = np.random.default_rng(seed)
    candidates = np.stack([rng.permutation(m)[:k] for _ in range(n)]).astype(np.int32)
    probs = rng.dirichlet(np.full(k, 0.7), size=n) * 0.9 + 0.1 / k
    click = rng.binomial(1, 0.3, n).astype(np.float64)
    microseconds = np.sort(rng.integers(10**12, size=n))
    return LoggedFeedback(
        timestamp=np.datetime64("2026-01-01", "us") + microseconds.astype("timedelta64[us]"),
        shopper=rng.integers(5, size=n),
        product=np.zeros(n, dtype=np.int64),
        position=rng.integers(1, 4, size=n),
        candidates=candidates,
        action_probs=probs / probs.sum(axis=1, keepdims=True),
        action=rng.integers(k, size=n),
        click=click,
        conversion=np.zeros(n),
        value=np.zeros(n),
        reward=click,
        policy="drawn",
    )


def drawn_items(m: int) -> ExportItems:
    classes = tuple(f"c{index % 3}" for index in range(m))
    text = tuple(f'A "{index}", and a line\nbreak' for index in range(m))
    return ExportItems(text=text, number=np.linspace(-1, 1, m) / 3, classes=(classes, classes))


def users(n: int) -> tuple[tuple[str, ...], ...]:
    return tuple(f"s{index % 4}" for index in range(n)), tuple(f"t{index % 2}" for index in range(n))


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 40), m=st.integers(1, 12), k=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_every_value_comes_back_exactly(n: int, m: int, k: int, seed: int) -> None:
    log, truth = drawn_log(n, m, min(k, m), seed), np.random.default_rng(seed).random((3, n))
    with tempfile.TemporaryDirectory() as root:
        facts = Truth(expected=truth[0], best=truth[1], uniform=truth[2])
        folder = write_open_bandit(log, Path(root), "men", users(n), drawn_items(m), facts)
        back = load_open_bandit(folder)
        told = pd.read_csv(folder / "expected_reward.csv", index_col=0)
        texts = pd.read_csv(folder / "item_text.csv", index_col=0)["text"].tolist()
    assert (back.policy, back.campaign, len(back)) == ("drawn", "men", n)
    for name in ("timestamp", "item_id", "position", "click", "propensity"):
        np.testing.assert_array_equal(getattr(back, name), getattr(log, name))
    np.testing.assert_array_equal(back.affinity, past_clicks(log.shopper, log.item_id, log.click, m))
    np.testing.assert_array_equal(back.items.numeric[:, 0], drawn_items(m).number)
    assert [back.user_levels[0][code] for code in back.user_features[:, 0]] == list(users(n)[0])
    assert tuple(back.items.levels[0][code] for code in back.items.codes[:, 0]) == drawn_items(m).classes[0]
    np.testing.assert_array_equal(told.to_numpy().T, truth)
    assert tuple(texts) == drawn_items(m).text


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 50), seed=st.integers(0, 2**32))
def test_past_clicks_are_those_before(n: int, seed: int) -> None:
    log = drawn_log(n, 4, 2, seed)
    counted: dict[tuple[int, int], int] = {}
    found = past_clicks(log.shopper, log.item_id, log.click, 4)
    for row, (who, what, click) in enumerate(
        zip(log.shopper.tolist(), log.item_id.tolist(), log.click, strict=True)
    ):
        assert found[row].tolist() == [counted.get((who, item), 0) for item in range(4)]
        counted[who, what] = counted.get((who, what), 0) + int(click)


def test_many_items_have_no_affinity(tmp_path: Path) -> None:
    m = AFFINITY_ITEMS + 1
    folder = write_open_bandit(drawn_log(20, m, 3, 0), tmp_path, "all", users(20), drawn_items(m))
    assert load_open_bandit(folder).affinity.shape == (20, 0)
    assert not (folder / "expected_reward.csv").exists()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    log = drawn_log(20, 8, 3, 0)
    with pytest.raises(DataError, match="items below 3, got 20 rows"):
        write_open_bandit(log, tmp_path, "all", users(20), drawn_items(3))
    with pytest.raises(DataError, match=r"20 names in each user feature.* got 20 rows, \[19, 19\]"):
        write_open_bandit(log, tmp_path, "all", users(19), drawn_items(8))
    with pytest.raises(DataError, match=r"equally many values, got \[2, 3\]"):
        ExportItems(text=("a", "b"), number=np.zeros(3), classes=())
