"""Copy of every kind in both languages: what it says is the product's, its shape is its kind's, and every move is used."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.compose import compose, variety
from copybandit.generators.editor import check
from copybandit.generators.grammar import is_plain_headline, slot_values, write
from copybandit.generators.kinds import CONTENT_TYPES, VOICES, parts_of
from copybandit.generators.languages import HAN, LANGUAGES
from copybandit.generators.limits import LIMITS, MAX_TAG, limit_for
from copybandit.generators.template import REFERENCE
from copybandit.sim.types import Brief, ContentType, DataError, Language, Product
from tests.briefs import briefs
from tests.briefs_of_kinds import CHINESE, ENGLISH, NOTES, SEGMENTS, battery

BATTERY = tuple(battery())
DRAWS = 2
_END = re.compile(r"[.!?](?=\s|$)|[。！？]")


@cache
def drawn(brief: Brief) -> list[str]:
    rng = np.random.default_rng(len(brief.product.name))
    return [REFERENCE.text(brief), *(write(brief, rng) for _ in range(DRAWS))]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_the_editor_lets_every_text_of_the_battery_through(kind: ContentType, language: Language) -> None:
    for brief in BATTERY:
        if (brief.content_type, brief.language) == (kind, language):
            for text in drawn(brief):
                assert check(brief, text) == (), text
                assert len(text) <= limit_for(kind, "", LIMITS).characters
                assert not re.search(r"[{}\0]|  |\s[.,!?:]", text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_every_move_is_said_by_some_brief_of_the_battery(kind: ContentType, language: Language) -> None:
    said: set[str] = set()
    rng = np.random.default_rng(0)
    mine = [brief for brief in BATTERY if (brief.content_type, brief.language) == (kind, language)]
    wanted = {move.move_id for part in parts_of(kind, language) for move in part.moves}
    for _ in range(40):
        for brief in mine:
            said |= set(compose(brief, rng).move_ids)
        if said >= wanted:
            break
    assert wanted - said == set()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_ids_and_texts_of_moves_are_distinct_and_every_voice_has_moves(
    kind: ContentType, language: Language
) -> None:
    moves = [move for part in parts_of(kind, language) for move in part.moves]
    assert len({move.move_id for move in moves}) == len({move.text for move in moves}) == len(moves) >= 10
    for part in parts_of(kind, language):
        for voice in VOICES:
            assert part.optional or any(not move.voices or voice in move.voices for move in part.moves)


def test_descriptions_have_two_to_four_sentences() -> None:
    for brief in BATTERY:
        if brief.content_type == "description":
            for text in drawn(brief):
                assert 2 <= len(_END.findall(text)) <= 4, text


def test_chinese_copy_is_written_without_spaces_and_with_its_own_marks() -> None:
    for brief in BATTERY:
        if brief.language == "zh" and brief.product.name != "Kindle":
            for text in drawn(brief):
                assert " " not in text and not re.search(r"[,!?;]", text), text
                assert HAN.search(text)


def test_measure_words_are_the_products_own() -> None:
    said: dict[str, str] = defaultdict(str)
    for brief in BATTERY:
        if brief.language == "zh":
            said[brief.product.name] += "".join(drawn(brief))
    for name, measure in (
        ("晴雨伞", "把"),
        ("跑鞋", "双"),
        ("保温杯", "只"),
        ("坚果", "款"),
        ("蓝牙耳机", "副"),
    ):
        assert f"{measure}{name}" in said[name]
        assert not re.search(rf"[一这](?!{measure})[款把双只副个台]{name}", said[name])


def test_no_fact_is_said_twice() -> None:
    for brief in BATTERY:
        if brief.content_type in ("description", "tags", "headline", "reason") and not is_plain_headline(
            brief
        ):
            for text in drawn(brief):
                for fact in ("holds 350 ml", "dishwasher safe", "stackable", "保温6小时", "简约", "8骨"):
                    assert text.count(fact) <= 1, text


def test_tags_are_a_list_of_different_tags_with_the_name_first() -> None:
    for brief in BATTERY:
        if brief.content_type == "tags":
            for text in drawn(brief):
                tags = re.split(r", |，", text)
                assert 2 <= len({tag.lower() for tag in tags}) == len(tags) and tags[0] == brief.product.name
                assert max(map(len, tags)) <= MAX_TAG


def test_a_draft_of_a_review_says_stars_and_notes_and_nothing_else() -> None:
    frames: dict[tuple[Language, int], set[str]] = defaultdict(set)
    for brief in BATTERY:
        if brief.content_type != "review":
            continue
        assert brief.rating is not None
        stars = f"{brief.rating}星" if brief.language == "zh" else f"{brief.rating} star"
        for text in drawn(brief):
            assert text.startswith(("[Draft]", "【草稿】")) and stars in text
            assert (brief.notes in text) == bool(brief.notes) or not brief.notes
            rest = text.replace(brief.notes, "") if brief.notes else text
            assert not re.search(r"\b(I|me|we)\b|每天", rest), text
            for fact in brief.product.facts:
                assert fact not in rest
            frames[brief.language, brief.rating].add(rest.replace(brief.product.name, ""))
    assert not frames["en", 5] & frames["en", 1] and not frames["zh", 5] & frames["zh", 1]
    glad, low = " ".join(frames["en", 5]), " ".join(frames["en", 1])
    assert "Very happy" in glad and "Disappointed" not in glad
    assert "Disappointed" in low and "appy" not in low
    assert "满意" not in " ".join(frames["zh", 1]) and "失望" not in " ".join(frames["zh", 5])


def test_one_star_is_one_star() -> None:
    brief = Brief(product=ENGLISH[0], content_type="review", rating=1, notes=NOTES["en"])
    assert "1 star." in REFERENCE.text(brief) and NOTES["en"] + "." in REFERENCE.text(brief)


@pytest.mark.parametrize("voice", VOICES)
def test_a_voice_chooses_among_moves(voice: str) -> None:
    brief = Brief(product=ENGLISH[0], segment=SEGMENTS["en"], voice=voice)
    rng = np.random.default_rng(1)
    said = {move_id for _ in range(60) for move_id in compose(brief, rng).move_ids}
    mine = {move.move_id for _, move in variety(brief) if voice in move.voices}
    assert len(said) >= 5 and said <= mine


def test_luxury_does_not_shout_and_plain_does_not_exclaim() -> None:
    for brief in BATTERY:
        if brief.voice in ("luxury", "plain") and brief.content_type != "review":
            for text in drawn(brief):
                assert "!" not in text and "！" not in text, text


@given(brief=briefs(), seed=st.integers(0, 2**16), kind=st.sampled_from(["subject", "description", "reason"]))
def test_whatever_the_product_facts_hold(brief: Brief, seed: int, kind: ContentType) -> None:
    asked = Brief(product=brief.product, segment=brief.segment, content_type=kind)
    rules = {rejection.rule for rejection in check(asked, write(asked, np.random.default_rng(seed)))}
    assert not rules & {"number", "claim", "attribute", "unnamed", "unfinished", "empty"}


def test_english_headlines_are_drawn_as_before() -> None:
    brief = Brief(product=ENGLISH[0], segment=SEGMENTS["en"])
    texts = [write(brief, np.random.default_rng(seed)) for seed in range(4)]
    assert texts == [
        "In the shop: a blue ceramic mug, set of 2.",
        "If you love yoga, you'll like this ceramic mug.",
        "The one thing to know about this ceramic mug: dishwasher safe.",
        "Think garden. Think a stackable ceramic mug.",
    ]
    assert slot_values(brief).keys() == {"name", "price", "adj", "adj2", "phrase", "interest", "interest2"}


@pytest.mark.parametrize(
    ("brief", "message"),
    [
        (Brief(product=ENGLISH[0], language="zh"), "needs a name in Chinese, got 'ceramic mug'"),
        (Brief(product=CHINESE[0], content_type="tags"), "needs a name in English, got '保温杯'"),
        (Brief(product=ENGLISH[0], voice="loud"), "voice must be one of plain, warm, playful, expert, luxury, got"),
        (Brief(product=ENGLISH[0], content_type="answer"), "an answer needs a question"),
        (Brief(product=ENGLISH[0], content_type="tags", language="de"), "language must be one of en, zh, got 'de'"),  # type: ignore[arg-type]  # what a caller might pass
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(brief: Brief, message: str) -> None:
    with pytest.raises(DataError, match=message):
        compose(brief)


def test_foreign_facts_are_left_out_and_never_translated() -> None:
    mixed = Product(
        product_id="p",
        name="保温杯",
        title="t",
        category="cup",
        brand="",
        price=9.0,
        facts=("holds 350 ml", "白色"),
    )
    rng = np.random.default_rng(0)
    said = "".join(
        write(Brief(product=mixed, content_type="description", language="zh"), rng) for _ in range(30)
    )
    assert "白色" in said and "holds" not in said and "cup" not in said


def test_nothing_to_tag_is_refused() -> None:
    bare = Product(product_id="p", name="mug", title="mug", category="", brand="", price=9.0)
    with pytest.raises(DataError, match="nothing to say in tags in en; give it facts or a category"):
        compose(Brief(product=bare, content_type="tags"))


def test_log_prob_counts_the_choices() -> None:
    brief = Brief(product=ENGLISH[3], content_type="subject")
    done = compose(brief, np.random.default_rng(0))
    able = [m for p, m in variety(brief) if m.slots <= {"name", "price", "category"}]
    assert done.log_prob == pytest.approx(-np.log(len(able)))
    assert compose(brief).log_prob == 0
