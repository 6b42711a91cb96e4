"""Numbers as people write them: digits in several spellings, English words, Chinese numerals, fractions.

A numeral has one or more readings (``1.250`` is 1250 or 1.25) and a precision, half of one unit in its last digit that is
not a trailing zero. It does not say what the number measures; `copybandit.generators.quantities` does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from copybandit.generators.normalising import has_chinese

_ONES = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {
    w: 10 * v for v, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = {
    "half": 0.5,
    "quarter": 0.25,
    "halves": 0.5,
    "quarters": 0.25,
    "third": 1 / 3,
    "thirds": 1 / 3,
    "fifth": 0.2,
    "eighth": 0.125,
    "tenth": 0.1,
    "fifths": 0.2,
    "eighths": 0.125,
    "tenths": 0.1,
}
VAGUE = frozenset(
    "hundreds thousands millions dozens twice thrice double triple quadruple percent "
    "couple doubles triples doubled tripled".split()
)
"""Number words without a value of their own; copy may say them where the product does."""
_HAN = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_HAN_SCALE = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}

_DIGITS = r"(?<![\w.,])\.\d+|\d+(?:[.,]\d+)*"
_FRACTION = r"(?:(?P<whole>\d+)[ -])?(?P<top>\d+)\s?[/⁄]\s?(?P<bottom>[2-9]|1[06]|32|64)(?![\d/⁄.,%])"
# `two hundred and fifty` is one number, `eight and ten` are two; `nineteen ninety-nine` is a year or a price.
_SMALL = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(list(_ONES)[1:10])}))?|{'|'.join(reversed(_ONES))})"
_SCALED = rf"(?:(?:{_SMALL}|half|quarter)(?: a)?[ -])?(?:{'|'.join(_SCALES)})(?:[ -](?:{'|'.join(_SCALES)}))*"
_TWO_DIGITS = rf"(?:{'|'.join((*list(_ONES)[10:], *_TENS))})(?:[ -](?:{'|'.join(list(_ONES)[1:10])}))?"
_PAIRED = rf"(?P<first>{_TWO_DIGITS}) (?P<last>{_TWO_DIGITS})(?!-)"
_POINT = rf"(?:{_SMALL} )?point(?: (?:{'|'.join(list(_ONES)[:10])}))+"
# A unit alone is one of it where a unit of trade follows, or a half of it.
_ONE_OF = (
    r"an?(?= (?:met(?:re|er)|lit(?:re|er)|kilo(?:gram)?|gallon|quart)s?\b(?! away)"
    r"| (?:hour|mile|foot|pound|pint|month|week|year|day)"
    r" (?:and (?:a |three )?(?:half|quarter)|(?:and )?(?:ten|fifteen|twenty|thirty|forty|fifty)\b))"
)
# `two dozen half pans` is two dozen; `two and a half`, `three quarters` and `half a dozen` are numbers in two words.
_SPELLED = (
    rf"\b(?:{_PAIRED}|{_POINT}"
    rf"|(?:a )?(?:{_SCALED}(?:(?: and (?:a )?|[ -])(?:{_SCALED}))*(?:(?: and |[ -])(?:{_SMALL}))?|{_SMALL})"
    r"(?: and (?:a )?(?:half|quarter|third)|[ -](?:and[ -](?:a[ -])?half|halves|quarters|thirds|fifths|eighths|tenths)"
    r"|(?<=one)[ -](?:half|quarter|third))?"
    r"|(?:a )?(?:half|quarter)|an? (?:third|fifth|eighth|tenth)(?= of)|(?<=by )a (?:third|fifth|tenth)"
    r"|a (?:third|fifth|tenth)(?= (?:less|more|off|cheaper|lighter|faster|longer|smaller|bigger|quieter))"
    rf"|{_ONE_OF})\b"
)
# A second 两 in a numeral is the weight: 四两 is four liang, 两千两百 a number.
# 周六一天 is one day of a Saturday, 每周两次 is twice.
_NO_WEEKDAY = r"(?:(?<!周)(?<!星期)(?<!礼拜)|(?=[一二两三四五六七八九十]+[次回晚顿片杯粒个小遍场]))"
_FULL = (
    r"(?:(?<![一二两三四五六七八九十])两|[零〇一二三四五六七八九十百千万亿])+(?:点[零一二三四五六七八九]+)?"
)
_CHINESE = rf"{_NO_WEEKDAY}{_FULL}|半"
_ENGLISH_TOKEN = re.compile(rf"(?P<fraction>{_FRACTION})|(?P<digits>{_DIGITS})|(?P<spelled>(?i:{_SPELLED}))")
_CHINESE_TOKEN = re.compile(
    rf"(?P<parts>[二三四五六七八九十]+分之[一二两三四五六七八九十]+)"
    rf"|(?P<fraction>{_FRACTION})|(?P<digits>{_DIGITS})(?P<scale>[万千百亿](?!像素))?|(?P<han>{_CHINESE})(?P<more>打(?![开折印包卡]|火|扫|孔)|个半(?=小时|钟头))?"
    rf"|(?P<spelled>(?i:{_SPELLED}))"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")
# `Print it. Twice.` and `for the couple next door` say nothing of the product; a table that doubles as a desk is a desk.
_VAGUE = re.compile(
    rf"\b(?:{'|'.join(sorted(VAGUE - {'twice', 'thrice', 'couple', 'double', 'doubles'}))}"
    r"|(?<![.!?] )(?:twice|thrice)|couple(?= of)"
    r"|doubles?(?! (?:(?:up )?as|up|check|take|date|chin|trouble|agent|life)\b|-check))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Numeral:
    """One number in a text.

    Attributes:
        values: its readings, the likeliest first.
        precision: half of one unit in the last significant digit, in the number's own unit.
        span: place in the text.
        kind: ``digits``, ``fraction``, ``spelled``, ``han`` or ``parts`` (四分之三).
    """

    values: tuple[float, ...]
    precision: float
    span: tuple[int, int]
    kind: str


def numerals(text: str) -> Iterator[Numeral]:
    """Every number of a normalised text, from left to right."""
    pattern = _CHINESE_TOKEN if has_chinese(text) else _ENGLISH_TOKEN
    for match in pattern.finditer(text):
        kind = next(
            name for name in ("parts", "fraction", "digits", "spelled", "han") if match.groupdict().get(name)
        )
        if (read := _READ[kind](match)) is not None:
            values, precision = read
            yield Numeral(values=values, precision=precision, span=match.span(), kind=kind)


def vague(text: str) -> Iterator[re.Match[str]]:
    """Number words without a value of their own (``dozens``, ``twice``)."""
    return _VAGUE.finditer(text)


Reading = tuple[tuple[float, ...], float]


def _fraction(match: re.Match[str]) -> Reading:
    value = int(match["top"]) / int(match["bottom"]) + int(match["whole"] or 0)
    return (value,), 0.5 / int(match["bottom"])


def _digits(match: re.Match[str]) -> Reading:
    scale = _HAN_SCALE[match["scale"]] if match.groupdict().get("scale") else 1
    values, precision = read_digits(match["digits"])
    return tuple(value * scale for value in values), precision * scale


def read_digits(digits: str) -> Reading:
    """Readings of a number in digits; three digits after a separator are thousands first, a fraction second.

    ``1,000`` is a thousand only.

    >>> read_digits("8,50"), read_digits("1,250"), read_digits("1,000"), read_digits("0.350")
    (((8.5,), 0.05), ((1250.0, 1.25), 5.0), ((1000.0,), 500.0), ((0.35,), 0.005))
    """
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in digits)
    if not _THOUSANDS.fullmatch(plain):
        return (_as_fraction(plain),), _half(plain)
    whole = re.sub(r"[.,]", "", plain)
    single = len(re.findall(r"[.,]", plain)) == 1 and not plain.endswith(",000")
    values = (float(whole), _as_fraction(plain)) if single else (float(whole),)
    return values, _half(whole)


def _as_fraction(plain: str) -> float:
    head, dot, tail = plain.replace(",", ".").rpartition(".")
    return float(f"{head.replace('.', '') or 0}{dot}{tail}") if dot else float(plain)


def _half(plain: str) -> float:
    """Half of one unit in the last digit that is not a trailing zero."""
    _, dot, tail = plain.replace(",", ".").rpartition(".")
    if dot and tail.strip("0"):
        return 0.5 * 10.0 ** -len(tail.rstrip("0"))
    whole = re.split(r"[.,]", plain)[0] or "0"
    return 0.5 * 10.0 ** (len(whole) - len(whole.rstrip("0"))) if whole.strip("0") else 0.5


def _parts(match: re.Match[str]) -> Reading | None:
    """``四分之三``."""
    bottom, _, top = match["parts"].partition("分之")
    below, above = read_han(bottom), read_han(top)
    return None if below is None or above is None else ((above / below,), 0.5 / below)


def _spelled(match: re.Match[str]) -> Reading | None:
    """``twenty-four``, ``one hundred and fifty``, ``half a dozen``, ``two and a half``, ``two point five``."""
    said = match["spelled"].lower()
    if match["first"]:
        first, last = _sum(match["first"].lower()), _sum(match["last"].lower())
        return (first + last / 100, 100 * first + last), 0.005
    whole, point, tail = said.partition("point ")
    if point:
        return (_sum(whole) + float("0." + "".join(str(_ONES[w]) for w in tail.split())),), 0.05
    return (1.0 if said in ("a", "an") else _sum(said),), 0.5


def _sum(said: str) -> float:
    """Value of a number in lower-case words."""
    words = [w for w in re.split(r"[ -]+", said) if w not in ("a", "an", "and", "")]
    total, current, part = 0.0, 0.0, 1.0
    for place, word in enumerate(words):
        if word in _PARTS:
            if place + 1 < len(words) and words[place + 1] in _SCALES:
                part = _PARTS[word]
            else:  # `three quarters` is a product, `two and a half` a sum
                total, current = (
                    total + current * (word[-1] != "s") + (current if word[-1] == "s" else 1) * _PARTS[word],
                    0.0,
                )
        elif word in _SCALES:
            size = _SCALES[word]
            current = max(current, 1.0) * size
            if size >= 1000:
                total, current = total + current, 0.0
        else:
            current += _ONES.get(word, _TENS.get(word, 0))
    return (total + current) * part


def _han(match: re.Match[str]) -> Reading | None:
    """A Chinese numeral, also in dozens (两打) and with a half (两个半小时); 两三 is no number."""
    value = read_han(match["han"])
    if value is None or _ABOUT.fullmatch(match["han"]):
        return None
    more = match["more"]
    return ((12 * value if more == "打" else value + 0.5 if more else value,), 0.5)


_ABOUT = re.compile("一[二两]|[二两]三|三[四五]|四五|五六|六七|七八|八九")


def read_han(text: str) -> float | None:
    """Value of a Chinese numeral, None for scale characters alone (``千万``, ``百``).

    >>> [read_han(text) for text in ("十二", "两", "一百零五", "半", "二〇二四", "三点五", "两千五", "千")]
    [12.0, 2.0, 105.0, 0.5, 2024.0, 3.5, 2500.0, None]
    """
    if text == "半":
        return 0.5
    whole, _, tail = text.partition("点")
    if not any(c in _HAN for c in whole) and whole != "十":
        return None
    if len(whole) > 1 and all(c in _HAN for c in whole):
        return float("".join(str(_HAN[c]) for c in whole))
    total, section, digit = 0, 0, 0
    for c in whole:
        if c in _HAN:
            digit = _HAN[c]
        elif (scale := _HAN_SCALE[c]) >= 10**4:
            total, section, digit = total + (section + digit) * scale, 0, 0
        else:
            section, digit = section + (digit or 1) * scale, 0
    fraction = float("0." + "".join(str(_HAN[c]) for c in tail)) if tail else 0.0
    if len(whole) > 1 and whole[-1] in _HAN and _HAN_SCALE.get(whole[-2], 0) >= 100:  # 一千二 is 1200
        digit *= _HAN_SCALE[whole[-2]] // 10
    return float(total + section + digit) + fraction


_READ = {"parts": _parts, "fraction": _fraction, "digits": _digits, "spelled": _spelled, "han": _han}
