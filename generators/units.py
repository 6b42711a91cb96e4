"""Units of measure: what each spelling measures and how large it is, in one table.

Sizes follow the SI brochure (9th edition), NIST Handbook 44 appendix C for customary units and the market system of China
for 斤 and 两. A spelling may have more than one reading (``oz`` is a weight or a volume). Customary units are marked: their
conversions are rounded in practice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_METRIC = """
length      0.001 mm millimetre(s) millimeter(s) 毫米 | 0.01 cm cms centimetre(s) centimeter(s) 厘米 公分
length      1 m metre(s) meter(s) 米 | 1000 km kilometre(s) kilometer(s) 公里 千米 | 0.3333333 尺
mass        1e-9 mcg µg μg 微克 | 1e-6 mg milligram(s) 毫克 | 0.001 g gr gram(s) gramme(s) 克
mass        1 kg kgs kilo(s) kilogram(s) 公斤 千克 | 1000 tonne(s) 吨 | 0.5 斤 市斤 | 0.05 两 | 0.005 钱
volume      0.001 ml millilitre(s) milliliter(s) cc 毫升 | 0.01 cl centilitre(s) centiliter(s) | 0.1 dl
volume      1 l litre(s) liter(s) ltr(s) 升 公升
area        0.0001 cm2 cm² | 1 m2 m² sqm square_metre(s) square_meter(s) 平方米 平米
time        0.001 ms millisecond(s) 毫秒 | 1 s sec secs second(s) 秒 秒钟 | 60 min mins minute(s) 分钟
time        3600 h hr hrs hour(s) 小时 个小时 钟头 个钟头 个钟 | 86400 day(s) 天 日 | 604800 week(s) wk wks 周 星期 个星期
time        1209600 fortnight(s) | 900 刻钟
months      1 month(s) mth(s) 个月 | 3 个季度 | 12 year(s) yr yrs 年 | 120 decade(s) | 1200 century centuries 世纪
age         1 year-old(s) year_old(s) years_old years_and_up yrs_old 岁 周岁
charge      1 mah 毫安时 毫安 | 1000 安时
energy      1 wh watt-hour(s) watt_hour(s) 瓦时 | 1000 kwh 千瓦时 度电
power       1 watt(s) 瓦 | 1000 kw kilowatt(s) 千瓦
heat        1 kcal calorie(s) cal cals 大卡 千卡 卡路里 | 0.2390057 kj 千焦
voltage     1 volt(s) 伏 伏特
current     0.001 ma milliamp(s) | 1 amp(s) ampere(s) 安培
frequency   1 hz hertz 赫兹 | 1000 khz | 1e6 mhz | 1e9 ghz
data        0.001 kb | 1 mb megabyte(s) | 1000 gb gigabyte(s) | 1e6 tb terabyte(s)
bandwidth   1 mbps mbit/s | 1000 gbps gbit/s
light       1 lm lumen(s) 流明
loudness    1 db decibel(s) 分贝
celsius     1 °c ℃ degrees_c degree_c degrees_celsius 摄氏度
fahrenheit  1 °f degrees_f degree_f degrees_fahrenheit 华氏度
degree      1 ° degree(s) deg 度
pressure    1 bar 巴 | 1.01325 atm 个大气压 大气压 | 0.0689476 psi | 0.01 kpa | 10 mpa
speed       1 km/h kph kmh
rotation    1 rpm 转
size        1 码
cooling     1 匹
pixels      1 mp megapixel(s) | 0.01 万像素 | 100 亿像素
points      1 px pixel(s) dpi 像素
frames      1 fps 帧
brightness  1 nit(s) 尼特
percent     1 % percent per_cent pct %vol %_vol %abv %_abv | 10 成
alcohol     1 %vol %_vol %abv %_abv 度
discount    1 %_off %-off percent_off per_cent_off %_discount
times       1 x times 倍
carat       1 carat(s) karat(s) 克拉
yarn        1 denier 旦
cloth       1 gsm g/m2 g/m² g/sqm g/㎡ grams_per_square_metre grams_per_square_meter grams_a_square_metre
cloth       1 克/平方米 克每平方米 克每平米
star        1 star(s) 星 颗星
"""
_CUSTOMARY = """
length      0.0254 in inch(es) " ” ″ 英寸 寸 | 0.3048 ft foot feet ′ ' 英尺 | 0.9144 yd(s) yard(s) | 1609.344 mile(s) 英里
mass        0.028349523125 oz ounce(s) 盎司 | 0.45359237 lb lbs pound(s) 磅
volume      0.0295735296 fl_oz fl._oz fluid_ounce(s) oz ounce(s) 盎司 | 3.785411784 gal gallon(s) 加仑
volume      0.946352946 quart(s) | 0.473176473 pint(s) 品脱 | 0.56826125 pint(s)
area        0.09290304 sq_ft sqft square_feet square_foot 平方英尺
speed       1.609344 mph
"""
# Single letters that are units only as written, next to the number.
_AS_WRITTEN = {"W": ("power", 1.0), "V": ("voltage", 1.0), "A": ("current", 1.0), "Ah": ("charge", 1000.0)}
_AS_WRITTEN |= {"G": ("data", 1000.0), "T": ("data", 1e6)}
_AS_WRITTEN |= {"Ω": ("resistance", 1.0), "kΩ": ("resistance", 1e3), "MΩ": ("resistance", 1e6)}
_AS_WRITTEN |= {"mΩ": ("resistance", 1e-3)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One reading of a spelling: `size` in the base unit of `dimension`."""

    dimension: str
    size: float
    customary: bool = False


