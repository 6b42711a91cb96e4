"""A split never parts a group, does not look at other groups, and refuses overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.sim.split import PARTS, Split, check_digest, check_disjoint, fold_groups, split_groups
from copybandit.sim.types import DataError

PINNED_PARTS = [1, 2, 2, 2, 2, 1]
PINNED_DIGEST = "c6783ebf70fd9cf61f6881db28670afd"
"""Written down once: a change would silently move rows of fitted models to another side."""

GROUPS = st.lists(st.integers(0, 60), min_size=1, max_size=120)


@given(GROUPS, st.integers(0, 2**40))
def test_every_row_lies_in_one_part_and_groups_stay_whole(groups: list[int], seed: int) -> None:
    split = split_groups(groups, seed)
    assert (split.fit.astype(int) + split.select + split.judge == 1).all()
    parts: dict[int, set[int]] = {}
    for group, part in zip(groups, split.part.tolist(), strict=True):
        parts.setdefault(group, set()).add(part)
    assert all(len(found) == 1 for found in parts.values())
    for part in range(len(PARTS)):
        inside, outside = np.array(groups)[split.part == part], np.array(groups)[split.part != part]
        check_disjoint(inside, outside)


@given(GROUPS, st.integers(0, 99))
def test_order_and_other_groups_do_not_matter(groups: list[int], seed: int) -> None:
    split = split_groups(groups, seed)
    order = np.random.default_rng(seed).permutation(len(groups))
    moved = split_groups(np.array(groups)[order], seed)
    np.testing.assert_array_equal(moved.part, split.part[order])
    assert moved.digest == split.digest
    more = split_groups([*groups, *range(1000, 1010)], seed)
    np.testing.assert_array_equal(more.part[: len(groups)], split.part)
    assert more.digest != split.digest


def test_shares_hold_for_many_groups() -> None:
    split = split_groups(np.arange(40_000), 3)
    shares = np.array([split.fit.mean(), split.select.mean(), split.judge.mean()])
    error = np.sqrt(0.24 / 40_000)
    np.testing.assert_allclose(shares, [0.4, 0.2, 0.4], atol=4 * error)
    halves = split_groups(np.arange(40_000), 3, shares=(0.25, 0.25, 0.5))
    assert abs(halves.judge.mean() - 0.5) < 4 * np.sqrt(0.25 / 40_000)


def test_another_seed_splits_independently() -> None:
    one, two = split_groups(np.arange(20_000), 1), split_groups(np.arange(20_000), 2)
    assert one.digest != two.digest
    assert abs((one.fit & two.fit).mean() - 0.16) < 4 * np.sqrt(0.16 * 0.84 / 20_000)


def test_the_split_is_pinned() -> None:
    split = split_groups(["a", "b", "c", "d", "e", "a"], 0)
    again = split_groups(["a", "b", "c", "d", "e", "a"], 0)
    assert split.digest == again.digest
    assert split.part.tolist() == PINNED_PARTS
    assert split.digest == PINNED_DIGEST
    assert split_groups([1, 2], 0).part.tolist() == split_groups(["1", "2"], 0).part.tolist()


def test_overlap_is_refused() -> None:
    check_disjoint(["a", "b"], ["c"])
    with pytest.raises(
        DataError, match=r"must share no household, got 2 shared, e\.g\. 'b'; split with split_groups"
    ):
        check_disjoint(["a", "b", "c"], ["c", "b", "d"], what="household")


def test_a_model_of_another_split_is_refused() -> None:
    split = split_groups(range(9), 0)
    check_digest(split.digest, split)
    with pytest.raises(DataError, match=r"interest model: was fitted on split \(none\), but is judged on"):
        check_digest("", split, model="interest model")


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.6, -0.1), (0.4, 0.4, 0.4), (1.0, 0.0, 0.0)])
def test_impossible_shares_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="shares must be three numbers above 0 that sum to 1"):
        split_groups([1, 2], 0, shares=shares)


def test_no_rows_and_overlapping_masks_are_refused() -> None:
    with pytest.raises(DataError, match="there must be rows to split"):
        split_groups([], 0)
    yes, no = np.ones(2, np.bool_), np.zeros(2, np.bool_)
    with pytest.raises(DataError, match="row 0: must lie in one of fit, select and judge, got 2 of them"):
        Split(fit=yes, select=no, judge=yes, digest="x")


def test_fewer_than_two_folds_are_refused() -> None:
    with pytest.raises(DataError, match="at least 2, got 1"):
        fold_groups(["a", "b"], 0, 1)


def test_folds_follow_from_a_group_s_own_id() -> None:
    names = np.array([f"test {i}" for i in range(2000)])
    fold = fold_groups(names, 0, 5)
    np.testing.assert_array_equal(fold_groups(names[::-2], 0, 5), fold[::-2])
    assert (np.abs(np.bincount(fold) / 2000 - 0.2) < 0.03).all()
    assert 0.1 < (fold_groups(names, 1, 5) == fold).mean() < 0.3
