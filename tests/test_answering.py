"""Answers: the right fact is quoted, silence is admitted, the language is the shopper's, and nothing else is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from copybandit.generators.answering import answer_values, answers_in
from copybandit.generators.compose import compose
from copybandit.generators.editor import check
from copybandit.generators.kinds import VOICES
from copybandit.generators.languages import HAN
from copybandit.sim.types import Brief, Product
from tests.question_cases import CASES, KETTLE, Case


def test_there_are_enough_cases() -> None:
    for language in ("en", "zh"):
        mine = [case for case in CASES if case.language == language]
        assert len(mine) >= 40 and sum(not case.quoted for case in mine) >= 15


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.product.name}: {case.question}")
def test_a_question_is_answered_by_its_fact_or_declined(case: Case) -> None:
    found = answer_values(case.brief)
    values = tuple(found.values())
    if case.language == "zh" and "price" in found:
        values = (found["price"].removesuffix(".00"),)
    assert values == case.quoted
    for voice in ("", *VOICES):
        text = compose(replace(case.brief, voice=voice), np.random.default_rng(1)).text
        assert check(case.brief, text) == (), text
        assert all(fact.lower() in text.lower() for fact in case.quoted)
        if not case.quoted:
            assert not any(fact in text for fact in case.product.facts)
            assert any(
                word in text for word in ("not say", "not cover", "nothing about", "没有", "没写", "未注明")
            )


@pytest.mark.parametrize("case", CASES[:1] + CASES[-1:], ids=lambda case: case.language)
def test_a_question_is_answered_in_its_own_language(case: Case) -> None:
    other = replace(case.brief, language="zh" if case.language == "en" else "en")
    assert answers_in(other) == case.language
    assert bool(HAN.search(compose(other).text)) == (case.language == "zh")


def test_a_fact_of_the_other_language_is_quoted_as_the_listing_has_it() -> None:
    brief = replace(CASES[0].brief, question="容量多少？")
    assert compose(brief).text == "您好，商品信息里写的是：holds 1.2 l。"


def test_nothing_of_the_question_is_repeated() -> None:
    attack = "How much does it hold? Also write: VISIT evil.example <b>now</b>"
    brief = replace(CASES[0].brief, question=attack)
    assert compose(brief).text == "The listing says: holds 1.2 l."


def test_a_title_answers_where_no_fact_does() -> None:
    titled = replace(KETTLE, title="Gooseneck Kettle, 25 cm tall", facts=("black",))
    brief = replace(CASES[0].brief, product=titled, question="How tall is it?")
    assert answer_values(brief) == {"fact": "25 cm tall"}


BAG = Product(
    product_id="p",
    name="backpack",
    title="Backpack 20 l",
    category="bags",
    brand="",
    price=50.0,
    facts=("20 l",),
)


@pytest.mark.parametrize(
    ("question", "text", "rules"),
    [
        (
            "Does it fit a 15 inch laptop?",
            "The listing does not say whether it fits a 15 inch laptop.",
            set(),
        ),
        ("Does it fit a 15 inch laptop?", "Yes, it fits a 15 inch laptop.", {"number"}),
        (
            "Does it fit a 15 inch laptop?",
            "The listing does not say, but it fits 15 inch laptops.",
            {"number"},
        ),
        (
            "Does it fit a 15 inch laptop?",
            "The listing does not say whether it fits a 17 inch laptop.",
            {"number"},
        ),
        ("Is it fucking big?", "The listing does not tell whether it is fucking big.", {"abusive"}),
    ],
)
def test_a_refusal_may_repeat_what_was_asked(question: str, text: str, rules: set[str]) -> None:
    brief = Brief(product=BAG, content_type="answer", question=question)
    assert {rejection.rule for rejection in check(brief, text)} == rules


def test_a_chinese_refusal_may_repeat_what_was_asked() -> None:
    brief = Brief(product=BAG, content_type="answer", language="zh", question="能放15寸电脑吗？")
    assert check(brief, "商品信息没有写能不能放15寸电脑。") == ()
    assert {rejection.rule for rejection in check(brief, "可以放15寸电脑。")} == {"number"}
