"""Numbers with what they measure: ``500 ml``, ``half a litre``, ``10 x 15 cm``, ``pack of 12``, ``$19.99``, ``十二件装``.

`quantities` reads a normalised text into records; `copybandit.generators.agreement` says when one follows from another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from copybandit.generators.dates import DateSaid, dates
from copybandit.generators.numerals import Numeral, numerals
from copybandit.generators.units import UNIT_AFTER, Unit, unit_named

GENERIC = frozenset(
    "piece pc pack pk set count ct item unit packet pkt "
    "件 个 只 支 条 片 张 本 套 包 盒 袋 瓶 罐 枚 颗 粒 块 卷 把 台 根 双 对 装 款 入 抽 杯 副 串".split()
)
"""What things for sale are counted in."""
PARTS = frozenset(
    "page pocket handle shelf drawer compartment light led bulb setting mode speed colour color layer ply port wheel door "
    "button sheet leg seat person people guest serving portion stitch hole hook blade tooth teeth row string key level "
    "program programme channel driver lens camera core thread screen window room tier step section slot use wash cycle "
    "player gear zone head nozzle speaker sensor lesson chapter recipe course function feature way side night review "
    "customer order rating strap zip zipper burner ring shelves "
    "页 层 格 档 色 人 位 口袋 抽屉 轮 步 孔 针 线 核 路 键 段 次 遍 种 区 灯 门 级 代 章 集 折 期 名 款色".split()
)
"""What parts, uses and people are counted in; they are not things for sale."""
_FUNCTION = frozenset(
    "a an the and or of in on to with is are at by from for this that these it its you your we our they now today only just "
    "each per more less than no not all any every can will if but as so then here there both who when where why how what "
    "up down out over under off back be been was were do does did has have had may might meet see try get give take "
    "please yes hello look looks one ones some".split()
)
_CURRENCIES = {
    "$": "USD",
    "us$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "CNY",
    "₹": "INR",
    "usd": "USD",
    "eur": "EUR",
}
_CURRENCIES |= {
    "gbp": "GBP",
    "cny": "CNY",
    "rmb": "CNY",
    "元": "CNY",
    "块": "CNY",
    "块钱": "CNY",
    "圆": "CNY",
    "dollar": "USD",
}
_CURRENCIES |= {
    "dollars": "USD",
    "bucks": "USD",
    "euro": "EUR",
    "euros": "EUR",
    "pounds": "GBP",
    "quid": "GBP",
    "人民币": "CNY",
}
_MONEY_BEFORE = re.compile(r"(US\$|[$€£¥₹]|\b(?:usd|eur|gbp|cny|rmb)|人民币)\s?$", re.IGNORECASE)
_MONEY_AFTER = re.compile(
    r"\s?(?:(?P<sign>[$€£¥]|元|块钱|块(?!状|头)|圆)|(?P<word>(?i:usd|eur|gbp|cny|rmb|dollars?|bucks|euros?|pounds|quid))\b)"
)
_OFF = re.compile(r"\s?-?off\b|\s(?:discount|cheaper|less)\b", re.IGNORECASE)
_BEFORE_NOUN = re.compile(r"\b(?P<noun>[a-z]+?)s?(?: count)?(?:\s(?:of|in a)\s|:\s|\s)$", re.IGNORECASE)
_COUNTED_BEFORE = re.compile(
    r"\b(pack|set|box|case|bundle|bag|packet|lot|carton|pair|collection) of $", re.IGNORECASE
)
_AGE_BEFORE = re.compile(r"\b(?:ages?|aged)\s(?:of\s)?$|年龄\s?$|适合$", re.IGNORECASE)
_AGE_AFTER = re.compile(
    r"(?:以上|\+)?的?(?:宝宝|婴儿|婴幼儿|幼儿|儿童|孩子|小孩)|\s(?:and up|and older|and over)\b"
)
_PREFIX = re.compile(
    r"\b(spf|upf|fpf|ip|ph|thread count|grade|size|model|version|gen|generation|no\.?|number|#)\s?[:+]?$",
    re.IGNORECASE,
)
_NOUN = re.compile(r"(?:\s|-)?(?P<en>[A-Za-z]+)|\s?(?P<zh>件套|件装|口袋|抽屉|合\s?[一1]|个|[\u4e00-\u9fff])")
_IN_ONE = re.compile(r"(?:\s|-)?in(?:\s|-)?(?:one|1)\b", re.IGNORECASE)
_PREPOSITION_IN = re.compile(
    r"\s+(?:a|an|the|one|all|each|total|stock|store|shop|your|our|this|that|every|use|it|black|white|blue|red|green|grey|gray|"
    r"pink|navy|cream|silver|gold|brown|beige|purple|orange|yellow|teal|love|any|many|two|three|four|five|six|\d)\b",
    re.IGNORECASE,
)
_MORE_BEFORE = re.compile(
    r"(?:\bover|\bmore than|\babove|\bat least|\bexceeds?|超过|多于|至少|不低于|逾)\s?(?:US\$|[$€£¥])?$",
    re.IGNORECASE,
)
_LESS_BEFORE = re.compile(
    r"(?:\bunder|\bbelow|\bless than|不到|低于|不足)\s?(?:US\$|[$€£¥])?$", re.IGNORECASE
)
_MORE_AFTER = re.compile(r"\s?(?:\+|plus\b|or more\b)|(?:以上|多(?:种|个|件|次))", re.IGNORECASE)
_OF_A = re.compile(r"\s(?:of\s)?an?(?=\s)|\sof(?=\s)", re.IGNORECASE)
_LINK = re.compile(r"\s?(?P<times>x|X|×|\*|乘)\s?|\s?(?:by|to|-|–|~|至|到|and|or|/)\s?")
# In these dimensions, 12 x 330 counts things; elsewhere it multiplies sides.
_PER_THING = frozenset({"volume", "mass", "power", "energy"})
_PLUS = re.compile(r"\s?\+(?=\s?\w)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """One number and what it measures.

    Attributes:
        values: readings of the number, in the unit that was written.
        precision: half of one unit in its last significant digit.
        units: readings of the unit; empty for counts, prices and bare numbers.
        currency: ISO 4217, empty when it is no price.
        noun: what is counted, singular and lower case; empty when unsaid.
        nouns: all words of the phrase that counts (``zip pockets``, ``种颜色``), the noun among them.
        relation: ``>`` for more than, ``<`` for less than, else empty.
        token: a number inside a code (``A4``, ``usb3``), lower case.
        span: place in the text.
    """

    values: tuple[float, ...]
    precision: float = 0.5
    units: tuple[Unit, ...] = ()
    currency: str = ""
    noun: str = ""
    nouns: frozenset[str] = frozenset()
    relation: str = ""
    token: str = ""
    span: tuple[int, int] = (0, 0)

    @property
    def bare(self) -> bool:
        """Neither unit nor currency."""
        return not self.units and not self.currency


def quantities(text: str) -> tuple[tuple[Quantity, ...], tuple[DateSaid, ...]]:
    """Every quantity and every date of a normalised text, from left to right."""
    told = dates(text)
    taken = [date.span for date in told]
    found: list[Quantity] = []
    for numeral in numerals(text):
        if any(start <= numeral.span[0] < end for start, end in taken):
            continue
        if (quantity := _quantity(text, numeral)) is not None:
            found.append(quantity)
            taken.append(quantity.span)
    return tuple(_linked(text, found)), told


def _quantity(text: str, numeral: Numeral) -> Quantity | None:
    """What the numeral measures; None for number words that count nothing (``one``, ``十分``)."""
    start, end = numeral.span
    before, after = text[max(0, start - 24) : start], text[end : end + 24]
    if numeral.kind == "spelled" and (of := _OF_A.match(after)):  # half a litre, a quarter of an hour
        end, after = end + of.end(), after[of.end() :]
    base = Quantity(values=numeral.values, precision=numeral.precision, span=(start, end))
    word = numeral.kind in ("spelled", "han")
    if not word and (token := _token(text, start, end)) is not None:
        return replace(base, token=token[0], span=token[1])
    if before.endswith("百分之"):
        return replace(base, units=_PERCENT, span=(start - 3, end))
    base = replace(base, relation=_relation(before))
    if (money := _money(before, after, base)) is not None:
        return money
    quantity = _measure(before, after, base) or _count(before, after, base)
    idle = numeral.values[0] == 1 and (quantity.bare or quantity.units[0].dimension in ("months", "star"))
    idle = idle or (numeral.values[0] == 1 and text[quantity.span[0] : quantity.span[1]][-3:] in _IDLE)
    if word and (idle or (numeral.kind == "han" and quantity.bare and not quantity.noun)):
        return None
    return quantity


_PERCENT = (Unit(dimension="percent", size=1.0),)
_IDLE = frozenset({"day", "eek", "ond", "ute", "一天", "一日", "一周", "一秒"})


def _token(text: str, start: int, end: int) -> tuple[str, tuple[int, int]] | None:
    """A code that the digits are part of, such as ``USB3``, ``3D``, ``2nd`` or ``5G``."""
    left = start
    while left > 0 and text[left - 1].isascii() and (text[left - 1].isalnum()):
        left -= 1
    if left < start and not re.fullmatch(r"(?:\d+[x×X])*\d*[x×X]", text[left:start]):
        right = end + len(re.match(r"[A-Za-z0-9]*", text[end:]).group())  # type: ignore[union-attr]  # always matches
        return text[left:right].lower(), (left, right)
    tail = re.match(r"(?![x×X]\d)[A-Za-z]+(?![A-Za-z])", text[end:])
    network = text[start : end + 1] in ("3G", "4G", "5G", "6G")
    if tail and (
        network or not (UNIT_AFTER.match(text, end) or tail.group().lower() in GENERIC | {"pcs", "in", "off"})
    ):
        return text[start : end + tail.end()].lower(), (start, end + tail.end())
    return None


def _relation(before: str) -> str:
    return ">" if _MORE_BEFORE.search(before) else "<" if _LESS_BEFORE.search(before) else ""


def _money(before: str, after: str, base: Quantity) -> Quantity | None:
    left, right = _MONEY_BEFORE.search(before), _MONEY_AFTER.match(after)
    if left is None and right is None:
        return None
    said = left[1] if left else (right["sign"] or right["word"]) if right else ""
    start = base.span[0] - (len(left.group()) if left else 0)
    end = base.span[1] + (right.end() if right and not left else 0)
    off = _OFF.match(after[end - base.span[1] :])
    if off:
        return replace(base, units=(Unit(dimension="discount", size=1.0),), span=(start, end + off.end()))
    mass = UNIT_AFTER.match(after) if said.lower() == "pounds" else None
    units = unit_named(mass) if mass else ()
    return replace(base, currency=_CURRENCIES[said.lower()], units=units, span=(start, end))


def _measure(before: str, after: str, base: Quantity) -> Quantity | None:
    plus = _PLUS.match(after)
    unit = UNIT_AFTER.match(after, plus.end() if plus else 0)
    if unit is None or _IN_ONE.match(after) or not _is_unit(before, after, unit):
        return _prefixed(before, base)
    units = unit_named(unit)
    end = base.span[1] + unit.end()
    base = replace(base, relation=">") if plus else base
    if _AGE_BEFORE.search(before) and units[0].dimension == "months":
        units = (Unit(dimension="age", size=units[0].size / 12),)
    elif units[0].dimension == "months" and _AGE_AFTER.match(after[unit.end() :]):
        units = (Unit(dimension="age", size=units[0].size / 12),)
    relation = (
        ">" if _MORE_AFTER.match(after[unit.end() :]) and units[0].dimension != "age" else base.relation
    )
    noun = ""
    if units[0].dimension == "percent" and (
        named := re.match(r"\s?(?:(?:pure|organic) )?([A-Za-z]+|[\u4e00-\u9fff]{1,3})", after[unit.end() :])
    ):
        noun = "" if named[1].lower() == "of" else named[1].lower()
    return replace(base, units=units, span=(base.span[0], end), relation=relation, noun=noun)


def _prefixed(before: str, base: Quantity) -> Quantity | None:
    if _AGE_BEFORE.search(before):
        return replace(base, units=(Unit(dimension="age", size=1.0),))
    return None


def _is_unit(before: str, after: str, unit: re.Match[str]) -> bool:
    """Whether a word that may be a unit is one: ``12 in blue``, ``10 x 15`` and a closing quote are not."""
    word, rest = unit.group().strip(" -").lower(), after[unit.end() :]
    if word == "in" and unit.group() != "in":
        return not _PREPOSITION_IN.match(rest)
    if word == "x":
        return not re.match(r"\s?\d", rest)
    if word == '"':
        return before.count('"') % 2 == 0
    return True


def _count(before: str, after: str, base: Quantity) -> Quantity:
    if together := _IN_ONE.match(after):
        return replace(base, noun="in-one", span=(base.span[0], base.span[1] + together.end()))
    if (prefix := _PREFIX.search(before)) is not None:
        return replace(
            base,
            noun=prefix[1].lower().removesuffix(" count").rstrip("."),
            span=(base.span[0] - len(prefix.group()), base.span[1]),
        )
    if before.endswith("第"):
        return replace(base, noun="第", span=(base.span[0] - 1, base.span[1]))
    if _COUNTED_BEFORE.search(before):
        return replace(base, noun="pack")
    plus = _PLUS.match(after)
    relation = ">" if plus or re.match(r"\s?多(?:种|个|件|次)", after) else base.relation
    named = _NOUN.match(after[plus.end() if plus else 0 :])
    if named is None:
        named_before = _BEFORE_NOUN.search(before)
        noun = _singular(named_before["noun"]) if named_before else ""
        return replace(base, noun=noun if noun in PARTS else "", relation=relation)
    noun = _singular(named["en"]) if named["en"] else _chinese_noun(named["zh"])
    if noun in _MARKS:  # `four pH balanced bars` counts bars, `pH 5` does not
        return replace(base, relation=relation)
    noun = "" if noun in _FUNCTION or (named["zh"] and noun not in GENERIC | PARTS | {"in-one"}) else noun
    return replace(base, noun=noun, nouns=_phrase(after, named, noun), relation=relation)


_MORE_WORDS = re.compile(r"(?:[ -](?P<en>[A-Za-z]+))?(?:[ -](?P<more>[A-Za-z]+))?")


def _phrase(after: str, named: re.Match[str], noun: str) -> frozenset[str]:
    """The words that stand with a counted noun: of English two more up to a function word, of Chinese two characters."""
    if not noun:
        return frozenset()
    if named["zh"]:
        return frozenset((noun, *(c for c in after[named.end() : named.end() + 2] if c in PARTS)))
    words = [noun]
    for word in re.findall(r"[ -]([A-Za-z]+)", _MORE_WORDS.match(after, named.end()).group()):  # type: ignore[union-attr]  # always matches
        if word.lower() in _FUNCTION:
            break
        words.append(_singular(word))
    return frozenset(words)


_MARKS = frozenset({"ph", "ip", "spf", "upf", "upc"})


def _chinese_noun(word: str) -> str:
    if word.startswith("合"):
        return "in-one"
    return "件" if word in ("件套", "件装") else word


_IRREGULAR = {
    "people": "person",
    "teeth": "tooth",
    "shelves": "shelf",
    "children": "child",
    "knives": "knife",
}


def _singular(word: str) -> str:
    """A crude stem, the same for both numbers of a noun: ``boxes`` and ``box``, ``batteries`` and ``battery``."""
    low = word.lower()
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    if low.endswith(("ches", "shes", "xes", "sses")):
        return low[:-2]
    return low[:-1] if low.endswith("s") and not low.endswith("ss") else low


_OPEN = frozenset({"", "x", "by", "to", "size"})
"""Nouns of a number that takes its unit from the next."""


def _linked(text: str, found: list[Quantity]) -> Iterator[Quantity]:
    """Give the numbers of ``10 x 15 cm`` and ``3-5 hours`` the unit of the last; those of ``12 x 330 ml`` count things."""
    later: Quantity | None = None
    done: list[Quantity] = []
    for quantity in reversed(found):
        link = _LINK.fullmatch(text[quantity.span[1] : later.span[0]]) if later else None
        if later and link and quantity.bare and not quantity.token and quantity.noun in _OPEN:
            if later.units and link["times"] and later.units[0].dimension in _PER_THING:
                quantity = replace(quantity, noun="pack")
            elif later.units:
                quantity = replace(quantity, units=later.units, noun="")
            elif later.currency:
                quantity = replace(quantity, currency=later.currency)
            else:
                quantity = replace(quantity, noun=later.noun)
        done.append(quantity)
        later = quantity
    return reversed(done)
