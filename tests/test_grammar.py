"""The grammar: enough moves, text that the editor lets through whatever the brief, and words that agree."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.editor import check
from copybandit.generators.grammar import Move, article, fill, fillers, is_plural, move_named, moves, write
from copybandit.sim.types import Brief, DataError, Product, Segment
from tests.briefs import briefs

VALUES = {
    "price": "8.50",
    "adj": "orange",
    "adj2": "soft",
    "phrase": "holds 350 ml",
    "interest": "garden",
    "interest2": "tea",
}


def test_there_are_enough_moves_of_both_kinds() -> None:
    assert len({move.move_id for move in moves()}) == len(moves()) >= 60
    assert sum(move.personal for move in moves()) >= 10
    assert len({move.text for move in moves()}) == len(moves())


@given(brief=briefs(), seed=st.integers(0, 2**16))
def test_whatever_the_brief_the_editor_lets_the_text_through(brief: Brief, seed: int) -> None:
    text = write(brief, np.random.default_rng(seed))
    assert check(brief, text) == ()


@given(brief=briefs(), place=st.integers(0, 1000), seed=st.integers(0, 2**16))
def test_every_single_move_is_let_through(brief: Brief, place: int, seed: int) -> None:
    text = write(brief, np.random.default_rng(seed), moves()[place % len(moves())])
    assert check(brief, text) == ()


@pytest.mark.parametrize("move", moves(), ids=lambda move: move.move_id)
def test_a_move_agrees_with_one_and_with_many(move: Move) -> None:
    one = fill(move, VALUES | {"name": "umbrella"})
    many = fill(move, VALUES | {"name": "gloves"})
    assert not re.search(r"\b[Aa] [aeio]", one) and not re.search(r"\ban [^aeiou]", one, re.IGNORECASE)
    assert not re.search(r"these umbrella|umbrella are\b", one, re.IGNORECASE)
    wrong = r"\b(an?|this|that|every|another) ((orange|soft|dull|boring|good) )*gloves|gloves (is|looks|has|does)\b"
    assert not re.search(wrong, many, re.IGNORECASE)
    assert not re.search(r"\b(it's|it is) (a )?(orange|soft)", many, re.IGNORECASE)
    for text in (one, many):
        assert text[0].isupper() or text[0] in '"8'
        assert not re.search(r"[{}\0]|  |\s[.,!?:]|[.!?] [a-z]", text)


@given(brief=briefs(), seed=st.integers(0, 2**16))
def test_no_interest_is_spoken_of_without_a_segment(brief: Brief, seed: int) -> None:
    bare = Brief(product=brief.product)
    assert fillers(bare)["interest", "interest2"] == ()
    personal = next(move for move in moves() if move.personal)
    fallback = fill(move_named("only-name"), {"name": brief.product.name})
    assert write(bare, np.random.default_rng(seed), personal) == fallback


def test_interest_words_are_the_segments_own() -> None:
    product = Product(
        product_id="p", name="mug", title="Blue mug", category="k", brand="", price=4.0, facts=("blue",)
    )
    segment = Segment(segment_id=1, interests=("garden", "tea", "yoga", "never"), size=20)
    rng = np.random.default_rng(0)
    personal = [move for move in moves() if move.personal]
    said = " ".join(
        write(Brief(product=product, segment=segment), rng, move) for move in personal * 20
    ).lower()
    assert {word for word in segment.interests if word in said.split("never miss")[0]} >= {
        "garden",
        "tea",
        "yoga",
    }
    assert "never" not in said


def test_facts_are_not_said_twice() -> None:
    facts = ("blue", "Blue", "soft", "holds 3", "holds 3")
    product = Product(
        product_id="p", name="soft toy", title="t", category="k", brand="", price=4.0, facts=facts
    )
    found = fillers(Brief(product=product))
    assert [word.lower() for word in found["adj", "adj2"]] == ["blue"] and found["phrase",] == ("holds 3",)


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("scissors", True),
        ("gloves with dots", True),
        ("kids' bags", True),
        ("glass", False),
        ("canvas", False),
        ("set of mugs", False),
        ("box for pens", False),
        ("mug", False),
    ],
)
def test_plurals(name: str, plural: bool) -> None:
    assert is_plural(name) is plural


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("mug", "a"),
        ("orange", "an"),
        ("umbrella", "an"),
        ("unicorn", "a"),
        ("uninflated", "an"),
        ("used", "a"),
        ("one-piece", "a"),
        ("hourglass", "an"),
        ("house", "a"),
        ("8-piece", "an"),
        ("11", "an"),
        ("18-piece", "an"),
        ("1", "a"),
        ("Xbox", "an"),
        ("SSD", "an"),
        ("LED", "an"),
        ("HDMI", "an"),
        ("F1", "an"),
        ("L-shaped", "an"),
        ("STEEL", "a"),
        ("FLEECE", "a"),
        ("UV", "a"),
        ("EU", "a"),
        ("Ryzen", "a"),
    ],
)
def test_articles(word: str, expected: str) -> None:
    assert article(word) == expected


def test_an_article_inside_a_name_is_left_alone() -> None:
    assert fill(Move("m", "See {a} {name}."), {"name": "vitamin a ointment"}) == "See a vitamin a ointment."


def test_a_text_too_long_to_show_falls_back_to_the_name() -> None:
    facts = ("blue", "x " * 70)
    product = Product(product_id="p", name="mug", title="mug", category="k", brand="", price=4.0, facts=facts)
    assert write(Brief(product=product), np.random.default_rng(0), move_named("long-story")) == (
        "The mug, plain and simple."
    )


def test_unknown_slots_and_moves_are_refused() -> None:
    with pytest.raises(DataError, match="move m: unknown slot 'colour'; choose from"):
        Move("m", "{colour} {name}")
    with pytest.raises(DataError, match="unknown move 'absent'; choose from"):
        move_named("absent")
