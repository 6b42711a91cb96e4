"""Families of English copy: numbers that follow from a product's, numbers that count nothing, slots, slips and promises."""

from __future__ import annotations

import pytest

from copybandit.generators.editor import check
from copybandit.sim.types import Brief, ContentType, Product

FORM = {"empty", "unfinished", "too-long", "unnamed", "sentences", "unmarked"}
CANDLE = "220 g ; soy wax ; 45-hour burn time"
TEA = "100 g ; 2 g per cup ; 80 °C ; 3 minutes"
GAME = "2-5 players ; 45 minutes ; 120 cards"
PAPER = "200 sheets ; 15 x 15 cm ; 20 colours"
CALENDAR = "January-December 2026 ; A3"
BOMBS = "eight bath bombs ; 100 g each ; lavender, rose, citrus, mint"
SOCKS = "5 pairs ; size 39-42 ; 80% cotton"
BLANKET = "150 x 200 cm ; folds to 30 x 20 cm ; 900 g"
TABLETS = "90 tablets ; one tablet daily"
LAMP = "brass ; 12 W ; magnetic base"


def rules(facts: str, text: str, kind: ContentType = "description", notes: str = "") -> set[str]:
    product = Product(
        product_id="p", name="thing", title="Thing, Red Toolbox", category="home", brand="Oakley Lane", price=31.0,
        facts=tuple(facts.split(" ; ")),
    )  # fmt: skip
    rating = 4 if kind == "review" else None
    brief = Brief(product=product, segment=None, content_type=kind, language="en", notes=notes, rating=rating)
    return {found.rule for found in check(brief, text)} - FORM


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (CANDLE, "Some 45 evenings if you give it an hour a night."),
        (CANDLE, "At three hours an evening that is fifteen evenings."),
        (TEA, "Fifty cups from one bag."),
        (TEA, "Water at 175 °F, three minutes."),
        (TEA, "Tea before nine, zero small talk."),
        (GAME, "Bring one friend or four."),
        (GAME, "Best of three, then bed."),
        (PAPER, "Two hundred squares, two hundred cranes."),
        (PAPER, "Ten sheets of each colour."),
        (CALENDAR, "It begins in January 2026, so December 2025 is not in it."),
        (CALENDAR, "The year 2025 isn't covered."),
        (BOMBS, "Four scents, two of each."),
        (SOCKS, "Four fifths cotton, and size 40 sits in the middle."),
        (BLANKET, "Three square metres for lunch, four sandwiches, two friends."),
        (TABLETS, "A tub lasts three months, or 90 days."),
        (TABLETS, "Get your eight hours, and five more minutes."),
        (LAMP, "It holds with a magnet."),
        (LAMP, "Big red box, small plans."),
        (LAMP, "For the walk, for the dog, for the rain and for the way home."),
    ],
)
def test_these_follow_or_count_nothing(facts: str, text: str) -> None:
    assert rules(facts, text) == set()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (CANDLE, "Some 60 evenings if you give it an hour a night."),
        (CANDLE, "At three hours an evening that is twenty evenings."),
        (TEA, "Eighty cups from one bag."),
        (TEA, "Water at 195 °F."),
        (TEA, "Zero sugar, zero calories."),
        (GAME, "A table of eight players."),
        (PAPER, "250 squares to fold."),
        (PAPER, "Twelve sheets of each colour."),
        (BOMBS, "Six scents in one box."),
        (SOCKS, "Size 43 fits, too."),
        (SOCKS, "Nine tenths cotton."),
        (BLANKET, "Four square metres for lunch."),
        (TABLETS, "A tub lasts four months."),
        (LAMP, "It holds six eggs."),
    ],
)
def test_these_do_not(facts: str, text: str) -> None:
    assert "number" in rules(facts, text)


@pytest.mark.parametrize(
    "text", ["It covers 2025 and 2026.", "It starts in September 2025.", "It runs to March 2027."]
)
def test_other_years_are_refused(text: str) -> None:
    assert rules(CALENDAR, text) & {"date", "number"}


def test_a_height_is_read_in_feet() -> None:
    notes = "I'm 5'3, sleeves long"
    assert rules(LAMP, "[Draft] I'm 5'3\" and the sleeves are long.", "review", notes) == set()
    assert rules(LAMP, "[Draft] At 5 foot 3 the sleeves are long.", "review", notes) == set()
    assert "number" in rules(LAMP, "[Draft] I'm 5'7\" and the sleeves are long.", "review", notes)


def test_words_of_one_use_ground_each_other() -> None:
    assert rules("gas stove", "[Draft] Boiled the water on a windy hill.", "review", "good in wind") == set()
    assert "invented" in rules("gas stove", "[Draft] My grandmother danced all night.", "review", "good")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("strange", "Hello [FIRST_NAME], tea?"),
        ("strange", "Dear [Customer Name], tea?"),
        ("strange", "Hi %FNAME%, tea?"),
        ("brand", "Inspired by Vitra, this is a lamp."),
        ("us-guarantee", "It will never tarnish or fray."),
        ("us-deadline", "Reserve by Friday."),
        ("invented", "We spent a week with it."),
        ("history", "Empty since your May order?"),
    ],
)
def test_these_are_refused(rule: str, text: str) -> None:
    assert rules(LAMP, text) == {rule}
