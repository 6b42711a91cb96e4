"""The editor: each rule refuses what it is for and lets its neighbour through; no foreign number ever passes."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from copybandit.generators import editor as editor_module
from copybandit.generators.editor import Editor, EditorSettings, check, edit, normalise
from copybandit.generators.limits import LIMITS, Limit
from copybandit.generators.proofreading import misspelt
from copybandit.sim.types import Brief, ContentType, DataError, Product
from tests.briefs import briefs

MUG = Product(
    product_id="p",
    name="ceramic mug",
    title="Blue ceramic mug, award winning, three handles",
    category="kitchen",
    brand="Nine Elms",
    price=8.5,
    facts=("blue", "holds 350 ml", "set of 12", "1,000 uses", "up to 50 degrees"),
)
BRIEF = Brief(product=MUG)


def rules(text: str, brief: Brief = BRIEF) -> set[str]:
    return {rejection.rule for rejection in check(brief, text)}


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ("empty", "  ", "A ceramic mug."),
        ("too-long", "A ceramic mug" + " and so on" * 13 + ".", "A ceramic mug" + " and so on" * 12 + "."),
        ("unfinished", "A ceramic mug that", "A ceramic mug that is blue!"),
        ("strange", "A <b>ceramic mug</b>.", "A ceramic mug & more."),
        ("strange", "A ceramic mug | blue.", "A ceramic mug - blue."),
        ("strange", "A ceramic mug at www.mugs.com.", "A ceramic mug at home."),
        ("strange", "A ceramic mug\nfor tea.", "A ceramic mug for tea."),
        ("strange", "A ceramic mug\u200b.", "A ceramic mug…"),
        ("repeats", "A very very very ceramic mug.", "A very, very ceramic mug."),
        ("repeats", "You love tea and tea. A ceramic mug.", "You love tea and cake. A ceramic mug."),
        ("number", "A ceramic mug for 9.", "A ceramic mug for 8.50."),
        ("us-guarantee", "A ceramic mug, guaranteed.", "A ceramic mug, award or not."),
        ("us-superlative", "The best-selling ceramic mug.", "The best ceramic mug."),
        ("us-price", "50% off a ceramic mug.", "A ceramic mug up to 50 degrees."),
        ("us-price", "A ceramic mug, on sale.", "A ceramic mug, wholesale."),
        ("strange", "Sage &amp; a ceramic mug.", "Sage & a ceramic mug."),
        ("homoglyph", "A cerаmic mug that is ceramic.", "A ceramic mug, Матрёшка."),
        ("repeats", "Blue and blue, a ceramic mug.", "A ceramic mug, blue through and through."),
        ("number", "A ceramic mug, second edition.", "A ceramic mug, second to the sofa."),
        ("number", "A ceramic mug, percent.", "A ceramic mug for a page, or two."),
        ("echo", "Sure! Here is a headline: ceramic mug.", "Sure as blue: the ceramic mug."),
        ("echo", "[/INST] A ceramic mug.", "A ceramic mug [blue]."),
        ("attribute", "A stackable ceramic mug.", "A blue ceramic mug."),
        ("unnamed", "A blue mug.", "A blue mug, ceramic."),
    ],
)
def test_each_rule(rule: str, bad: str, good: str) -> None:
    assert rule in rules(bad)
    assert rules(good) == set()


@pytest.mark.parametrize("said", "8.50 8,50 8.5 08.50 350 350ml 0350 350.0 12 1,000 1000 1.000".split())
def test_numbers_of_the_product_pass_in_any_spelling(said: str) -> None:
    assert rules(f"The ceramic mug, {said}.") == set()


FOREIGN = """
9 8.51 85 8,05 50.8 35 360ml 1 1,001 10,00 .5 0.12 ½ m² ７ ٧ ① 3.50 0.350 350,000 8.500
two Seven thirteen half hundreds twice ninety percent
""".split()


@pytest.mark.parametrize("said", FOREIGN)
def test_foreign_numbers_are_refused(said: str) -> None:
    assert "number" in rules(f"The ceramic mug, {said}.")


def test_spelled_numbers_of_the_product_pass() -> None:
    assert rules("Three handles: the ceramic mug by Nine Elms.") == set()
    assert rules("A dozen, 3 handles each: the ceramic mug.") == set()
    assert rules("The ceramic mug for 9.") == {"number"}
    assert rules("One ceramic mug for someone often alone.") == set()


def readings(text: str) -> set[float]:
    """Every value that digits, number words and gloves in a text could stand for, read without the editor's help."""
    values = {value for word, value in (("two", 2.0), ("half", 0.5), ("gloves", 2.0)) if word in text}
    for digits in re.findall(r"\d[\d.,]*", text):
        for spelling in (digits.replace(",", ""), digits.replace(",", "."), digits.replace(".", "")):
            with contextlib.suppress(ValueError):
                values.add(float(spelling.strip(".,")))
    return values


