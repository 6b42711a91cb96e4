"""A/B tests: what is dropped and merged, which headlines are compared, which tests belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.sim.split import check_disjoint, split_groups
from copybandit.sim.types import DataError
from copybandit.sim.upworthy import AbTests, load_ab_tests
from tests.slices import style_score, write_upworthy


def ab(rows: list[tuple[str, int, int, int, int]]) -> AbTests:
    """Tests from rows of text, test, image, impressions, clicks."""
    text, test, image, shown, clicks = zip(*rows, strict=True)
    columns = [np.array(c, np.int64) for c in (test, image, shown, clicks)]
    return AbTests(
        text=text,
        test=columns[0],
        image=columns[1],
        impressions=columns[2],
        clicks=columns[3],
        week=np.full(len(text), 201420),
    )


def official(**changes: list[object]) -> pd.DataFrame:
    columns: dict[str, list[object]] = {
        "clickability_test_id": ["t1", "t1", "t1", "t2", "t2"],
        "headline": ["Cats", "Dogs", "Cats ", "Fish", "Birds"],
        "eyecatcher_id": ["i1", "i1", "i1", "i2", None],
        "impressions": [1000, 1000, 500, 800, 800],
        "clicks": [10, 20, 5, 8, 0],
        "test_week": [201420, 201420, 201420, 201402, 201403],
    }
    return pd.DataFrame(columns | changes)


def save(frame: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "packages.csv.gz"
    frame.to_csv(path)
    return path


def test_bad_weeks_are_dropped_and_repeats_merged(tmp_path: Path) -> None:
    path = save(official(), tmp_path)
    tests = load_ab_tests(path)
    assert tests.text == ("Cats", "Dogs", "Birds")
    assert tests.impressions.tolist() == [1500, 1000, 800]
    assert tests.clicks.tolist() == [15, 20, 0]
    assert tests.n_dropped == 1
    assert tests.test_ids == ("t1", "t2")
    kept = load_ab_tests(path, keep_bad_weeks=True)
    assert kept.text == ("Cats", "Dogs", "Fish", "Birds")
    assert kept.n_dropped == 0
    assert len(kept.pairs()) == 1


def test_ledes_are_read_as_plain_text_and_stay_with_their_headlines(tmp_path: Path) -> None:
    lede: list[object] = ["<p>A &amp; b.</p>", "Two<br>lines.", "<p>Later.</p>", "Bad week.", None]
    tests = load_ab_tests(save(official(lede=lede), tmp_path))
    assert tests.lede == ("A & b.", "Two lines.", "")
    assert tests.take(np.array([2, 1])).lede == ("", "Two lines.")
    assert load_ab_tests(save(official(), tmp_path)).lede == ()


def test_rows_that_nobody_saw_are_dropped(tmp_path: Path) -> None:
    shown: list[object] = [1000, 0, 500, 800, 800]
    clicks: list[object] = [10, 0, 5, 8, 0]
    assert load_ab_tests(save(official(impressions=shown, clicks=clicks), tmp_path)).n_dropped == 2


def test_pair_statistics_are_those_of_the_textbook() -> None:
    pairs = ab([("a", 0, 0, 1000, 30), ("b", 0, 0, 2000, 40)]).pairs()
    pooled = 70 / 3000
    expected = (0.03 - 0.02) / np.sqrt(pooled * (1 - pooled) * (1 / 1000 + 1 / 2000))
    assert pairs.z == pytest.approx([expected])
    assert pairs.log_ratio == pytest.approx([np.log((30.5 / 1000.5) / (40.5 / 2000.5))])
    unclicked = ab([("a", 0, 0, 1000, 0), ("b", 0, 0, 1000, 0)]).pairs()
    assert unclicked.z.tolist() == [0]
    assert unclicked.log_ratio.tolist() == [0]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 3)), max_size=40))
def test_pairs_are_all_those_within_one_test_and_image(cells: list[tuple[int, int, int]]) -> None:
    tests = AbTests(
        text=tuple(f"headline {h}" for _, _, h in cells),
        test=np.array([t for t, _, _ in cells], np.int64),
        image=np.array([i for _, i, _ in cells], np.int64),
        impressions=np.full(len(cells), 100),
        clicks=np.arange(len(cells)) % 7,
        week=np.full(len(cells), 201420),
    )
    pairs = tests.pairs()
    got = list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    n = len(cells)
    wanted = [
        (a, b)
        for a in range(n)
        for b in range(a + 1, n)
        if cells[a][:2] == cells[b][:2] and cells[a][2] != cells[b][2]
    ]
    assert got == wanted
    assert np.isfinite(pairs.z).all()
    rates = tests.clicks / tests.impressions
    assert (np.sign(pairs.z) == np.sign(rates[pairs.left] - rates[pairs.right])).all()


def test_components_join_tests_over_headlines_and_images() -> None:
    tests = ab(
        [
            ("a", 0, 0, 9, 1),
            ("b", 0, 0, 9, 1),
            ("B ", 1, 1, 9, 1),  # the headline of test 0, in other letters
            ("c", 2, 1, 9, 1),  # the image of test 1
            ("d", 3, 3, 9, 1),
            ("e", 3, 4, 9, 1),
        ]
    )
    assert tests.components().tolist() == [0, 0, 0, 0, 1, 1]
    assert tests.groups().tolist() == ["0", "0", "0", "0", "3", "3"]
    rest = tests.take(tests.test == 3)
    assert (rest.components().tolist(), rest.groups().tolist()) == ([0, 0], ["3", "3"])
    assert tests.take(np.array([5, 0])).text == ("e", "a")


def test_unknown_images_connect_nothing(tmp_path: Path) -> None:
    images: list[object] = [None, None, None, None, None]
    tests = load_ab_tests(save(official(eyecatcher_id=images), tmp_path), keep_bad_weeks=True)
    assert len(tests.pairs()) == 0
    assert len(set(tests.components().tolist())) == 2


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("clicks", 2000, "row 2, column 'clicks': must be 0 to its row's impressions, got '2000'"),
        ("clicks", -1, "row 2, column 'clicks': must be 0 to"),
        ("clicks", None, "row 2, column 'clicks': must be a finite number, got 'nan'"),
        ("impressions", "many", "row 2, column 'impressions': must be a finite number, got 'many'"),
        ("test_week", 1.5, "row 2, column 'test_week': must be a whole number"),
        ("clickability_test_id", None, "row 2, column 'clickability_test_id': must be an id"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, column: str, value: str | float | None, message: str) -> None:
    frame = official().astype(object)
    frame.loc[1, column] = value
    path = save(frame, tmp_path)
    with pytest.raises(DataError) as caught:
        load_ab_tests(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_missing_column_wrong_encoding_and_only_bad_weeks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing column 'clicks'; present are"):
        load_ab_tests(save(official().drop(columns="clicks"), tmp_path))
    path = tmp_path / "latin.csv"
    path.write_bytes(official(headline=["Caf\xe9", "b", "c", "d", "e"]).to_csv().encode("latin1"))
    with pytest.raises(DataError, match=r"byte \d+ \(line 2\) is not UTF-8 text, got 0xe9"):
        load_ab_tests(path)
    weeks: list[object] = [201325, 201330, 201352, 201401, 201402]
    with pytest.raises(DataError, match="no row has a headline, impressions and a week not in 201325-201402"):
        load_ab_tests(save(official(test_week=weeks), tmp_path))


def test_slices_have_the_structure_they_promise(tmp_path: Path) -> None:
    tests = load_ab_tests(write_upworthy(tmp_path / "slice.csv.gz", n_tests=400, seed=1))
    assert 0.011 < tests.clicks.sum() / tests.impressions.sum() < 0.017
    assert tests.n_dropped > 0
    pairs = tests.pairs()
    assert len(pairs) > 1000
    assert 0.3 < np.std(pairs.log_ratio) < 0.7
    style = style_score(list(tests.text))
    assert np.corrcoef(style[pairs.left] - style[pairs.right], pairs.log_ratio)[0, 1] > 0.4
    again = load_ab_tests(write_upworthy(tmp_path / "again.csv", n_tests=400, seed=1))
    assert again.text == tests.text
    np.testing.assert_array_equal(again.clicks, tests.clicks)


def test_real_archive(data_dir: Path) -> None:
    tests = load_ab_tests(data_dir / "upworthy-exploratory-sample.csv.gz")
    assert tests.n_dropped == 3038
    assert tests.impressions.sum() > 10_000_000
    assert not ((tests.week >= 201325) & (tests.week <= 201402)).any()
    pairs = tests.pairs()
    assert (tests.test[pairs.left] == tests.test[pairs.right]).all()
    assert (tests.image[pairs.left] == tests.image[pairs.right]).all()
    assert len(pairs) == 11_476
    groups = tests.groups()
    split = split_groups(groups, seed=0)
    check_disjoint(groups[split.fit], groups[split.judge], what="component")
    texts = np.array(tests.text)
    check_disjoint(texts[split.fit], texts[split.judge], what="headline")
    check_disjoint(tests.image[split.fit], tests.image[split.judge], what="image")
