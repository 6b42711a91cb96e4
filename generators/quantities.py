"""Numbers with what they measure: ``500 ml``, ``half a litre``, ``10 x 15 cm``, ``pack of 12``, ``$19.99``, ``十二件装``.

`quantities` reads a normalised text into records (`copybandit.generators.quantity`);
`copybandit.generators.agreement` says when one follows from another.
"""

from __future__ import annotations

import re
from dataclasses import replace

from copybandit.generators.compound import joined
from copybandit.generators.counting import GENERIC, IN_ONE, PLUS, counted
from copybandit.generators.dates import DateSaid, dates
from copybandit.generators.idle import idle
from copybandit.generators.linking import linked
from copybandit.generators.numerals import Numeral, numerals
from copybandit.generators.quantity import Quantity
from copybandit.generators.units import UNIT_AFTER, Unit, unit_named

_CURRENCIES = {
    sign: code
    for code, signs in {
        "USD": "$ us$ usd dollar dollars bucks",
        "EUR": "€ eur euro euros",
        "GBP": "£ gbp pounds quid",
        "CNY": "¥ cny rmb 元 块 块钱 圆 人民币",
        "INR": "₹",
    }.items()
    for sign in signs.split()
}
_MONEY_BEFORE = re.compile(r"(US\$|[$€£¥₹]|\b(?:usd|eur|gbp|cny|rmb)|人民币)\s?$", re.IGNORECASE)
_MONEY_AFTER = re.compile(
    r"\s?(?:(?P<sign>[$€£¥]|元|块钱|块(?!状|头)|圆)|(?P<word>(?i:usd|eur|gbp|cny|rmb|dollars?|bucks|euros?|pounds|quid))\b)"
)
_OFF = re.compile(r"\s?-?off\b|\s(?:discount|cheaper|less)\b", re.IGNORECASE)
_AGE_BEFORE = re.compile(r"\b(?:ages?|aged)\s(?:of\s)?$|年龄\s?$|适合$", re.IGNORECASE)
_AGE_AFTER = re.compile(
    r"(?:以上|\+)?的?(?:宝宝|婴儿|婴幼儿|幼儿|儿童|孩子|小孩)|\s(?:and up|and older|and over)\b"
)
_PREPOSITION_IN = re.compile(
    r"\s+(?:a|an|the|one|all|each|total|stock|store|shop|your|our|this|that|every|use|it|black|white|blue|red|green|grey|gray|"
    r"pink|navy|cream|silver|gold|brown|beige|purple|orange|yellow|teal|love|any|many|two|three|four|five|six|\d)\b",
    re.IGNORECASE,
)
_RELATIONS = {
    ">": r"\b(?:over|more than|above|exceed(?:s|ing)?|greater than)|超过|多于|逾|大于|高于|＞|>",
    ">=": r"\b(?:at least|no less than|not less than|a minimum of|minimum of)|至少|不低于|不少于|不小于|最少|≥|起码",
    "<": r"\b(?:under|below|less than|fewer than|lighter than|shorter than)|不到|低于|不足|少于|小于|<"
    r"|(?<![最附])近|(?<![飞很最更赶])快",
    "<=": r"\b(?:up to|at most|no more than|not more than|a maximum of|maximum of)|最多|至多|不超过|不高于|≤",
}
_BEFORE_NUMBER = re.compile(rf"(?:{'|'.join(f'(?P<r{i}>{words})' for i, words in enumerate(_RELATIONS.values()))})"
                            r"\s?(?:US\$|[$€£¥])?$", re.IGNORECASE)  # fmt: skip
_MORE_AFTER = re.compile(r"\s?(?:\+|plus\b)|多(?:种|个|件|次)", re.IGNORECASE)
_AT_LEAST_AFTER = re.compile(r"\s?or more\b|以上|起(?!来|床|飞)", re.IGNORECASE)
_AND_A_HALF = re.compile(r"半(?!价|径|透|圆|球|自|成|身|袖)")
_OF_A = re.compile(r"\s(?:of\s)?an?(?=\s)|\sof(?=\s)", re.IGNORECASE)


def quantities(text: str, *, held: bool = False) -> tuple[tuple[Quantity, ...], tuple[DateSaid, ...]]:
    """Every quantity and every date of a normalised text, from left to right.

    Args:
        text: normalised.
        held: whether it is the product's own text, in which every number counts (``one-year warranty``).
    """
    told = dates(text)
    taken = [date.span for date in told]
    found: list[Quantity] = []
    for numeral in numerals(text):
        if any(start <= numeral.span[0] < end for start, end in taken):
            continue
        if (quantity := _quantity(text, numeral, held)) is not None:
            found.append(quantity)
            taken.append(quantity.span)
    return tuple(linked(text, joined(text, found))), told


