"""A battery of products in both languages, from bare to talkative, and a brief of every kind for each."""

from __future__ import annotations

from collections.abc import Iterator

from copybandit.generators.kinds import CONTENT_TYPES, VOICES
from copybandit.sim.types import Brief, Language, Product, Segment


def _product(name: str, title: str, category: str, brand: str, price: float, *facts: str) -> Product:
    return Product(
        product_id=name, name=name, title=title, category=category, brand=brand, price=price, facts=facts
    )


ENGLISH = (
    _product(
        "ceramic mug",
        "Stoneware Mug, 350 ml",
        "kitchen",
        "Nine Elms",
        8.5,
        "blue",
        "stackable",
        "holds 350 ml",
        "dishwasher safe",
        "set of 2",
    ),
    _product("umbrella", "Umbrella", "outdoor", "", 20.0, "orange", "opens with one hand"),
    _product("gloves", "Garden gloves", "garden", "Harrowby", 12.99, "cotton", "green", "sizes S to XL"),
    _product("scissors", "Scissors", "craft", "", 4.0),
    _product("hourglass", "Hourglass, 3 minutes", "home", "", 9.9, "runs for 3 minutes", "8 cm tall"),
    _product(
        "laptop",
        "Laptop 14 inch",
        "electronics",
        "Lumen",
        1299.0,
        "14 inch touchscreen. It shines!",
        "16 GB memory",
        "No. 1 in our list: 512 GB storage",
    ),
)
CHINESE = (
    _product(
        "保温杯",
        "山泉保温杯 480毫升",
        "厨房",
        "山泉",
        99.0,
        "480毫升",
        "316不锈钢内胆",
        "保温6小时",
        "白色",
        "简约",
    ),
    _product("晴雨伞", "晴雨伞", "户外", "", 59.9, "黑色", "8骨"),
    _product("跑鞋", "跑鞋", "运动", "追风", 329.0, "灰色", "网面", "EVA中底", "单只约260克", "39至45码"),
    _product("坚果", "坚果", "食品", "", 39.0),
    _product("蓝牙耳机", "蓝牙耳机", "数码", "声海", 269.0, "蓝牙5.3。音质好！", "总续航26小时", "USB-C充电"),
    _product("Kindle", "Kindle 16GB", "数码", "", 998.0, "16GB", "墨水屏"),
)
SEGMENTS: dict[Language, Segment] = {
    "en": Segment(segment_id=1, interests=("garden", "tea", "yoga"), size=30),
    "zh": Segment(segment_id=1, interests=("露营", "下厨"), size=30),
}
QUESTIONS: dict[Language, tuple[str, ...]] = {
    "en": ("How big is it?", "What does it cost?", "Which brand is it?", "Is it edible?"),
    "zh": ("什么材质？", "多少钱？", "什么牌子？", "可以吃吗？"),
}
NOTES: dict[Language, str] = {"en": "I use it each day. The lid sticks", "zh": "每天都在用，盖子有点紧"}


def battery() -> Iterator[Brief]:
    """Every product in every kind, with and without a segment, in no voice and in each; of reviews every rating."""
    languages: tuple[tuple[Language, tuple[Product, ...]], ...] = (("en", ENGLISH), ("zh", CHINESE))
    for language, products in languages:
        for product in products:
            for voice in ("", *VOICES):
                for segment in (None, SEGMENTS[language]):
                    yield from _kinds(product, language, voice, segment)


def _kinds(product: Product, language: Language, voice: str, segment: Segment | None) -> Iterator[Brief]:
    for kind in CONTENT_TYPES:
        rows: list[tuple[str, str, int | None]] = [("", "", None)]
        if kind == "answer":
            rows = [(question, "", None) for question in QUESTIONS[language]]
        if kind == "review":
            rows = [("", notes, stars) for stars in range(1, 6) for notes in ("", NOTES[language])]
        for question, notes, rating in rows:
            yield Brief(
                product=product, segment=segment, content_type=kind, language=language, voice=voice,
                question=question, notes=notes, rating=rating,
            )  # fmt: skip
