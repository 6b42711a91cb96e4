"""Retrieval-best: the best copy nearby, put into the product's own words, and exactly how likely it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from copybandit.generators.retrieval import RetrievalWriter, ShownCopy
from copybandit.generators.template import REFERENCE
from copybandit.sim.types import Brief, DataError, Product, Segment

MUG = Product(
    product_id="mug",
    name="mug",
    title="Blue mug",
    category="kitchen",
    brand="",
    price=4.0,
    facts=("blue", "soft"),
)
CUP = replace(MUG, product_id="cup", name="cup", title="Red cup", facts=("red", "light"))
RUG = replace(MUG, product_id="rug", name="rug", title="Wool rug", category="floor", facts=("woolen",))
GARDEN = Segment(segment_id=1, interests=("garden",), size=30)
TEA = Segment(segment_id=2, interests=("tea",), size=30)


def shown(*rows: tuple[Brief, str, int, int]) -> ShownCopy:
    return ShownCopy(
        briefs=tuple(row[0] for row in rows),
        texts=tuple(row[1] for row in rows),
        clicks=np.array([row[2] for row in rows]),
        impressions=np.array([row[3] for row in rows]),
    )


LOG = shown(
    (Brief(product=MUG), "Meet the blue mug.", 20, 1000),
    (Brief(product=MUG), "A mug that your day was waiting for.", 60, 1000),
    (Brief(product=MUG), "Have you seen this soft mug?", 1, 5),
    (Brief(product=RUG), "Hello, woolen rug!", 100, 1000),
)


def only(writer: RetrievalWriter, brief: Brief) -> str:
    (row,) = writer.propose([brief], 3, np.random.default_rng(0))
    (text,) = {variant.text for variant in row}
    return text


def test_the_highest_lower_bound_wins_and_not_the_highest_rate() -> None:
    writer = RetrievalWriter(shown=LOG, neighbours=1, prior=1.0)
    assert only(writer, Brief(product=MUG)) == "A mug that your day was waiting for."
    # One of five is much, until one doubts it.
    assert only(replace(writer, level=0.5), Brief(product=MUG)) == "Have you seen this soft mug?"
    assert only(writer, Brief(product=RUG)) == "Hello, woolen rug!"


def test_copy_of_a_known_move_is_filled_with_the_new_products_facts() -> None:
    writer = RetrievalWriter(shown=LOG, neighbours=1, prior=1.0)
    # The mug is nearest; its best copy is of no known move, so it stays with the mug.
    assert only(writer, Brief(product=CUP)) == "Have you seen this red cup?"
    assert only(replace(writer, neighbours=2), Brief(product=CUP)) == "Hello, red cup!"


def test_interests_are_swapped_and_personal_copy_is_not_for_everybody() -> None:
    log = shown(
        (Brief(product=MUG, segment=GARDEN), "For garden lovers: a blue mug.", 90, 1000),
        (Brief(product=MUG, segment=GARDEN), "Meet the blue mug.", 10, 1000),
    )
    writer = RetrievalWriter(shown=log)
    assert only(writer, Brief(product=MUG, segment=GARDEN)) == "For garden lovers: a blue mug."
    assert only(writer, Brief(product=MUG, segment=TEA)) == "For tea lovers: a blue mug."
    assert only(writer, Brief(product=MUG)) == "Meet the blue mug."


def test_a_brief_without_usable_copy_gets_the_reference_copy() -> None:
    writer = RetrievalWriter(shown=shown((Brief(product=MUG), "A mug that waits for you.", 5, 9)))
    assert only(writer, Brief(product=CUP)) == REFERENCE.text(Brief(product=CUP))


def test_log_prob_is_exact() -> None:
    warm = RetrievalWriter(shown=LOG, neighbours=4, temperature=0.5)
    brief = Brief(product=MUG)
    texts, probs = warm.candidates(brief)
    assert len(texts) == 4 and probs.sum() == pytest.approx(1)
    np.testing.assert_allclose(np.exp(warm.log_prob([brief] * 4, texts)), probs)
    lower = dict(zip(LOG.texts, LOG.lower(warm.level, warm.prior), strict=True))
    ratio = (lower[LOG.texts[1]] / lower[LOG.texts[0]]) ** 2
    found = dict(zip(texts, probs, strict=True))
    assert found[LOG.texts[1]] / found[LOG.texts[0]] == pytest.approx(ratio)
    (row,) = warm.propose([brief], 4000, np.random.default_rng(0))
    share = np.array([sum(variant.text == text for variant in row) for text in texts]) / 4000
    assert (np.abs(share - probs) < 4 * np.sqrt(probs * (1 - probs) / 4000) + 1e-9).all()
    cold = replace(warm, temperature=0.0)
    assert sorted(np.exp(cold.log_prob([brief] * 4, texts))) == [0, 0, 0, 1]
    assert cold.log_prob([brief], ["Never shown."])[0] == -np.inf
    with pytest.raises(DataError, match="1 briefs, 2 texts"):
        warm.log_prob([brief], texts[:2])


def test_the_lower_bound_is_the_posteriors_quantile() -> None:
    log = shown((Brief(product=MUG), "a", 3, 10), (Brief(product=MUG), "b", 0, 0))
    rate = 3.5 / 11
    expected = [
        beta.ppf(0.2, 5 * rate + 3, 5 * (1 - rate) + 7),
        beta.ppf(0.2, 5 * rate, 5 * (1 - rate)),
    ]
    np.testing.assert_allclose(log.lower(0.2, 5.0), expected)


def test_unfit_logs_and_settings_are_refused() -> None:
    with pytest.raises(DataError, match="clicks must be in"):
        shown((Brief(product=MUG), "a", 3, 2))
    with pytest.raises(DataError, match="at least one"):
        ShownCopy(briefs=(), texts=(), clicks=np.zeros(0, np.int64), impressions=np.zeros(0, np.int64))
    with pytest.raises(DataError, match="level in"):
        RetrievalWriter(shown=LOG, level=1.0)
