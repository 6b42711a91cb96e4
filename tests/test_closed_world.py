"""Closed worlds: what copy asserts of a thing must be the product's, in any words; look-alikes and synonyms pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.assertions import foreign_assertions
from copybandit.generators.brands import foreign_brands
from copybandit.generators.effects import health_effects
from copybandit.generators.facts import said_of, unsupported
from copybandit.generators.features import foreign_features
from copybandit.generators.normalising import folded, normalise
from copybandit.generators.phrases import found, phrases, stem
from copybandit.generators.tables import table
from copybandit.sim.types import Product

SAID = folded(
    "travel kettle ; folds flat ; wire-free ; vegan: no ; no earth pin ; lid ; jasmine scent ; 可折叠 ; 浅蓝色 ; made in japan"  # noqa: E501
)
HELD = [
    "It is foldable.",
    "Foldable and cordless.",
    "With a lid.",
    "Notes of jasmine.",
    "可折叠的水壶",
    "浅蓝色",
    "Made in Japan.",
]
FOREIGN = [
    "Rechargeable, of course.", "It is dishwasher safe.", "Earthed for safety.", "A vegan kettle.", "GOTS inside.", "Refillable.",  # noqa: E501
    "Machine washable.", "Hand-forged.", "With a padded strap.", "With two hooks.", "Notes of cedar.", "Rose-scented.", "Crafted in Portugal.",  # noqa: E501
    "Straight from Kyoto.", "能刷脸开机", "附赠茶杯", "全自动水壶", "墨绿色", "带滤网", "草莓味", "德国工艺", "大师开过光",
]  # fmt: skip
IDLE = [
    "With a smile.",
    "Not waterproof, but brave.",
    "Made in heaven, in May.",
    "夜色里的一壶茶",
    "来自远方的信",
    "守住防线",
]
HEALTH = [
    "It relieves muscle tension.", "Boosts your metabolism.", "Say goodbye to back pain.", "No clots with these.", "For fewer migraines.",  # noqa: E501
    "Improves digestion.", "缓解颈椎疼痛", "痛经不再来", "失眠的人都好睡", "促进血液循环", "喝了不生病",
]  # fmt: skip
HEALTHY = [
    "It relieves boredom.", "Boosts the mood of a room.", "Ask your doctor about migraines.", "Not meant for migraines.", "缓解桌面凌乱",  # noqa: E501
    "本品不能代替药物，失眠请咨询医生", "促进友谊", "Improves any picnic.",
]  # fmt: skip


def features(text: str) -> list[str]:
    plain = normalise(text)
    return [r.reason for r in (*foreign_features(SAID, plain), *foreign_assertions(SAID, folded(plain)))]


@pytest.mark.parametrize("text", HELD + IDLE)
def test_the_products_own_in_other_words_and_idle_words_pass(text: str) -> None:
    assert features(text) == []


@pytest.mark.parametrize("text", FOREIGN)
def test_foreign_properties_are_refused(text: str) -> None:
    assert features(text)


@pytest.mark.parametrize("text", HEALTH)
def test_ailments_and_effects_on_the_body_are_claims(text: str) -> None:
    assert [r.rule for r in health_effects(folded(normalise(text)), SAID)][:1] == ["health-effect"]


@pytest.mark.parametrize("text", HEALTHY)
def test_what_only_sounds_like_health_is_none(text: str) -> None:
    assert list(health_effects(folded(normalise(text)), SAID)) == []


def test_the_product_may_say_its_own_effect() -> None:
    assert list(health_effects("soothes tired muscles", "balm ; soothing ; for muscles")) == []


def test_a_foreign_maker_is_a_name_before_the_products_thing() -> None:
    said = "brass bell ; fits any bar"
    assert [
        m["maker"] for m in foreign_brands("Rings like a Brooks bell.", said) if "maker" in m.groupdict()
    ] == ["Brooks"]
    assert foreign_brands("Rings like a Sunday bell. A Swiss bell, an Easter bell.", said) == []


@pytest.mark.parametrize(
    ("fact", "text", "agree"),
    [
        ("3-pack, 48 pages each", "144 pages", True),
        ("3-pack, 48 pages each", "150 pages", False),
        ("3 x 500 g", "1.5 kg in all", True),
        ("3 x 500 g", "2 kg in all", False),
        ("24 half pans", "Two dozen half pans.", True),
        ("5斤", "两公斤半", True),
        ("5斤", "三公斤半", False),
        ("230g", "不到四两", False),
        ("230g", "不到五两", True),
        ("12罐", "一打", True),
        ("12罐", "两打", False),
        ("front 500 lumens, rear 150 lumens", "500 lumens ahead, 150 behind.", True),
        ("2027年", "2027，每天读一首诗", True),
        ("适合三到六年级", "三到六年级", True),
        ("32 oz", "Two pounds of it.", True),
        ("1 l", "Tea at five o'clock, at 7 am, half asleep.", True),
        ("至少0.8g", "不低于0.8克", True),
    ],
)  # fmt: skip
def test_numbers_follow_or_do_not(fact: str, text: str, agree: bool) -> None:
    product = Product(
        product_id="p", name="thing", title="thing", category="c", brand="", price=7.77, facts=(fact,)
    )
    assert (unsupported(said_of(product), normalise(text)) == []) == agree


def test_every_property_and_material_is_read_as_itself() -> None:
    for row in table("features.yaml")["features"]:
        for form in map(str, (*row.get("en", ()), *row.get("zh", ()))):
            assert row["id"] == "" or list(foreign_features("thing", form)), form


def test_the_longest_phrase_is_found() -> None:
    lexicon = phrases({"wood": ["oak"], "solid": ["solid oak", "橡木实木"], "tree": ["橡木"]})
    assert [f.name for f in found(lexicon, "solid-oak, oak, 橡木实木")] == ["solid", "wood", "solid"]


@given(st.text(max_size=60))
def test_any_text_gets_spans_inside(text: str) -> None:
    plain = normalise(text)
    low = folded(plain)
    for r in (*foreign_features(SAID, plain), *foreign_assertions(SAID, low), *health_effects(low, SAID)):
        assert 0 <= r.span[0] < r.span[1] <= len(plain)


@given(st.text(alphabet="abcdefgilnorst", min_size=3, max_size=12))
def test_a_stem_begins_its_word(word: str) -> None:
    assert word.startswith(stem(word)[:-1]) and len(stem(word)) >= 3
