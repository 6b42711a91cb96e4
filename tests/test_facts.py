"""Facts: what the product does not say, copy may not say, whatever the spelling; what it does say passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.facts import coverage, said_of, unsupported
from copybandit.generators.normalising import normalise
from copybandit.sim.types import Product

FLASK = Product(
    product_id="f",
    name="travel flask",
    title="Travel flask, 500 ml, keeps warm 12 hours, since 1998, stainless steel, launched 12 May 2024",
    category="kitchen",
    brand="Kestrel",
    price=19.99,
    facts=("pack of 2", "pure cotton sleeve", "faux leather strap", "fits A4 bags", "7.5 x 24 cm"),
)
SAID = said_of(FLASK)


def rules(text: str, **more: object) -> set[str]:
    return {r.rule for r in unsupported(SAID, normalise(text), **more)}  # type: ignore[arg-type]  # str and tuple


@pytest.mark.parametrize(
    "text",
    [
        "Half a litre, warm for twelve hours.",
        "0.5 l in a 2-pack for $19.99.",
        "The stainless steel flask, metal through and through.",
        "100% cotton sleeve.",
        "In shops since May 12.",
        "Made since 1998.",
        "24 cm tall, A4 bags welcome.",
        "半升不锈钢保温杯，两件装，19.99元",
        "Kestrel, for 19,99 €.",
    ],
)
def test_what_the_product_says_passes(text: str) -> None:
    assert rules(text) == set()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("number", "Keeps warm for 24 hours."),
        ("number", "Holds 500 g."),
        ("number", "Only $14.99."),
        ("number", "30% lighter."),
        ("number", "Five colours."),
        ("number", "Twice as warm."),
        ("number", "三件装"),
        ("number", "12 cups of tea."),
        ("number", "B5 bags welcome."),
        ("date", "Made since 1950."),
        ("date", "Launched on 13 May 2024."),
        ("material", "A titanium flask."),
        ("material", "Genuine leather strap."),
        ("material", "A leather strap."),
        ("material", "Merino sleeve."),
        ("material", "真皮背带"),
        ("brand", "As good as a Stanley."),
        ("brand", "比膳魔师更轻"),
    ],
)
def test_what_it_does_not_say_is_refused(rule: str, text: str) -> None:
    assert rule in rules(text)


def test_an_interest_word_may_name_a_material() -> None:
    assert rules("For linen lovers.") == {"material"}
    assert rules("For linen lovers.", interests="linen garden") == set()


def test_other_brands_of_the_shop_are_refused() -> None:
    assert rules("Goes with Alder & Finch mugs.", brands=("Alder & Finch", "Kestrel")) == {"brand"}
    assert rules("Goes with Kestrel mugs.", brands=("Alder & Finch", "Kestrel")) == set()


def test_a_known_currency_is_the_only_one() -> None:
    known = said_of(FLASK, "", "GBP")
    assert unsupported(known, "For £19.99.") == []
    assert [r.rule for r in unsupported(known, "For €19.99.")] == ["number"]


def test_reasons_say_that_the_number_measures_something_else() -> None:
    (found,) = unsupported(SAID, "Holds 500 g.")
    assert "of something else" in found.reason and found.span == (6, 11)


def test_coverage_finds_facts_in_other_words() -> None:
    told = coverage(
        FLASK, "A double pack of the flask for travel: 240 mm tall and 75 mm wide, Kestrel, $19.99"
    )
    assert told.name and told.brand and told.price
    assert told.facts == ("7.5 x 24 cm",) and told.share == pytest.approx(0.2)
    assert coverage(FLASK, "A two-pack").facts == ("pack of 2",)


@given(st.text(max_size=50))
def test_any_text_gets_spans_inside(text: str) -> None:
    plain = normalise(text)
    for found in unsupported(SAID, plain):
        assert 0 <= found.span[0] <= found.span[1] <= len(plain)
