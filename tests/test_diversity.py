"""Diversity: near-duplicates are one text, and the choice trades score against likeness."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.diversity import distinct, likeness, pick
from copybandit.sim.types import DataError

TEXTS = (
    "Meet the blue mug.",
    "MEET the blue  mug!",
    "A blue mug for tea lovers.",
    "Looking for a mug? This one is blue.",
    "陶瓷马克杯，蓝色。",
)


def test_likeness_is_one_for_one_text_and_small_for_others() -> None:
    alike = likeness(TEXTS)
    assert alike[0, 1] == pytest.approx(1.0) and alike[0, 2] < 0.5 and alike[0, 4] == 0.0
    assert np.linalg.eigvalsh(alike).min() > -1e-6


def test_near_duplicates_are_never_chosen_together() -> None:
    scores = np.array([0.0, -0.1, -3.0, -3.0, -3.0])
    assert pick(TEXTS, scores, 3).tolist()[0] == 0
    assert 1 not in pick(TEXTS, scores, 5)
    assert distinct(TEXTS).tolist() == [0, 2, 3, 4]
    assert len(pick(TEXTS, scores, 5)) == 4


def test_the_most_probable_are_taken_where_score_outweighs_likeness() -> None:
    texts = ("Meet the blue mug.", "Meet the blue mugs here.", "Entirely other words.")
    scores = np.array([0.0, -0.5, -4.0])
    assert pick(texts, scores, 2, weight=1.0).tolist() == [0, 1]
    assert pick(texts, scores, 2, weight=0.0).tolist() == [0, 2]


@given(st.lists(st.text("abcd ", min_size=1, max_size=12), min_size=2, max_size=6), st.data())
def test_greedy_reaches_the_bound_of_a_submodular_choice(texts: list[str], data: st.DataObject) -> None:
    """Two chosen without regard to score are at least as far apart as the first chosen allows."""
    chosen = pick(texts, np.zeros(len(texts)), 2, same=0.999)
    alike = likeness(texts)
    if len(chosen) == 2:
        first, second = chosen
        open_ = [j for j in range(len(texts)) if j != first and alike[first, j] <= 0.999]
        assert alike[first, second] == pytest.approx(min(alike[first, j] for j in open_))
    else:
        assert all(alike[0, j] > 0.999 for j in range(len(texts)))


def test_the_determinant_beats_every_pair_of_the_most_probable() -> None:
    chosen = pick(TEXTS, np.zeros(len(TEXTS)), 3)
    alike = likeness(TEXTS)
    volumes = {trio: np.linalg.det(alike[np.ix_(trio, trio)]) for trio in combinations(range(len(TEXTS)), 3)}
    assert volumes[tuple(sorted(chosen.tolist()))] >= 0.63 * max(volumes.values())


def test_beside_what_is_chosen_the_determinant_of_all_counts() -> None:
    beside, texts = TEXTS[:1], TEXTS[1:]
    assert 0 not in pick(texts, np.zeros(4), 4, beside=beside), "the mug in capitals is on show already"
    scores = np.array([0.0, 0.4, 0.1, 0.0])
    alike = likeness(TEXTS)
    gains = [scores[j] + np.log(np.linalg.det(alike[np.ix_([0, j + 1], [0, j + 1])])) for j in (1, 2, 3)]
    assert pick(texts, scores, 1, beside=beside).tolist() == [1 + int(np.argmax(gains))]
    assert pick((), np.zeros(0), 2, beside=TEXTS).tolist() == []


def test_bad_arguments_say_what_is_wrong() -> None:
    with pytest.raises(DataError, match=r"one finite score per text, got shape \(1,\)"):
        pick(TEXTS, np.zeros(1), 2)
    with pytest.raises(DataError, match="k must be at least 1, got 0"):
        pick(TEXTS, np.zeros(5), 0)
    assert pick((), np.zeros(0), 2).tolist() == []
