"""What a small writer leaves where it lost its thread is no copy; what people write is."""

from __future__ import annotations

import pytest

from copybandit.generators.editor import Editor, EditorSettings
from copybandit.sim.types import Brief, Product

PENCIL = Product(
    product_id="p",
    name="Pencil",
    title="Apple Pencil (2nd Generation)",
    category="tablets",
    brand="Apple",
    price=99.0,
    facts=("2nd Generation", "手写笔"),
)


def rules(text: str, *, proofreading: bool = False) -> set[str]:
    editor = Editor(settings=EditorSettings(proofreading=proofreading))
    return {rejection.rule for rejection in editor.check(Brief(product=PENCIL), text)}


@pytest.mark.parametrize(
    "text", ["A Pencil ch DTS Virtualualualual?", "The Pencil did Pro 掉 Up.", "A Pencil and x梳ch."]
)
def test_stutter_and_strewn_characters_are_refused(text: str) -> None:
    assert "garbled" in rules(text)


@pytest.mark.parametrize(
    "text",
    ["Hahahaha, a Pencil!", "The Pencil, la la la.", "A Pencil, or 手写笔.", "A Pencil from Mississippi."],
)
def test_laughter_names_and_the_products_own_words_pass(text: str) -> None:
    assert "garbled" not in rules(text)


def test_two_words_of_no_dictionary_are_refused_where_it_is_installed() -> None:
    pytest.importorskip("harper")
    assert "garbled" in rules("Happy with the Pencil with dreaelcil on tupport.", proofreading=True)
    assert "garbled" not in rules("Happy with the Pencil, definately.", proofreading=True)
    assert "garbled" not in rules("A Pencil for a Shih Tzu.", proofreading=True)
