"""The synthetic catalogue: every fact is consistent, titles are distinct, and a seed is a catalogue."""

from __future__ import annotations

import numpy as np
import pytest

from copybandit.generators.editor import numbers
from copybandit.sim.catalogue import NUMBERS, draw_catalogue, lexicon
from copybandit.sim.types import DataError, Product


@pytest.fixture(scope="module")
def catalogue() -> tuple[Product, ...]:
    return draw_catalogue(600, np.random.default_rng(5))


def test_titles_and_ids_are_distinct(catalogue: tuple[Product, ...]) -> None:
    assert len({product.title for product in catalogue}) == len(catalogue) == 600
    assert len({product.product_id for product in catalogue}) == 600


def test_title_name_and_facts_agree(catalogue: tuple[Product, ...]) -> None:
    for product in catalogue:
        title = product.title.lower()
        assert all(fact in title for fact in product.facts)
        assert set(product.name.split()) <= set(title.replace(",", "").split())
        assert numbers(product.title) == numbers(" ; ".join((product.name, *product.facts)))
        assert not set(product.name.split()) & set(product.facts)
        assert len(set(product.facts)) == len(product.facts) > 0
        assert "{" not in product.title


def test_prices_are_whole_cents_inside_their_category(catalogue: tuple[Product, ...]) -> None:
    ranges = {category.name: category.price for category in lexicon().categories}
    for product in catalogue:
        low, high = ranges[product.category]
        assert 0 < low - 0.51 <= product.price <= high + 0.25
        assert product.price == round(product.price, 2)
    assert {product.category for product in catalogue} == set(ranges)


def test_a_seed_is_a_catalogue() -> None:
    assert draw_catalogue(20, np.random.default_rng(1)) == draw_catalogue(20, np.random.default_rng(1))
    assert draw_catalogue(20, np.random.default_rng(1)) != draw_catalogue(20, np.random.default_rng(2))


def test_the_lexicon_is_usable() -> None:
    words = lexicon().interest_words
    assert len(set(words)) == len(words) >= 60
    assert all(len({*category.nouns}) == len(category.nouns) >= 10 for category in lexicon().categories)
    assert min(NUMBERS) > 1


def test_an_empty_catalogue_is_refused() -> None:
    with pytest.raises(DataError, match="n must be at least 1, got 0"):
        draw_catalogue(0, np.random.default_rng(0))