def _spellings(word: str) -> list[str]:
    plain = re.fullmatch(r"(.*)\((.*)\)", word)
    forms = [word] if plain is None else [plain[1], plain[1] + plain[2]]
    return [form.replace("_", " ") for form in forms]


def _table() -> dict[str, tuple[Unit, ...]]:
    table: dict[str, tuple[Unit, ...]] = {}
    for lines, customary in ((_METRIC, False), (_CUSTOMARY, True)):
        for line in lines.strip().splitlines():
            dimension, _, rest = line.partition(" ")
            for part in rest.split("|"):
                size, *words = part.split()
                unit = Unit(dimension=dimension, size=float(size), customary=customary)
                for form in (form for word in words for form in _spellings(word)):
                    table[form] = (*table.get(form, ()), unit)
    for letter, (dimension, factor) in _AS_WRITTEN.items():
        table[letter] = (Unit(dimension=dimension, size=factor),)
    return table


UNITS = _table()
"""Spelling (lower case but for the single letters W, V, A, G, T) to its readings."""


def _pattern() -> re.Pattern[str]:
    def alternatives(words: list[str]) -> str:
        return "|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word))))

    latin = [w for w in UNITS if re.match(r"[a-zµμ]", w)]
    chinese = [w for w in UNITS if re.match(r"[\u4e00-\u9fff]", w)]
    signs = [w for w in UNITS if w not in latin and w not in chinese and w not in _AS_WRITTEN and w != "'"]
    return re.compile(
        rf"\s?(?P<sign>(?i:{alternatives(signs)}))(?![a-z])|(?P<feet>'(?=\s?(?:\d|1[01])(?![\d.])))"
        rf"|(?P<letter>\s?(?:[WV]|Ah?|[kMm]?Ω)|{alternatives(list(_AS_WRITTEN))})(?![A-Za-z0-9_级景])"
        rf"|[\s-]?(?P<word>(?i:{alternatives(latin)}))(?![A-Za-z0-9²])"
        rf"|\s?(?P<chinese>{alternatives(chinese)})"
    )


UNIT_AFTER = _pattern()
"""Matches a unit right after a number."""


def unit_named(match: re.Match[str]) -> tuple[Unit, ...]:
    """The readings of what `UNIT_AFTER` matched."""
    letter = match["letter"]
    return UNITS[letter.strip() if letter else match[match.lastgroup or 0].lower()]