@given(
    brief=briefs(),
    number=st.one_of(st.integers(0, 10**6), st.decimals(0, 10**4, places=2)),
    form=st.sampled_from(["{}", "{}ml", "({})", "{}-piece", "no.{}", "x{}", "+{}!", "{}.", "0{}"]),
    comma=st.booleans(),
)
def test_a_number_the_product_does_not_have_is_always_refused(
    brief: Brief, number: int | Decimal, form: str, comma: bool
) -> None:
    product = brief.product
    held = readings(" ; ".join((product.name, product.title, *product.facts, f"{product.price:.2f}")))
    assume(float(number) not in held)
    said = form.format(str(number).replace(".", "," if comma else "."))
    assert "number" in rules(f"Meet the {product.name}, {said} now.", brief)


@given(brief=briefs(), text=st.text(max_size=60))
def test_any_text_gets_an_answer_with_spans_inside(brief: Brief, text: str) -> None:
    for rejection in check(brief, text):
        start, end = rejection.span
        assert 0 <= start <= end <= max(len(text), len(normalise(text)))
        assert rejection.reason and "\n" not in rejection.reason


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


def test_normalise_keeps_words_apart() -> None:
    assert normalise("a\nb\u200bc  ｄ") == "a bc d"


def test_a_name_may_hold_what_text_may_not() -> None:
    odd = Product(
        product_id="p", name="ho ho ho star", title="ho ho ho star", category="k", brand="", price=1.0
    )
    assert rules("Meet the ho ho ho star.", Brief(product=odd)) == set()
    sale = Product(product_id="p", name="sale sign", title="sale sign", category="k", brand="", price=1.0)
    assert rules("Meet the sale sign.", Brief(product=sale)) == set()
    assert rules("Meet the sale sign, at half price.", Brief(product=sale)) == {"us-price", "number"}


DESCRIPTION = "A blue ceramic mug. It holds 350 ml."


@pytest.mark.parametrize(
    ("content_type", "rule", "bad", "good"),
    [
        ("subject", "too-long", "Blue mugs " * 7, "Blue, and it holds 350 ml"),
        ("description", "sentences", "A blue ceramic mug.", DESCRIPTION),
        ("description", "sentences", "A ceramic mug. So blue. So calm. So round. So fine.", DESCRIPTION),
        ("reason", "sentences", "Blue. Calm. Round.", "You like blue."),
        ("tags", "tags", "blue", "blue, mug, kitchen"),
        ("tags", "tags", "blue, mug, Blue", "blue, 350 ml"),
        ("answer", "unfinished", "It holds 350 ml and", "It holds 350 ml.\nIt is blue."),
    ],
)
def test_each_kind_of_copy_has_its_shape(content_type: ContentType, rule: str, bad: str, good: str) -> None:
    brief = Brief(product=MUG, content_type=content_type)
    assert rule in rules(bad, brief)
    assert rules(good, brief) == set()


def test_a_review_is_a_marked_draft_of_a_buyer_with_a_rating() -> None:
    with pytest.raises(DataError, match="needs the rating of a verified purchase"):
        Brief(product=MUG, content_type="review")
    with pytest.raises(DataError, match="1 to 5 stars, got 6"):
        Brief(product=MUG, rating=6)
    brief = Brief(product=MUG, content_type="review", rating=4, notes="I drank tea for 3 weeks")
    assert rules("[Draft] I love this ceramic mug: 4 stars after 3 weeks.", brief) == set()
    assert rules("I love this ceramic mug.", brief) == {"unmarked"}
    assert rules("[Draft] 5 stars for this ceramic mug.", brief) >= {"number"}
    assert rules("[Draft] It held tea for 9 weeks.", brief) == {"number"}


def test_chinese_copy_is_read_by_chinese_rules() -> None:
    cup = Product(
        product_id="c", name="马克杯", title="蓝色陶瓷马克杯 350毫升", category="厨房", brand="", price=39.9
    )
    brief = Brief(product=cup, language="zh")
    assert rules("蓝色陶瓷马克杯，350ml，39.9元", brief) == set()
    assert rules("这款马克杯陪你读到最后一页。", brief) == set()
    assert rules("全网最好的马克杯，销量第一", brief) >= {"cn-superlative", "cn-first"}
    assert rules("马克杯，500毫升", brief) == {"number"}
    assert rules("马克杯，不锈钢内胆", brief) == {"material"}
    assert rules("蓝色陶瓷杯", brief) == {"unnamed"}
    assert rules("蓝色马克杯，", brief) == {"unfinished"}


def test_steps_packs_and_soft_rules_are_switched() -> None:
    text = "Hurry, an eco-friendly ceramic mug for 9. I love it."

    def found(**changes: Any) -> set[str]:
        return {r.rule for r in Editor(settings=EditorSettings(**changes)).check(BRIEF, text)}

    assert found() == {"us-urgency", "eu-generic-green", "number", "invented"}
    assert found(facts=False, safety=False, soft=False) == {"eu-generic-green"}
    assert found(packs=("us",), facts=False, safety=False) == {"us-urgency"}
    assert found(facts=False, claims=False, safety=False) == set()
    with pytest.raises(DataError, match="unknown rule pack 'mars'"):
        EditorSettings(packs=("mars",))
    with pytest.raises(DataError, match="ISO 4217 code such as EUR, got 'ECU'"):
        EditorSettings(currency="ECU")


