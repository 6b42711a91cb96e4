"""Words of the lexicon that are common English are refused where they describe the product, and only there."""

from __future__ import annotations

import pytest

from copybandit.generators.attributes import foreign_attributes
from copybandit.generators.facts import said_of
from copybandit.generators.tables import table
from copybandit.sim.types import Product

ROWS = table("attributes.yaml")["ordinary"]
MUG = Product(product_id="m", name="mug", title="Round mug", category="kitchen", brand="", price=5.0)


def words(text: str, product: Product = MUG) -> set[str]:
    return {text[slice(*r.span)].lower() for r in foreign_attributes(said_of(product), text, "")}


@pytest.mark.parametrize(("word", "text"), [(row["word"], text) for row in ROWS for text in row["bad"]])
def test_a_description_is_refused(word: str, text: str) -> None:
    assert word in words(text)


@pytest.mark.parametrize("text", [text for row in ROWS for text in row["good"]])
def test_common_english_passes(text: str) -> None:
    assert words(text) == set()


TINTS = table("attributes.yaml")["tints"]


@pytest.mark.parametrize("text", TINTS["bad"])
def test_a_tint_of_the_product_is_refused(text: str) -> None:
    assert words(text) & set(TINTS["words"])


@pytest.mark.parametrize("text", TINTS["good"])
def test_a_tint_of_another_thing_passes(text: str) -> None:
    assert words(text) == set()


@pytest.mark.parametrize(
    "text", ["It has no zip.", "Keep it away from waterproof ink.", "Unlike anything adjustable, it stays."]
)
def test_what_is_denied_is_not_claimed(text: str) -> None:
    assert words(text) == set()


def test_pieces_of_a_word_with_a_hyphen_are_said() -> None:
    pen = Product(product_id="p", name="pen", title="Battery-free pen", category="k", brand="", price=5.0)
    assert words("It asks for a battery as often as it is free of ink.", pen) == set()


def test_other_forms_of_a_word_count_as_said() -> None:
    frame = Product(
        product_id="f", name="frame", title="Frame, hangs, 2 batteries", category="k", brand="", price=5.0
    )
    assert words("Hang it, battery in.", frame) == set()
    assert words("Hang it, battery in.") == {"hang", "battery"}
    assert words("A tall frame.", frame) == {"tall"}
