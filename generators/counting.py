"""What a number counts: the noun beside it, before or after, in English and Chinese.

Things for sale (`GENERIC`) stand for each other; parts, uses and people (`PARTS`) do not. A word of place or size after a
number (``150 behind``) counts nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from copybandit.generators.tables import table

GENERIC = frozenset(
    "piece pc pack pk set count ct item unit packet pkt "
    "件 个 只 支 条 片 张 本 套 包 盒 袋 瓶 罐 枚 颗 粒 块 卷 把 台 根 双 对 装 款 入 抽 杯 副 串 听 桶 壶".split()
)
"""What things for sale are counted in."""
PARTS = frozenset(
    "page pocket handle shelf drawer compartment light led bulb setting mode speed colour color layer ply port wheel door "
    "button sheet leg seat person people guest serving portion stitch hole hook blade tooth teeth row string key level "
    "program programme channel driver lens camera core thread screen window room tier step section slot use wash cycle "
    "player gear zone head nozzle speaker sensor lesson chapter recipe course function feature way side night review "
    "customer order rating strap zip zipper burner ring shelves outlet socket tray shade flavour flavor scent battery "
    "页 层 格 档 色 人 位 口袋 抽屉 轮 步 孔 针 线 核 路 键 段 次 遍 种 区 灯 门 级 代 章 集 折 期 名 款色 年级 项 "
    "重 道 挡 排 面 味".split()
)
"""What parts, uses and people are counted in; they are not things for sale."""
_SAME: dict[str, str] = {word: row[0] for row in table("counted.yaml")["same"] for word in row}
PARTS = PARTS | frozenset(_SAME.values())
CODES = frozenset("spf upf fpf ip ph size model version gen generation no number # 第 in-one grade".split())
"""Words that a number names rather than counts."""
_FUNCTION = frozenset(
    "a an the and or of in on to with is are at by from for this that these it its you your we our they now today only just "
    "each per more less than no not all any every can will if but as so then here there both who when where why how what "
    "up down out over under off back be been was were do does did has have had may might meet see try get give take "
    "please yes hello look looks one ones some behind ahead across inside outside below above apiece apart together total "
    "high tall long wide deep thick round away later early ago left right front rear top bottom between through until till "
    "even already still also too again which while because since before after during without within towards near "
    "lie lies sits sit falls fall fits fit goes comes come stays stay should would could gets makes make".split()
)
_MARKS = frozenset({"ph", "ip", "spf", "upf", "upc"})

_BEFORE_NOUN = re.compile(r"\b(?P<noun>[a-z]+?)s?(?: count)?(?:\s(?:of|in a)\s|:\s|\s)$", re.IGNORECASE)
_COUNTED_BEFORE = re.compile(
    r"\b(pack|set|box|case|bundle|bag|packet|lot|carton|pair|collection) of $", re.IGNORECASE
)
_PREFIX = re.compile(
    r"\b(spf|upf|fpf|ip|ph|thread count|grade|size|model|version|gen|generation|no\.?|number|#)\s?[:+]?$",
    re.IGNORECASE,
)
_NOUN = re.compile(
    r"(?:\s|-)?(?P<en>[A-Za-z]+)|\s?(?P<zh>件套|件装|年级|口袋|抽屉|人份|(?:个|种|道|颗|段|节)(?:颜色|口味|模式|档位|抽屉|口袋|隔层|灯珠|挂钩|按键|轮子|功能|玩家|人(?!物|造|工|参)|灯|键|孔|钩|轮)|合\s?[一1]|个|[\u4e00-\u9fff])"
)
PLUS = re.compile(r"\s?\+(?=\s?\w)")
"""A plus sign that says `or more`."""
_MANY = re.compile(r"\s?多(?:种|个|件|次)")
IN_ONE = re.compile(r"(?:\s|-)?in(?:\s|-)?(?:one|1)\b", re.IGNORECASE)
"""``3-in-1``."""
_MORE_WORDS = re.compile(r"(?:[ -](?P<en>[A-Za-z]+))?(?:[ -](?P<more>[A-Za-z]+))?")
_WORD = re.compile(r"[ -]([A-Za-z]+)")
_IRREGULAR = {
    "people": "person",
    "teeth": "tooth",
    "shelves": "shelf",
    "children": "child",
    "knives": "knife",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What a number counts.

    Attributes:
        noun: singular and lower case; empty when unsaid.
        nouns: all words of the phrase that counts.
        more: whether the words say `or more`.
        left: characters before the number that belong to it.
        right: characters after it that do.
    """

    noun: str = ""
    nouns: frozenset[str] = frozenset()
    more: bool = False
    left: int = 0
    right: int = 0


def counted(before: str, after: str) -> Counted:
    """What a number between the two texts counts.

    >>> counted("", " mugs").noun, counted("pack of ", " mugs").noun, counted("", " behind").noun
    ('mug', 'pack', '')
    """
    if together := IN_ONE.match(after):
        return Counted(noun="in-one", right=together.end())
    if (prefix := _PREFIX.search(before)) is not None:
        noun = prefix[1].lower().removesuffix(" count").rstrip(".")
        return Counted(noun=noun, left=len(prefix.group()))
    if before.endswith("第"):
        return Counted(noun="第", left=1)
    if _COUNTED_BEFORE.search(before):
        return Counted(noun="pack")
    plus = PLUS.match(after)
    more = plus is not None or _MANY.match(after) is not None
    named = _NOUN.match(after, plus.end() if plus else 0)
    if named is None:
        named_before = _BEFORE_NOUN.search(before)
        noun = kin(singular(named_before["noun"])) if named_before else ""
        return Counted(noun=noun if noun in PARTS else "", more=more)
    noun = kin(singular(named["en"]) if named["en"] else _chinese_noun(named["zh"]))
    if noun in _MARKS:  # `four pH balanced bars` counts bars, `pH 5` does not
        return Counted(more=more)
    if (
        noun in _FUNCTION
        or (named["en"] or "").lower() in _FUNCTION
        or (named["zh"] and noun not in GENERIC and noun not in PARTS and noun != "in-one")
    ):
        return Counted(more=more)
    return Counted(noun=noun, nouns=_phrase(after, named, noun), more=more)


def _phrase(after: str, named: re.Match[str], noun: str) -> frozenset[str]:
    """The words that stand with a counted noun: of English two more up to a function word, of Chinese two characters."""
    if named["zh"]:
        return frozenset((noun, *(kin(c) for c in after[named.end() : named.end() + 2] if kin(c) in PARTS)))
    words = [noun]
    for word in _WORD.findall(_MORE_WORDS.match(after, named.end()).group()):  # type: ignore[union-attr]  # always matches
        if word.lower() in _FUNCTION:
            break
        words.append(kin(singular(word)))
    return frozenset(words)


def _chinese_noun(word: str) -> str:
    if word.startswith("合"):
        return "in-one"
    if word[1:] in _SAME and (len(word) > 2 or word[0] in "个种道颗段节"):
        return word[1:]
    return "件" if word in ("件套", "件装") else word


def kin(noun: str) -> str:
    """The noun that stands for all that count the same.

    >>> kin("player"), kin("灯珠"), kin("mug")
    ('person', 'light', 'mug')
    """
    return _SAME.get(noun, noun)


def singular(word: str) -> str:
    """A crude stem, the same for both numbers of a noun: ``boxes`` and ``box``, ``batteries`` and ``battery``."""
    low = word.lower()
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    if low.endswith(("ches", "shes", "xes", "sses")):
        return low[:-2]
    return low[:-1] if low.endswith("s") and not low.endswith("ss") else low
