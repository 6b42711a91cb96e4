"""Numbers with what they measure: ``500 ml``, ``half a litre``, ``10 x 15 cm``, ``pack of 12``, ``$19.99``, ``十二件装``.

`quantities` reads a normalised text into records; `copybandit.generators.agreement` says when one follows from another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from copybandit.generators.counting import GENERIC, IN_ONE, PLUS, counted
from copybandit.generators.dates import DateSaid, dates
from copybandit.generators.numerals import Numeral, numerals
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
    "<": r"\b(?:under|below|less than|fewer than|lighter than|shorter than)|不到|低于|不足|少于|小于|<",
    "<=": r"\b(?:up to|at most|no more than|not more than|a maximum of|maximum of)|最多|至多|不超过|不高于|≤",
}
_BEFORE_NUMBER = re.compile(rf"(?:{'|'.join(f'(?P<r{i}>{words})' for i, words in enumerate(_RELATIONS.values()))})"
                            r"\s?(?:US\$|[$€£¥])?$", re.IGNORECASE)  # fmt: skip
_MORE_AFTER = re.compile(r"\s?(?:\+|plus\b)|多(?:种|个|件|次)", re.IGNORECASE)
_AT_LEAST_AFTER = re.compile(r"\s?or more\b|以上|起(?!来|床|飞)", re.IGNORECASE)
_AND_A_HALF = re.compile(r"半(?!价|径|透|圆|球|自|成|身|袖)")
_OF_A = re.compile(r"\s(?:of\s)?an?(?=\s)|\sof(?=\s)", re.IGNORECASE)
_LINK = re.compile(r"\s?(?P<times>x|X|×|\*|乘)\s?|\s?(?:by|to|-|–|~|至|到|and|or|/)\s?")
# In these dimensions, 12 x 330 counts things; elsewhere it multiplies sides.
_PER_THING = frozenset({"volume", "mass", "power", "energy"})


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
        relation: ``>`` more than, ``>=`` at least, ``<`` less than, ``<=`` up to, else empty.
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
    if _IDIOM.match(after) or (numeral.values[0] == 0.5 and word and _HALF_DONE.match(after)):
        return None
    quantity = _measure(before, after, base) or _counting(before, after, base)
    idle = numeral.values[0] == 1 and (quantity.bare or quantity.units[0].dimension in ("months", "star"))
    idle = idle or (numeral.values[0] == 1 and text[quantity.span[0] : quantity.span[1]][-3:] in _IDLE)
    idle = idle and not _RANGE.match(after)
    unsaid = numeral.kind == "han" and quantity.bare and not quantity.noun and text[end - 1] != "打"
    return None if word and (idle or unsaid) else quantity


# Times of day, and what is half done, count nothing; a range from one counts.
_IDIOM = re.compile(
    r"[ -]?o'clock|\s?[ap]\.?m\b\.?|:[0-5]\d\b|点钟?(?:下班|起床|睡|半|的)|[ -](?:o'clock|times out of)",
    re.IGNORECASE,
)
_HALF_DONE = re.compile(
    r"-[a-z]+(?:ed|en|ish)\b|[ -](?:asleep|awake|hearted|the (?:fun|battle|time|fuss)|past|way)\b"
)
_RANGE = re.compile(r"\s?(?:到|至|-|–|~|to)\s?[\d一二两三四五六七八九十]")
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
        return replace(base, units=(Unit(dimension="discount", size=1.0),), span=(start, end + off.end()))
    mass = UNIT_AFTER.match(after) if said.lower() == "pounds" else None
    units = unit_named(mass) if mass else ()
    return replace(base, currency=_CURRENCIES[said.lower()], units=units, span=(start, end))


def _measure(before: str, after: str, base: Quantity) -> Quantity | None:
    plus = PLUS.match(after)
    unit = UNIT_AFTER.match(after, plus.end() if plus else 0)
    if unit is None or IN_ONE.match(after) or not _is_unit(before, after, unit):
        return _prefixed(before, base)
    units = unit_named(unit)
    end, rest = base.span[1] + unit.end(), after[unit.end() :]
    base = replace(base, relation=">") if plus else base
    if units[0].dimension == "months" and (_AGE_BEFORE.search(before) or _AGE_AFTER.match(rest)):
        units = (Unit(dimension="age", size=units[0].size / 12),)
    if unit["chinese"] and _AND_A_HALF.match(rest):  # 两公斤半
        base, end = replace(base, values=tuple(value + 0.5 for value in base.values)), end + 1
    relation = _relation_after(rest) if units[0].dimension != "age" else ""
    noun = ""
    if units[0].dimension == "percent" and (
        named := re.match(r"\s?(?:(?:pure|organic) )?([A-Za-z]+|[\u4e00-\u9fff]{1,3})", rest)
    ):
        noun = "" if named[1].lower() == "of" else named[1].lower()
    return replace(base, units=units, span=(base.span[0], end), relation=relation or base.relation, noun=noun)


def _relation_after(rest: str) -> str:
    return ">" if _MORE_AFTER.match(rest) else ">=" if _AT_LEAST_AFTER.match(rest) else ""


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


def _counting(before: str, after: str, base: Quantity) -> Quantity:
    of = counted(before, after)
    span = (base.span[0] - of.left, base.span[1] + of.right)
    return replace(base, noun=of.noun, nouns=of.nouns, relation=">" if of.more else base.relation, span=span)


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
