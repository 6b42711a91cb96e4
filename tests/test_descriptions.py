"""Descriptions of a gift shop: which name one product, and what they truly say of it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.sim.descriptions import MAX_NAME_WORDS, describe
from copybandit.sim.listing_words import CATEGORIES, OTHER
from copybandit.sim.spelling import edit_distance, merge_spellings
from tests.slices import descriptions


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("RED MUG", "red mug"),
        ("PINK  POLKADOT PLATE", " PINK POLKADOT PLATE."),
        ("ELEPHANT, BIRTHDAY CARD,", "ELEPHANT BIRTHDAY CARD"),
        ("CHILDREN'S SPACEBOY MUG", "CHILDRENS SPACEBOY MUG"),
        ("RUSTIC STRAWBERRY JAMPOT LARGE", "RUSTIC STRAWBERRY JAM POT LARGE"),
        ("WRAP, CAROUSEL", "CAROUSEL WRAP"),
        ("PACK OF 6 PANNETONE GIFT BOXES", "PACK OF 6 PANETTONE GIFT BOXES"),
        ("LUNCH BAG VINTAGE DOILEY", "LUNCH BAG VINTAGE DOILY"),
        ("WALL ART BICYCLE SAFTEY", "WALL ART BICYCLE SAFETY"),
        ("HANGING JAM JAR HOLDERS", "HANGING JAM JAR HOLDER"),
    ],
)
def test_spelling_variants_are_merged(a: str, b: str) -> None:
    assert merge_spellings([a, b], np.array([2, 5])).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("RUSTIC JAM POT LARGE", "RUSTIC JAM POT SMALL"),
        ("PINK DINER WALL CLOCK", "MINT DINER WALL CLOCK"),
        ("PACK OF 6 GIFT BOXES", "PACK OF 12 GIFT BOXES"),
        ("VINTAGE 50CM RIBBON", "VINTAGE 60CM RIBBON"),
        ("RED WOOLLY HOTTIE WHITE HEART", "WHITE WOOLLY HOTTIE RED HEART"),
        ("FOLDING UMBRELLA RED/WHITE", "FOLDING UMBRELLA WHITE/RED"),
        ("LETTER A BLING KEY RING", "LETTER B BLING KEY RING"),
        ("VINTAGE ENAMEL MUG", "VINTAGE ENAMEL JUG"),
        ("EMBROIDERED RIBBON ROSIE", "EMBROIDERED RIBBON SUSIE"),
        ("WASHROOM METAL SIGN", "BATHROOM METAL SIGN"),
        ("HOME BLOCK WORD", "LOVE BLOCK WORD"),
    ],
)
def test_other_products_are_not_merged(a: str, b: str) -> None:
    assert merge_spellings([a, b], np.array([2, 5])).tolist() == [0, 1]


def test_a_slip_that_makes_a_word_of_its_own_is_not_merged() -> None:
    texts = ["WOODEN HORSE GARLAND", "WOODEN HOUSE GARLAND", "HORSE MUG", "HOUSE PLATE"]
    assert merge_spellings(texts, np.ones(4, np.int64)).tolist() == [0, 1, 2, 3]


def test_one_stock_code_merges_a_changed_description() -> None:
    texts = ["LUNCH BAG SUKI DESIGN", "LUNCH BAG SUKI PATTERN", "LUNCH BAG RED SUKI", "TEAPOT"]
    stock = [(i, "20726") for i in range(4)]
    assert merge_spellings(texts, np.array([1, 4, 2, 9]), stock).tolist() == [1, 1, 2, 3]


@given(st.lists(st.sampled_from(descriptions(200, np.random.default_rng(0))[0]), unique=True, max_size=60))
def test_who_stands_for_a_group_stands_for_itself(texts: list[str]) -> None:
    variants = [*texts, *(t.lower() + "." for t in texts)]
    standing = merge_spellings(variants, np.arange(len(variants)))
    np.testing.assert_array_equal(standing[standing], standing)
    np.testing.assert_array_equal(standing[: len(texts)], standing[len(texts) :])


@given(st.text("abcd", max_size=7), st.text("abcd", max_size=7))
def test_edit_distance_is_symmetric_and_bounded(a: str, b: str) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))
    assert (edit_distance(a, b) == 0) == (a == b)


@pytest.mark.parametrize(
    ("line", "name", "category", "facts"),
    [
        ("SET OF 6 T-LIGHTS SANTA", "t-lights santa", "christmas", ("set of 6",)),
        ("WHITE HANGING HEART T-LIGHT HOLDER", "white hanging heart t-light holder", "candle & light",
         ("white", "hanging", "heart")),
        ("LUNCH BAG PINK POLKADOT", "pink polkadot lunch bag", "bag", ("pink", "polkadot")),
        ("PACK OF 72 RETROSPOT CAKE CASES", "retrospot cake cases", "kitchen", ("pack of 72", "retrospot")),
        ("12 PENCILS TALL TUBE WOODLAND", "pencils tall tube woodland", "card & wrap",
         ("12 pencils", "tall", "woodland")),
        ("REGENCY CAKESTAND 3 TIER", "regency cakestand", "kitchen", ("3 tier", "regency")),
        ("POLYESTER FILLER PAD 40x40cm", "polyester filler pad", "textile", ("40x40cm", "polyester")),
        ("ASS COL LARGE SAND FROG P'WEIGHT", "assorted colour sand frog paperweight", "sign & decoration",
         ("large",)),
        ("ANGEL DECORATION WITH LACE PADDED", "angel decoration", "sign & decoration", ("lace",)),
        ("FAIRY TALE COTTAGE NIGHT LIGHT", "fairy tale cottage night light", "candle & light", ("fairy",)),
    ],
)  # fmt: skip
def test_descriptions_are_read(line: str, name: str, category: str, facts: tuple[str, ...]) -> None:
    told = describe(line)
    assert (told.name, told.category, told.facts) == (name, category, facts)


@given(st.sampled_from(descriptions(260, np.random.default_rng(1))[0]))
def test_what_is_said_stands_in_the_description(line: str) -> None:
    assert_true_of(line)


def assert_true_of(line: str) -> None:
    told = describe(line)
    said = " ".join([told.name, *told.facts])
    assert set(re.findall(r"\d+", said)) <= set(re.findall(r"\d+", line))
    assert 1 <= len(told.name.split()) <= MAX_NAME_WORDS
    assert told.name == told.name.lower()
    assert told.category in {*CATEGORIES, OTHER}
    assert set(told.name.split()) <= set(told.title.lower().split())
