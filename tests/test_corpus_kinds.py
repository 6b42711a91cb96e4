"""What the small writer learns from: honest texts of every kind, in both languages, about products nobody knows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from copybandit.agents.corpus import draw_corpus, invented_word
from copybandit.agents.corpus_kinds import KINDS, Strangers, common_characters, draw_brief_of, draw_kinds
from copybandit.agents.corpus_titles import draw_titled, model_number
from copybandit.agents.tiny_tokens import train_tokenizer, word_pieces
from copybandit.generators.answering import answer_values
from copybandit.generators.editor import check
from copybandit.generators.grammar import write
from copybandit.generators.kinds import VOICES
from copybandit.generators.languages import LANGUAGES, in_language
from copybandit.generators.limits import LIMITS, limit_for
from copybandit.generators.prompts import MAX_FACTS, prompt_fields
from copybandit.sim.catalogue_zh import MOST_FACTS, chinese_lexicon, draw_chinese_product
from copybandit.sim.shopper_words import shopper_words
from copybandit.sim.types import Brief, ContentType, DataError, Language


@cache
def strangers() -> Strangers:
    made = train_tokenizer(draw_corpus(200, np.random.default_rng(0)), 500)
    return Strangers(pieces=word_pieces(made), letters=common_characters())


def test_a_corpus_repeats_and_holds_every_kind_in_both_languages() -> None:
    drawn = draw_kinds(400, np.random.default_rng(3), strangers())
    assert drawn == draw_kinds(400, np.random.default_rng(3), strangers())
    assert all(len(set(texts)) == len(texts) > 0 for _, texts in drawn)
    fields = [prompt_fields(prompt) for prompt, _ in drawn]
    asked = {tuple(row[0].split()[:2]) for row in fields if len(row) > 4}
    assert asked == {(kind, language) for kind in KINDS for language in LANGUAGES}
    assert 0.3 < np.mean([len(row) == 4 for row in fields]) < 0.5


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_taught_keeps_to_the_prompt(kind: ContentType, language: Language) -> None:
    rng, refused, n = np.random.default_rng(5), 0, 0
    while n < 40:
        brief = draw_brief_of(kind, language, rng, strangers())
        product = brief.product
        assert not product.brand and not product.category and len(product.facts) <= MAX_FACTS
        assert brief.voice in ("", *VOICES) and in_language(product.name, language)
        try:
            text = write(brief, rng)
        except DataError:  # tags of a product without facts
            assert kind == "tags"
            continue
        n += 1
        refused += bool(check(brief, text))
        if kind in ("description", "review"):
            assert product.name.lower() in text.lower()
        if language == "zh":
            assert in_language(text, "zh")
    assert refused <= (12 if (kind, language) in (("tags", "en"), ("subject", "en")) else 6)


def test_questions_are_answered_about_as_often_as_not() -> None:
    for language in LANGUAGES:
        rng = np.random.default_rng(7)
        told = [bool(answer_values(draw_brief_of("answer", language, rng, strangers()))) for _ in range(150)]
        assert 0.4 < np.mean(told) < 0.75


def test_copy_for_a_place_keeps_to_its_limit() -> None:
    places = [limit for limit in LIMITS if limit.placement]
    assert {limit.content_type for limit in places} == {
        "headline",
        "subject",
        "description",
        "reason",
        "tags",
    }
    for limit in places:
        assert limit.characters < limit_for(limit.content_type, "", LIMITS).characters
    rng = np.random.default_rng(9)
    for prompt, texts in draw_kinds(300, rng, strangers()):
        fields = prompt_fields(prompt)
        if len(fields) > 4:
            assert max(map(len, texts)) <= int(fields[0].split()[2])


def test_a_banner_is_written_shorter() -> None:
    rng = np.random.default_rng(2)
    brief = Brief(product=draw_chinese_product("p", rng), language="zh", content_type="description")
    card = replace(brief, placement="card")
    assert max(len(write(card, rng)) for _ in range(20)) <= 240


def test_titles_are_long_and_full_of_codes() -> None:
    rng = np.random.default_rng(4)
    names = [draw_titled("p", lambda: invented_word(rng), rng).name for _ in range(300)]
    assert len(set(names)) > 290 and max(len(name.split()) for name in names) <= 10
    assert 0.4 < np.mean([any(letter.isdigit() for letter in name) for name in names]) < 0.95
    assert all(
        name[0].isupper() or name[0].isdigit() or not name[0].isascii() or name[0].islower() for name in names
    )
    codes = [model_number(rng) for _ in range(200)]
    assert all(code and not code.startswith(" ") for code in codes) and len(set(codes)) > 150


def test_the_chinese_lexicon_is_wide_and_chinese() -> None:
    words = chinese_lexicon()
    nouns = {noun for category in words.categories for noun in category.nouns}
    facts = {fact for category in words.categories for fact in (*category.phrases, *category.adjectives)}
    assert (
        len(words.categories) >= 12
        and len(nouns) >= 150
        and len(facts | {*words.colours, *words.styles}) >= 200
    )
    told = shopper_words("zh")
    for text in (*nouns, *facts, *words.interest_words, *told.facts, *told.questions, *told.notes):
        assert in_language(text.replace("{n}", "3").replace("{word}", "茶"), "zh"), text
    assert len(told.questions) >= 60 and len(shopper_words("en").questions) >= 60


def test_chinese_products_say_nothing_twice() -> None:
    rng = np.random.default_rng(6)
    for _ in range(300):
        product = draw_chinese_product("p", rng)
        assert 0 < len(product.name) <= 40 and product.price >= 1
        assert len(set(product.facts)) == len(product.facts) <= MOST_FACTS
        assert not any(fact in product.name or "{" in fact for fact in product.facts)