_ODD = re.compile(r"\s?[多余]")


def _odd(text: str, end: int) -> int:
    """Characters of a 多 or 余 between a number and what it counts (``两百多页``), which says `more than`."""
    odd = _ODD.match(text, end)
    if odd is None or not (
        UNIT_AFTER.match(text, odd.end()) or counted("", text[odd.end() : odd.end() + 3]).noun
    ):
        return 0
    return odd.end() - end


def _quantity(text: str, numeral: Numeral, held: bool) -> Quantity | None:
    """What the numeral measures; None for number words that count nothing (``one``, ``十分``)."""
    if not held and idle(text, numeral):
        return None
    start, end = numeral.span
    before, after = text[max(0, start - 24) : start], text[end : end + 24]
    if numeral.kind == "spelled" and numeral.values[0] % 1 and (of := _OF_A.match(after)):  # half a litre
        end, after = end + of.end(), after[of.end() :]
    base = Quantity(values=numeral.values, precision=numeral.precision, span=(start, end))
    if odd := _odd(text, end):
        end, after = end + odd, after[odd:]
        base = replace(base, relation=">", span=(start, end))
    word = numeral.kind in ("spelled", "han")
    if not word and (token := _token(text, start, end)) is not None:
        return replace(base, token=token[0], span=token[1])
    if before.endswith("百分之"):
        return replace(base, units=_PERCENT, span=(start - 3, end))
    base = replace(base, relation=_relation(before) or base.relation)
    if word and base.values[0] < 1 and (off := _SHARE_OFF.match(after)):
        return replace(base, values=(100 * base.values[0],), units=_DISCOUNT, span=(start, end + off.end()))
    if (money := _money(before, after, base)) is not None:
        return money
    quantity = _measure(before, after, base) or _counting(before, after, base)
    if held:
        return quantity
    one = numeral.values[0] == 1 and (quantity.bare or quantity.units[0].dimension in ("months", "star"))
    one = one or (numeral.values[0] == 1 and text[quantity.span[0] : quantity.span[1]][-3:] in _IDLE)
    one = one and not _RANGE.match(after) and not _AND_PART.search(text[end : end + 24])
    unsaid = numeral.kind == "han" and quantity.bare and not quantity.noun and text[end - 1] != "打"
    unsaid = unsaid and not _RANGE.match(after) and not _SIDE.match(after) and not before.endswith("乘")
    return None if word and (one or unsaid) else quantity


_RANGE = re.compile(r"\s?(?:到|至|-|–|~|to)\s?[\d一二两三四五六七八九十]")  # a range from one counts
_AND_PART = re.compile(r"^ [a-z]+ and (?:a |three )?(?:half|quarter)")
_SIDE = re.compile(r"\s?乘(?:以)?[\d一二两三四五六七八九]")
_DISCOUNT = (Unit(dimension="discount", size=1.0),)
_SHARE_OFF = re.compile(r"\soff\b", re.IGNORECASE)  # a quarter off is 25% off
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
    """Sign of the comparison right before a number; empty without one."""
    found = _BEFORE_NUMBER.search(before)
    return tuple(_RELATIONS)[int((found.lastgroup or "r0")[1:])] if found else ""


def _money(before: str, after: str, base: Quantity) -> Quantity | None:
    left, right = _MONEY_BEFORE.search(before), _MONEY_AFTER.match(after)
    if left is None and right is None:
        return None
    said = left[1] if left else (right["sign"] or right["word"]) if right else ""
    start = base.span[0] - (len(left.group()) if left else 0)
    end = base.span[1] + (right.end() if right and not left else 0)
    off = _OFF.match(after[end - base.span[1] :])
    if off:
        return replace(base, units=_DISCOUNT, span=(start, end + off.end()))
    mass = UNIT_AFTER.match(after) if said.lower() == "pounds" else None
    units = unit_named(mass) if mass else ()
    noun = "块" if said == "块" and base.values[0] == int(base.values[0]) else ""  # or a piece of soap
    return replace(base, currency=_CURRENCIES[said.lower()], units=units, noun=noun, span=(start, end))


