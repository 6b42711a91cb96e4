"""What follows from a product's numbers, and what only looks so: compounds, arithmetic, ranges, rates, dates, questions."""

from __future__ import annotations

import pytest

from copybandit.generators.facts import said_of, unsupported
from copybandit.generators.normalising import normalise
from copybandit.generators.tables import table
from copybandit.sim.types import Product


def rules(facts: str, text: str, *, price: float = 12.5, question: str = "") -> set[str]:
    product = Product(
        product_id="p",
        name="thing",
        title="thing",
        category="home",
        brand="",
        price=price,
        facts=tuple(facts.split(" ; ")),
    )
    found = unsupported(said_of(product), normalise(text), question=normalise(question))
    return {rejection.rule for rejection in found}


FOLLOWS = [
    ("180 cm", "A metre eighty of rope."),
    ("5 ft 6 in", "Five foot six of pine."),
    ("90 minutes", "Runs an hour and a half."),
    ("80 minutes", "Runs for an hour and twenty minutes."),
    ("1.5 l", "A litre and a half."),
    ("5 quarts", "A gallon and a quart of oil."),
    ("25% off until 5 December", "A quarter off candles."),
    ("10 Gbps", "Moves 10 Gbit/s."),
    ("1.6m", "一米六，刚好。"),
    ("600g", "一斤二两，够吃。"),
    ("750ml", "四分之三升。"),
    ("羊毛70%", "七成羊毛。"),
    ("3, 5 and 9 inch", "Three, five and nine inches."),
    ("4 x 6 ft", "Four feet by six."),
    ("4 packs ; 250 g each", "A kilo in all."),
    ("30抽 ; 8包", "一共240抽。"),
    ("每格50g ; 五格", "加起来250克。"),
    ("5 pairs of socks", "Ten socks."),
    ("2-6 players", "For three, four or five players."),
    ("waist 70-95 cm", "Made for 80 cm, too."),
    ("one-year guarantee", "Twelve months of guarantee."),
    ("1920 x 1080", "Sharp at 1080p."),
    ("sterling silver", "925 silver."),
    ("600 gsm", "600 grams per square metre."),
    ("酒精度13%vol", "13度的酒。"),
    ("15% off until 30 June", "Fifteen per cent off until 30 June."),
    ("100 LEDs", "A hundred little lights."),
    ("2018年", "二〇一八年的茶。"),
    ("plant March to May", "Plant it in April."),
    ("6 bags", "Twelve fifty for six bags."),
]


@pytest.mark.parametrize(("facts", "text"), FOLLOWS)
def test_these_follow(facts: str, text: str) -> None:
    assert rules(facts, text) == set()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ("180 cm", "A metre sixty of rope."),
        ("90 minutes", "Runs an hour and a quarter."),
        ("6 quarts", "A gallon and a quart of oil."),
        ("20% off until 5 December", "A quarter off candles."),
        ("10 Gbps", "Moves 10 Mbit/s."),
        ("1.6m", "一米八，刚好。"),
        ("羊毛30% ; 腈纶70%", "羊毛占到七成。"),
        ("30% wool ; 70% acrylic", "With 70% wool."),
        ("12 l per day", "Draws 12 litres an hour."),
        ("1000 mg", "1,000 g in each."),
        ("4 packs ; 250 g each", "Two kilos in all."),
        ("30抽 ; 8包", "一共320抽。"),
        ("2-6 players", "For eight players."),
        ("waist 70-95 cm", "Made for 100 cm, too."),
        ("lasts 3-5 hours", "Lasts four hours."),
        ("5 pairs of socks", "Twelve socks."),
        ("plant March to May", "Plant it in July."),
        ("30 hours", "Saves a third of the power, cut by a third."),
        ("三到六年级", "一到六年级"),
        ("1 litre", "Two point five litres."),
        ("750 ml", "Room for a litre."),
    ],
)
def test_these_do_not(facts: str, text: str) -> None:
    assert rules(facts, text) != set()


def test_an_answer_may_set_the_shoppers_number_beside_the_products() -> None:
    asked = "Is it good for 9 people?"
    assert rules("2-6 players", "It is for two to six people, so nine is too many.", question=asked) == set()
    assert rules("2-6 players", "Yes, nine people can play.", question=asked) == {"number"}
    assert rules("2-6 players", "It is for two to six people, so nine is too many.") == {"number"}


@pytest.mark.parametrize(
    ("text", "value"),
    [(text, value) for row in table("spoken.yaml")["rows"] for text, value in row["says"].items()],
)
def test_words_that_hold_a_number(text: str, value: int) -> None:
    assert any(q.values[0] == value and not q.span[1] for q in said_of(_named(text)).quantities)


def _named(fact: str) -> Product:
    return Product(
        product_id="p", name="thing", title="thing", category="home", brand="", price=9.0, facts=(fact,)
    )


def test_a_small_count_of_things_elsewhere_is_no_fact() -> None:
    assert rules("28 cm", "Three owls, one pan, no plan.") == set()
    assert rules("28 cm", "A pan with three spoons.") == {"number"}
    assert rules("28 cm", "Three cups a day keep you awake.") == {"number"}
    assert rules("six balls of wool", "Three balls of wool.") == {"number"}
