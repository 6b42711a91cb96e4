"""What is the same in copy for different products."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.patterns import pattern, sameness
from copybandit.sim.types import Brief
from tests.tiny_lm import brief

WORDS = st.lists(st.sampled_from("meet our very new mug for you now".split()), max_size=9).map(" ".join)


NAMES = ("oak lamp", "mug", "steel pan", "wool rug", "tin box", "desk")


def about(name: str) -> Brief:
    return Brief(product=replace(brief(0).product, name=name, facts=()))


def test_one_sentence_for_all_products_is_the_same_whatever_they_are_called() -> None:
    briefs = [about(name) for name in NAMES]
    one = [f"See what the {b.product.name} can do for only 9.50." for b in briefs]
    np.testing.assert_array_equal(sameness(briefs, one), np.ones(6))
    other = [*one[:5], "Nothing of that kind stands in this text."]
    np.testing.assert_allclose(sameness(briefs, other), [0.8] * 5 + [0.0])


def test_a_pattern_leaves_out_what_the_brief_gave() -> None:
    asked = brief(0)
    asked = replace(asked, product=replace(asked.product, name="red mug", facts=("made of clay",)))
    assert pattern(asked, "A Red Mug, made of clay, 3 for 9.50") == "a <name>, <fact>, <number> for <number>"
    assert pattern(asked, "a red muggle") == "a red muggle"


@given(st.lists(WORDS, min_size=2, max_size=8))
def test_sameness_is_the_mean_over_the_others_of_the_share_that_they_have(texts: list[str]) -> None:
    briefs = [brief(0)] * len(texts)
    found = sameness(briefs, texts)
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()
    pairs = np.array([[sameness(briefs[:2], [a, b])[0] for b in texts] for a in texts])
    np.fill_diagonal(pairs, 0.0)
    np.testing.assert_allclose(found, pairs.sum(1) / (len(texts) - 1))


def test_its_mean_does_not_depend_on_how_many_texts_there_are() -> None:
    rng, pool = np.random.default_rng(0), ["meet the mug", "see what it can do", "one mug for you and me"]
    means = [
        np.mean([sameness([brief(0)] * n, rng.choice(pool, n).tolist()).mean() for _ in range(400)])
        for n in (2, 16)
    ]
    assert means[0] == pytest.approx(means[1], abs=0.08) and means[1] == pytest.approx(1 / 3, abs=0.03)


def test_a_single_text_shares_nothing_and_none_is_none() -> None:
    assert sameness([brief(0)], ["meet the mug"]).tolist() == [0.0]
    assert sameness([], []).shape == (0,)