def _measure(before: str, after: str, base: Quantity) -> Quantity | None:
    plus = PLUS.match(after)
    unit = UNIT_AFTER.match(after, plus.end() if plus else 0)
    if unit is None or IN_ONE.match(after) or not _is_unit(before, after, unit):
        return _prefixed(before, base)
    units = unit_named(unit)
    end, rest = base.span[1] + unit.end(), after[unit.end() :]
    base = replace(base, relation=">") if plus else base
    if (
        units[0].size == 1000
        and units[0].dimension == "length"
        and (_HOURLY.search(before) or _PER_HOUR.match(rest))
    ):
        units = (Unit(dimension="speed", size=1.0),)
    if units[0].dimension == "months" and (_AGE_BEFORE.search(before) or _AGE_AFTER.match(rest)):
        units = (Unit(dimension="age", size=units[0].size / 12),)
    if unit["chinese"] and _AND_A_HALF.match(rest):  # 两公斤半
        base, end = replace(base, values=tuple(value + 0.5 for value in base.values)), end + 1
    if units[0].dimension == "months" and base.relation == ">" and _DURING.search(before):
        base = replace(base, relation="")
    relation = _relation_after(rest) if units[0].dimension != "age" else ""
    noun = ""
    if units[0].dimension == "percent" and (
        named := re.match(r"\s?(?:(?:pure|organic) )?([A-Za-z]+|[\u4e00-\u9fff]{1,3})", rest)
    ):
        noun = "" if named[1].lower() == "of" else named[1].lower()
    per = _PER_AFTER.match(rest)
    return replace(
        base,
        units=units,
        span=(base.span[0], end),
        relation=relation or base.relation,
        noun=noun,
        per=_PER.get(next(filter(None, per.groups())).lower(), "") if per else "",
    )


_HOURLY = re.compile(r"(?:[时车]速|每小时|每个?钟头|一小时)[^,.，。\d]{0,6}$")  # 每小时最高六公里
_PER_HOUR = re.compile(r"(?:/|每|一个?)(?:小时|钟头|时)")
_PER = {
    word: period
    for period, words in {
        "second": "second s 秒",
        "minute": "minute min 分钟 分",
        "hour": "hour h hr 小时",
        "day": "day d 天 日",
        "week": "week 周",
        "month": "month 月",
        "year": "year 年",
    }.items()
    for word in words.split()
}
_PER_AFTER = re.compile(
    r"\s?(?:/\s?|(?:an?|per|each|every)\s)(second|minute|hour|day|week|month|year|min|hr|[hsd])\b"
    r"|\s?(?:/|每)(秒|分钟?|小时|天|日|周|月|年)",
    re.IGNORECASE,
)


def _relation_after(rest: str) -> str:
    return ">" if _MORE_AFTER.match(rest) else ">=" if _AT_LEAST_AFTER.match(rest) else ""


def _prefixed(before: str, base: Quantity) -> Quantity | None:
    age = _AGE_BEFORE.search(before)
    if age and not age.group().startswith("适合"):
        return replace(base, units=(Unit(dimension="age", size=1.0),))
    if _BODY_BEFORE.search(before):  # 身高110-120
        return replace(base, units=(Unit(dimension="length", size=0.01),))
    return None


_DURING = re.compile(r"\bover\s$", re.IGNORECASE)  # credits over a quarter of a year
_BODY_BEFORE = re.compile(r"(?:身高|胸围|腰围|臀围|衣长|裤长|头围)\s?(?:\d+\s?[-–~至到]\s?)?$")


def _is_unit(before: str, after: str, unit: re.Match[str]) -> bool:
    """Whether a word that may be a unit is one: ``12 in blue``, ``10 x 15`` and a closing quote are not."""
    word, rest = unit.group().strip(" -").lower(), after[unit.end() :]
    if word == "in" and unit.group() != "in":
        return not _PREPOSITION_IN.match(rest)
    if word == "x":
        return not re.match(r"\s?\d", rest)
    if (other := _NO_UNIT.get(word[-1])) and other.match(rest):
        return False
    if word == '"':
        return before.count('"') % 2 == 0
    return True


_NO_UNIT = {
    unit: re.compile(f"[{after}]")
    for unit, after in {
        "成": "熟功为人品套分员本都年长不就天交立型色衣",
        "尺": "寸码度",
        "寸": "土步",
        "年": "级代轮货糕会味画历份纪",
        "天": "然花地空鹅竺线使气生蝎秤",
        "日": "常记历式用化系韩本落出晒光料",
        "周": "边末年岁到全",
        "米": "饭粉色白线酒糊粒香其兰",
        "升": "级降华温",
        "星": "空座辰光河球巴人",
        "度": "假过量身数",
        "转": "换接身移印角",
        "安": "全静心装",
        "码": "头归",
        "匹": "马布狼骏配",
    }.items()
}
"""Characters after a unit that make another word of it (三年级, 两周年)."""


def _counting(before: str, after: str, base: Quantity) -> Quantity:
    of = counted(before, after)
    span = (base.span[0] - of.left, base.span[1] + of.right)
    return replace(base, noun=of.noun, nouns=of.nouns, relation=">" if of.more else base.relation, span=span)
