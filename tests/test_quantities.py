"""The quantity grammar: one quantity in every spelling and unit agrees with itself and with no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.agreement import agrees
from copybandit.generators.normalising import normalise
from copybandit.generators.numerals import read_han
from copybandit.generators.quantities import quantities
from copybandit.generators.quantity import Quantity

# Exact conversions: spellings of one unit with its size in the smallest.
UNITS = {
    "volume": {"ml": 1, "毫升": 1, "cl": 10, "litres": 1000, "l": 1000, "升": 1000},
    "length": {"mm": 1, "cm": 10, "厘米": 10, "m": 1000, "metres": 1000},
    "mass": {"g": 1, "grams": 1, "kg": 1000, "公斤": 1000, "斤": 500, "克": 1},
    "time": {"minutes": 1, "min": 1, "h": 60, "hours": 60, "小时": 60, "days": 1440},
    "charge": {"mAh": 1, "毫安时": 1},
}
ONES = "零一二三四五六七八九"


def only(text: str) -> Quantity:
    found, _ = quantities(normalise(text))
    assert len(found) == 1, (text, found)
    return found[0]


def han(value: int) -> str:
    """Chinese numeral of 1 to 9999, written independently of the reader."""
    digits, words, gap = str(value), "", False
    for place, digit in enumerate(digits):
        scale = ("", "十", "百", "千")[len(digits) - place - 1]
        if digit == "0":
            gap = bool(words)
            continue
        words += ("零" if gap else "") + ONES[int(digit)] + scale
        gap = False
    return words.removeprefix("一") if 10 <= value < 20 else words


@st.composite
def measures(draw: st.DrawFn) -> tuple[int, list[str], str]:
    """A size in the smallest unit of a dimension, and its spellings in every unit that writes it in three decimals."""
    dimension = draw(st.sampled_from(sorted(UNITS)))
    size = draw(st.integers(2, 9999))
    spellings = []
    for unit, factor in UNITS[dimension].items():
        value = f"{size / factor:.3f}".rstrip("0").rstrip(".")
        if abs(float(value) * factor - size) < 1e-9 and float(value) != 1:
            gap = draw(st.sampled_from(["", " "])) if unit[0].isascii() else ""
            spellings.append(f"{value}{gap}{unit}")
            if "." in value and not value.startswith("0") and len(value.split(".")[1]) != 3:
                spellings.append(f"{value.replace('.', ',')} {unit}")
            if float(value) == int(float(value)) and int(float(value)) < 10000 and not unit[0].isascii():
                spellings.append(han(int(float(value))) + unit)
    return size, spellings, dimension


@given(measures(), st.data())
def test_a_measure_agrees_with_itself_in_every_spelling_and_unit(
    measure: tuple[int, list[str], str], data: st.DataObject
) -> None:
    _, spellings, _ = measure
    a, b = data.draw(st.sampled_from(spellings)), data.draw(st.sampled_from(spellings))
    assert agrees(only(f"Holds {a}."), only(f"Has {b}, too")), (a, b)


@given(measures(), measures(), st.data())
def test_another_size_or_dimension_never_agrees(
    one: tuple[int, list[str], str], two: tuple[int, list[str], str], data: st.DataObject
) -> None:
    a, b = data.draw(st.sampled_from(one[1])), data.draw(st.sampled_from(two[1]))
    same = one[0] == two[0] and one[2] == two[2]
    assert agrees(only(f"Holds {a}."), only(f"Has {b}, too")) == same, (a, b)


@given(st.integers(1, 9999))
def test_chinese_numerals_round_trip(value: int) -> None:
    assert read_han(han(value)) == value


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("half a litre", "500 ml"),
        ("0.5 l", "半升"),
        ("30 hours", "30h"),
        ("30-hour battery", "三十小时"),
        ("pack of 12", "12-pack"),
        ("pack of 12", "十二件装"),
        ("set of 12", "a dozen"),
        ("12 pieces", "twelve pieces"),
        ("5,000 mAh", "5000mAh"),
        ("5 cm", "2 in"),
        ("15 cm", "6-inch"),
        ("225 g", "8 oz"),
        ("12 fl oz", "355 ml"),
        ("1.5 m", "150 cm"),
        ("$19.99", "19,99 $"),
        ("￥128", "128元"),
        ("50%", "百分之五十"),
        ("50 percent", "50％"),
        ("two pockets", "2 pockets"),
        ("10 x 15 cm", "100 mm"),
        ("up to 50 degrees", "50 °C"),
        ("0 °C", "32 °F"),
        ("24 hours", "1 day"),
        ("1 year", "12 months"),
        ("1 1/2 cups", "1.5 cups"),
        ("两米", "２m"),
        ("page count: 300", "300 pages"),
        ("19.99 €", "under €20"),
        ("320 pages", "over 300 pages"),
        ("100-240V", "240 V"),
        ("USB3", "usb3"),
        ("2-person tent", "two people"),
        ("two zip pockets", "two pockets"),
        ("5 brightness levels", "five levels"),
        ("pack of 4", "four pH balanced bars"),
        ("黑白灰三色", "三种颜色"),
        ("可住3人", "三个人"),
        ("60 days", "两个月"),
        ("适合3个月以上", "3个月以上宝宝"),
        ("75% layout", "75% of the keyboard"),
        ("10 kΩ", "10000 Ω"),
        ("45 minutes", "three quarters of an hour"),
        ("34x74cm", "34 cm"),
        ("7.5x24x3 cm", "24 cm"),
    ],
)
def test_these_follow(held: str, said: str) -> None:
    known, _ = quantities(normalise(held))
    assert any(agrees(only(said), quantity) for quantity in known), known


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("350 ml", "350 g"),
        ("350 ml", "350 pages"),
        ("350 ml", "350元"),
        ("12 pockets", "12 pieces"),
        ("12 pieces", "12 pockets"),
        ("30 hours", "30 minutes"),
        ("30 hours", "over 30 hours"),
        ("6 cm", "2 in"),
        ("60 cm", "1 m"),
        ("$19.99", "$20"),
        ("$19.99", "under $40"),
        ("19.99 €", "19.99 cm"),
        ("50 degrees", "50%"),
        ("100% cotton", "100% wool"),
        ("SPF 30", "SPF 50"),
        ("set of 3", "3-in-1"),
        ("pack of 3", "第3代"),
        ("$5", "$5 off"),
        ("3 pieces", "三小时"),
        ("5 speeds", "5G"),
        ("ages 6 and up", "6 year warranty"),
        ("two zip pockets", "two jackets"),
        ("5 brightness levels", "five lamps"),
        ("60 days", "三个月"),
        ("适合3个月以上", "适合3岁"),
        ("1 MΩ", "1 mΩ"),
    ],
)
def test_these_do_not(held: str, said: str) -> None:
    known, _ = quantities(normalise(held))
    assert not any(agrees(only(said), quantity) for quantity in known), known


def test_a_comma_before_digits_is_no_decimal_point() -> None:
    assert only("杯子 ,480毫升").values == (480.0,)
    assert only("mug .5 l").values == (0.5,)


@pytest.mark.parametrize(
    "text", "one mug,十分好看,一个杯子,千万别错过,百搭,一天的开始,this one is blue,万能".split(",")
)
def test_idle_number_words_count_nothing(text: str) -> None:
    assert quantities(text) == ((), ())
