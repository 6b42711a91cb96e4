"""Surprisal: probabilities are probabilities, disorder surprises, and files bring the model back."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.sim.store import load_record, save_record
from copybandit.sim.surprisal import MEASURES, Surprisal
from copybandit.sim.types import DataError

COPY = [
    f"{who} {verb} the {what}."
    for who, verb, what in product(("He", "She", "Nobody"), ("saw", "took"), ("cat", "dog"))
]


def test_probabilities_of_what_may_follow_sum_to_one() -> None:
    model = Surprisal.fit(COPY, known=1)
    vocabulary = [word for word in model.words if not word.startswith("~")]
    for start in ("He saw the", "the dog", "cat He"):
        ends = [f"{start} {word}" for word in vocabulary]
        log_prob, owner, _ = model.log_probs([*ends, start])
        last = np.array([np.flatnonzero(owner == i)[-2] for i in range(len(ends))])
        end = log_prob[2][np.flatnonzero(owner == len(ends))[-1]]
        shapes = [word for word in model.words if word.startswith("~")]
        rest = len(shapes) + 2  # shapes, the start and what was never seen
        total = np.exp(log_prob[2][last]).sum() + np.exp(end)
        assert 1 - rest * np.exp(log_prob[2][last].min()) - 1e-9 <= total <= 1 + 1e-9


def test_a_probability_is_what_the_formula_says() -> None:
    model = Surprisal.fit(["a b", "a c"], known=1)
    size = len(model.words) + 3
    log_prob, _, seen = model.log_probs(["a b"])
    one = (1 + 4 / size) / (6 + 4)  # tokens a a b c and two ends, four kinds
    np.testing.assert_allclose(np.exp(log_prob[0][1]), one)
    two = (1 + 2 * one) / (2 + 2)  # after a: b and c, once each
    np.testing.assert_allclose(np.exp(log_prob[1][1]), two)
    np.testing.assert_allclose(np.exp(log_prob[2][1]), (1 + 2 * two) / (2 + 2))
    assert seen[2].tolist() == [2, 1, 1]


def test_disorder_surprises() -> None:
    model = Surprisal.fit(COPY[:-1], known=1)
    order, disorder = model.measure([COPY[-1], ". dog the took Nobody"])
    assert (disorder >= order).all() and disorder[MEASURES.index("mean_gain")] > order[
        MEASURES.index("mean_gain")
    ]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_is_measured_alone_as_among_others(texts: list[str]) -> None:
    model = Surprisal.fit(COPY, known=2)
    found = model.measure(texts)
    assert found.shape == (len(texts), len(MEASURES)) and np.isfinite(found).all()
    for text, row in zip(texts, found, strict=True):
        np.testing.assert_allclose(model.measure([text])[0], row, atol=1e-9)


def test_files_bring_it_back(tmp_path: Path) -> None:
    model = Surprisal.fit(COPY)
    save_record(tmp_path / "surprisal", model)
    np.testing.assert_array_equal(
        load_record(tmp_path / "surprisal", Surprisal).measure(COPY), model.measure(COPY)
    )


def test_copy_without_words_is_refused() -> None:
    with pytest.raises(DataError, match="a text with a word is needed, got 2 without"):
        Surprisal.fit(["", " "])
