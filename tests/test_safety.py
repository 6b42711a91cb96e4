"""Safety: abuse, personal data, history and invented experience are refused, their lookalikes pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.normalising import folded, normalise
from copybandit.generators.personal import luhn
from copybandit.generators.safety import unsafe


def rules(text: str, *, drafted: bool = False) -> set[str]:
    return {found.rule for found in unsafe(folded(normalise(text)), drafted=drafted)}


BAD_ABUSIVE = """
What the fuck
Cover that ugly face
Not for those immigrants
Stab your ex with it
乡下人看不懂
妈的不会
f*ck mornings
s h i t happens
sh1t mug
fuuuck this
a55hole mug
傻 逼杯子
你太胖了
for white people only
You are so fat
"""
BAD_PERSONAL_DATA = """
Call 555-123-4567
mail jo@example.com
jo (at) example (dot) com
4111 1111 1111 1111
身份证 11010519491231002x
13812345678
北京市朝阳区建国路88号
12 Main Street
GB82 WEST 1234 5698 7654 32
123-45-6789
加微信：abc12345
加微信领券
"""
BAD_HISTORY = """
Because you bought a mug
Your abandoned basket is here
Your cart still holds a mug
因为您周二买过手机
看到您上个月跑步受伤了
Since your last order
您上次购买的杯子
Based on your browsing history
Welcome back
The mug you viewed
You left a mug in your cart
根据您的浏览记录推荐
Still thinking about that mug?
你收藏过的杯子
"""
BAD_INVENTED = """
I love this mug
We cooked with it for a month
I drink this every morning
My husband loves it
我用了三年
亲测好用
"Best mug" - Anna
★★★★★
顾客都说好
10万人好评
用过的人都说好
verified buyer
I've used it daily
"""
BAD = {
    "abusive": BAD_ABUSIVE,
    "personal-data": BAD_PERSONAL_DATA,
    "history": BAD_HISTORY,
    "invented": BAD_INVENTED,
}
LOOKALIKES = """
Cock an eyebrow, then pour
A happy face for your mug
妈妈的选择
周二买菜用得上
nude lipstick
balls of yarn
cock tail shaker
cocktail shaker
shag rug
breast pump
bass guitar strap
Scunthorpe United scarf
Moby Dick hardback
great tits bird feeder
pussy willow stems
fire retardant
rapeseed oil
murder mystery game
screw driver set
他妈妈的生日礼物
送给妈妈的马克杯
操作简单
逼真花朵
体操垫
送给老公的礼物
用户手册
最近上新
ISBN 9780306406157
holds 350 ml for 12 hours
1920 x 1080 px
2 TB hard drive
100-240 V
part 1234567890123
model 4111111111111112
For garden lovers
If you love garden, you'll like this mug.
You love folding and purple.
Because small things matter
"A blue mug?" Right here.
You wanted blue. Here's a blue mug.
When did you last treat yourself to a mug?
Have you seen this blue mug?
""".strip().splitlines()


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, texts in BAD.items() for text in texts.strip().splitlines()]
)
def test_these_are_refused(rule: str, text: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize("text", LOOKALIKES)
def test_lookalikes_pass(text: str) -> None:
    assert rules(text) == set()


def test_a_product_may_be_named_like_a_rule() -> None:
    text = "meet the i love london mug"
    assert {found.rule for found in unsafe(text)} == {"invented"}
    assert unsafe(text, names=("i love london mug",)) == []


def test_a_drafted_review_may_speak_of_its_buyer() -> None:
    assert rules("I love this mug.") == {"invented"}
    assert rules("I love this mug.", drafted=True) == set()


@given(st.integers(10**14, 10**15 - 1), st.sampled_from(["", " ", "-"]))
def test_only_card_numbers_with_a_right_check_digit_are_refused(body: int, gap: str) -> None:
    right = next(f"{body}{d}" for d in range(10) if luhn(f"{body}{d}"))
    wrong = f"{body}{(int(right[-1]) + 1) % 10}"
    spaced = [gap.join(number[i : i + 4] for i in range(0, 16, 4)) for number in (right, wrong)]
    reasons = [{r.reason for r in unsafe(f"number {number} here")} for number in spaced]
    assert "a card number" in reasons[0] and "a card number" not in reasons[1]


@pytest.mark.parametrize(
    "text",
    [
        "the tent you picked up from us in june wants pegs.",
        "as you told our chat, your kitchen is blue.",
        "your second trimester starts this week.",
        "emma, your size is back.",
        "your third order deserves a treat.",
        "the mug you loved last year.",
        "it waits in your basket.",
        "with your bad back, sit on this.",
    ],
)
def test_one_reader_is_never_told_of(text: str) -> None:
    assert "history" in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "the tea you love in june.",
        "drummers, your sticks are here.",
        "your honeymoon starts with tea.",
        "for the mornings you wanted to last.",
        "so says the mug, and you asked for blue.",
        "coffee, your way.",
    ],
)
def test_every_reader_may_be_spoken_to(text: str) -> None:
    assert "history" not in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "nobody wants to see that gut.",
        "only lazy cooks skip it.",
        "hide that belly.",
        "you slobs need a mop.",
    ],
)
def test_contempt_is_abuse(text: str) -> None:
    assert "abusive" in rules(text)


@pytest.mark.parametrize(
    "text", ["nobody needs cold feet.", "who likes wet hair?", "hide the biscuits.", "a bloody mary, please."]
)
def test_wry_words_are_no_contempt(text: str) -> None:
    assert "abusive" not in rules(text)
