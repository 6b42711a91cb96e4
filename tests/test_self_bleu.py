"""Self-BLEU: golden values, known limits, and the same numbers as sacrebleu."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.evaluation.self_bleu import bleu_to_others, self_bleu
from copybandit.sim.types import DataError


def test_golden_values() -> None:
    texts = ["the cat sat on the mat", "the cat sat on a mat", "a dog ran"]
    # Of the first: 5 of 6 words (one "the" too many), 3 of 5 pairs, 2 of 4 triples, 1 of 3 runs of four; no length penalty.
    first = (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    second = (6 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    # Of the third: "a" alone; no pair (1/2 of 1 in 2), no triple (1/4 of 1 in 1); the closest length is 6 to its 3.
    third = np.exp(1 - 6 / 3) * (1 / 3 * 1 / (2 * 2) * 1 / (4 * 1)) ** (1 / 3)
    np.testing.assert_allclose(bleu_to_others(texts), [first, second, third], rtol=1e-12)
    assert self_bleu(texts) == pytest.approx((first + second + third) / 3)


def test_the_same_text_again_is_one_and_nothing_shared_is_zero() -> None:
    assert self_bleu(["Meet the mug.", "meet the mug ."]) == pytest.approx(1.0)
    assert self_bleu(["one two three four", "five six seven eight"]) == 0.0


def test_a_duller_writer_scores_higher() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(40)])
    scores = []
    for kinds in (40, 20, 5):
        texts = [" ".join(rng.choice(words[:kinds], 8)) for _ in range(100)]
        scores.append(self_bleu(texts))
    assert scores == sorted(scores)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(
        st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=9).map(" ".join), min_size=2, max_size=8
    )
)
def test_it_agrees_with_sacrebleu(texts: list[str]) -> None:
    metrics = importlib.import_module("sacrebleu.metrics")
    bleu = metrics.BLEU(effective_order=True, tokenize="none", smooth_method="exp")
    theirs = [
        bleu.sentence_score(text, texts[:i] + texts[i + 1 :]).score / 100 for i, text in enumerate(texts)
    ]
    np.testing.assert_allclose(bleu_to_others(texts), theirs, atol=1e-12)


@pytest.mark.parametrize("texts", [["alone"], ["one", " "]])
def test_too_little_copy_is_refused(texts: list[str]) -> None:
    with pytest.raises(DataError, match="at least 2 texts, none empty"):
        self_bleu(texts)