def test_a_placement_has_a_limit_of_its_own() -> None:
    limits = (Limit(content_type="headline", placement="banner", characters=20), *LIMITS)
    editor = Editor(settings=EditorSettings(limits=limits))
    text = "A blue ceramic mug that holds tea."
    assert editor.check(BRIEF, text) == ()
    assert [r.rule for r in editor.check(replace(BRIEF, placement="banner"), text)] == ["too-long"]


def test_repairs_are_listed_and_change_nothing_that_is_said() -> None:
    done = edit(BRIEF, "  meet  the REALLY NICE ROUND ceramic mug ,holds 350 ml!! ")
    assert done.text == "Meet the really nice round ceramic mug, holds 350 ml!"
    assert done.edits[0].kind == "characters and spaces" and len(done.edits) == 6
    assert done.edits[-1].after == done.text and done.rejections == ()
    assert edit(BRIEF, "A ceramic mug for 9").rejections[0].rule == "number"
    assert edit(BRIEF, "A ceramic mug for 8.50").text == "A ceramic mug for 8.50."


@given(brief=briefs(), text=st.text(max_size=60))
def test_editing_twice_edits_once(brief: Brief, text: str) -> None:
    once = edit(brief, text).text
    again = edit(brief, once)
    assert again.text == once and again.edits == ()


def test_emoji_and_chinese_marks_survive_normalising() -> None:
    assert normalise("蓝色马克杯，好看！👨‍👩‍👧 ❤️") == "蓝色马克杯，好看！👨‍👩‍👧 ❤️"
    assert rules("A ceramic mug 👨‍👩‍👧.") == set()


def test_slips_are_soft_and_the_absence_of_a_grammar_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(r.rule, r.severity) for r in check(BRIEF, "This are a ceramic mug.")] == [("grammar", "soft")]
    assert Editor(settings=EditorSettings(soft=False)).check(BRIEF, "This are a ceramic mug.") == ()
    editor = Editor(settings=EditorSettings(proofreading=True))
    monkeypatch.setattr(editor_module, "installed", lambda: False)
    assert "pip install" in editor.notes[0]


def test_harper_finds_spelling_and_leaves_the_products_words() -> None:
    pytest.importorskip("harper", reason="HARPER ABSENT: pip install 'copybandit[quality]' to check spelling")
    editor = Editor(settings=EditorSettings(proofreading=True))
    assert editor.notes == ()
    assert "grammar" in {r.rule for r in editor.check(BRIEF, "A definately blue ceramic mug.")}
    for text in (
        "A ceramic mug in your favourite colour, blue.",
        "A ceramic mug in your favorite color, blue.",
    ):
        assert editor.check(BRIEF, text) == ()
    odd = replace(MUG, title="Blue ceramic mug Zorblax")
    assert editor.check(Brief(product=odd), "The Zorblax ceramic mug is blue.") == ()


def test_quire_tells_words_apart_and_leaves_articles_to_the_ear() -> None:
    pytest.importorskip("quire_grammar", reason="QUIRE ABSENT: pip install 'copybandit[quality]'")
    told = [slip.reason for slip in misspelt("They was better then that.", frozenset())]
    assert any(reason.startswith("'then'") for reason in told)
    assert any(reason.startswith("'was'") for reason in told)
    assert not [*misspelt("An Xbox for the weekend.", frozenset({"xbox"}))]


def test_a_draft_tells_no_more_than_the_notes() -> None:
    brief = Brief(product=MUG, content_type="review", rating=4, notes="handle broke, refunded fast")
    assert rules("[Draft] The handle broke. The shop did refund me.", brief) == set()
    assert rules("[Draft] It survived a fall onto tiles.", brief) == {"invented"}
    assert rules("[Draft] Four out of five.", brief) == set()
    assert rules("[Draft] Three out of five.", brief) >= {"number"}


@pytest.mark.parametrize(
    ("text", "invented"),
    [
        ("【草稿】把手断了，退款很快。（发布前请核对并补充自己的感受。）", False),
        ("【草稿】陶瓷杯总体满意，4星。把手断了，客服退款挺快的。", False),
        ("【草稿】把手断了，带去漠河露营也没事。", True),
    ],
)
def test_a_chinese_draft_tells_no_more_than_the_notes(text: str, invented: bool) -> None:
    cup = replace(MUG, name="陶瓷杯", title="陶瓷杯", brand="", facts=("陶瓷",))
    brief = Brief(product=cup, content_type="review", language="zh", rating=4, notes="把手断了，客服退款很快")
    assert ("invented" in rules(text, brief)) == invented
