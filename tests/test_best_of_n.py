"""Best of n: picks the best, and its probabilities are those of the order statistics."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.generators.best_of_n import BestOfN
from copybandit.sim.types import Brief, DataError, Floats
from tests.enumerable_writer import EnumerableWriter
from tests.tiny_lm import brief

BRIEF = brief(0)
BASE = EnumerableWriter(texts=("a", "bb", "cc", "ddd"), probs=(0.4, 0.3, 0.2, 0.1))


def by_length(briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
    """The longer the better; bb and cc tie."""
    return np.array([len(text) for text in texts], dtype=np.float64)


def probs(writer: BestOfN) -> Floats:
    texts = BASE.texts
    return np.exp(writer.log_prob([BRIEF] * len(texts), texts))


def test_probabilities_are_those_of_the_order_statistics() -> None:
    # Scores 1, 2, 2, 3 with F = .4, .9, .9, 1.
    expected = [0.4**3, 0.3 / 0.5 * (0.9**3 - 0.4**3), 0.2 / 0.5 * (0.9**3 - 0.4**3), 1 - 0.9**3]
    np.testing.assert_allclose(probs(BestOfN(base=BASE, score=by_length, n=3)), expected)


def test_proposals_have_these_probabilities() -> None:
    writer = BestOfN(base=BASE, score=by_length, n=3)
    (drawn,) = writer.propose([BRIEF], 4000, np.random.default_rng(0))
    count = Counter(variant.text for variant in drawn)
    share = np.array([count[text] for text in BASE.texts]) / 4000
    expected = probs(writer)
    assert (np.abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 4000)).all()
    assert {(variant.generator_id, variant.lineage) for variant in drawn} == {("best-of-n", "enumerable")}


@settings(max_examples=40, deadline=None)
@given(
    weights=st.lists(st.floats(0.05, 1), min_size=2, max_size=6),
    scores=st.lists(st.integers(0, 3), min_size=6, max_size=6),
    n=st.integers(1, 6),
)
def test_probabilities_sum_to_one_within_the_kl_bound(
    weights: list[float], scores: list[int], n: int
) -> None:
    p = np.array(weights) / sum(weights)
    texts = tuple("abcdef"[: len(p)])
    value = dict(zip("abcdef", scores, strict=True))
    base = EnumerableWriter(texts=texts, probs=tuple(p))
    writer = BestOfN(
        base=base, score=lambda _, t: np.array([value[text] for text in t], dtype=np.float64), n=n
    )
    log_p_n = writer.log_prob([BRIEF] * len(texts), texts)
    assert np.exp(log_p_n).sum() == pytest.approx(1)
    assert (np.exp(log_p_n) * (log_p_n - np.log(p))).sum() <= writer.kl_bound + 1e-9


def test_one_is_the_base_writer() -> None:
    np.testing.assert_allclose(probs(BestOfN(base=BASE, score=by_length, n=1)), BASE.probs)
    assert BestOfN(base=BASE, score=by_length, n=1).kl_bound == 0.0
    assert BestOfN(base=BASE, score=by_length, n=4).kl_bound == pytest.approx(math.log(4) - 3 / 4)


def test_where_not_all_texts_are_drawn_frequencies_stand_in() -> None:
    """300 texts, too many to draw them all: the estimate is close, and no text that can be written is impossible."""
    k = 300
    base = EnumerableWriter(texts=tuple(f"t{i:03d}" for i in range(k)), probs=(1 / k,) * k)

    def score(_: Sequence[Brief], texts: Sequence[str]) -> Floats:
        return np.array([float(text[1:]) for text in texts])

    writer = BestOfN(base=base, score=score, n=4, calibration=400)
    found = np.exp(writer.log_prob([BRIEF] * k, base.texts))
    upto = np.arange(1, k + 1) / k
    exact = upto**4 - (upto - 1 / k) ** 4
    assert found.sum() == pytest.approx(1, abs=0.1)
    assert np.abs(np.cumsum(found) - np.cumsum(exact)).max() < 0.1
    assert (found > 0).all()


def test_what_the_base_cannot_write_is_impossible() -> None:
    writer = BestOfN(base=BASE, score=by_length)
    assert writer.log_prob([BRIEF], ["eeee"])[0] == -np.inf
    assert len(writer.log_prob([], [])) == 0


def test_bad_input_is_refused() -> None:
    writer = BestOfN(base=BASE, score=by_length)
    with pytest.raises(DataError, match="n and calibration must be >= 1"):
        replace(writer, n=0)
    with pytest.raises(DataError, match="1 briefs, 2 texts"):
        writer.log_prob([BRIEF], ["a", "bb"])
    with pytest.raises(DataError, match="4 finite numbers"):
        replace(writer, score=lambda _, texts: np.full(len(texts), np.nan)).propose(
            [BRIEF], 1, np.random.default_rng(0)
        )
