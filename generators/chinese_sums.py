"""Numbers of Chinese copy that follow from a product's as its readers reckon: by uses, seats, pairs, areas and shares.

Thirty bags are good for thirty cups, a pot with four cups seats four, 2 x 5 m are ten square metres, and of six boxes
three may go to the fridge and three to the shelf; thirty tarts are five trays of six.
A shopper who asks of two gets an answer of two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from copybandit.generators.agreement import agrees
from copybandit.generators.counting import GENERIC, kin
from copybandit.generators.numerals import numerals
from copybandit.generators.quantity import Quantity
from copybandit.generators.units import Unit

_PIECE = "块"
"""A piece of soap or a yuan: a price, until something of the product is counted so."""
_THINGS = frozenset(word for word in GENERIC if not word.isascii()) | {_PIECE}
_USED = re.compile(r"够|陪|泡|哄|[可能](?:以)?(?:用|喝|吃|泡|贴|敷|洗|煮|做|写|拍|点)|换|攒")
_SEATS = frozenset(
    {kin("人份"), "杯", "碗", "盏", "椅", "凳", "座", "份", "副", "筷", "勺", "盘", "碟", "只", "把", "枚"}
)
_SEATED = re.compile(r"坐|围|喝|吃|分|用|聊|聚|够|下午|晚上|人的")
_FILLED = re.compile(r"一次|每次|一[盘锅层板炉盒]|[放装住收摆烤蒸做出]")
_APIECE = re.compile(r"分给|[一每]人一|人手一|各[一拿分]|送给")
_COSTS = re.compile(r"[价买卖售花省减付便宜钱]|只要|不到|才")
_INTO = re.compile(r"[放塞揣装分住插][进给]")
_PAIR = re.compile(r"一[双对副]|两只|左右")
_HEIGHT = re.compile(r"我|穿|个子|身高|躺|站|脚")
_TALL = range(80, 221)
"""Centimetres of a person, as notes give them without a unit (``185脚会出去``)."""
_GAP = 3
"""Characters between two sides of one surface."""
_A_DAY = re.compile(r"(?:[一每]天|[一每]日|[一每]晚)[只就]?[用吃喝泡点]?一")
_DAY = Unit(dimension="time", size=86400.0)
_AREA = Unit(dimension="area", size=1.0)
_LENGTH = Unit(dimension="length", size=0.01)


def _thing(held: Quantity) -> bool:
    return (held.bare or held.noun == _PIECE) and not held.token and held.noun in _THINGS


def made_in_chinese(said: Quantity, held: tuple[Quantity, ...], sentence: str) -> Iterator[Quantity]:
    """Quantities of the kind of `said` that Chinese readers make of the held ones.

    Args:
        said: the quantity in copy.
        held: all that the product holds.
        sentence: the words around it, folded.
    """
    if sentence.isascii():
        return
    unsaid = [replace(q, noun="", nouns=frozenset(), currency="") for q in held if _thing(q)]
    yield from _counts(said, held, sentence, unsaid)
    yield from _measures(said, held, sentence, unsaid)


def _counts(
    said: Quantity, held: tuple[Quantity, ...], sentence: str, unsaid: list[Quantity]
) -> Iterator[Quantity]:
    """Uses, people, contents and pieces."""
    if said.noun == kin("次") and _USED.search(sentence):
        yield from unsaid
    if kin("人") in (said.noun, *said.nouns) and _SEATED.search(sentence):
        yield from (replace(q, noun="", nouns=frozenset()) for q in held if q.bare and q.noun in _SEATS)
    if kin("人") in (said.noun, *said.nouns) and _APIECE.search(sentence):
        yield from unsaid
    if said.bare and _INTO.search(sentence):
        yield from unsaid
    if said.noun == _PIECE and not _COSTS.search(sentence):
        filled = _FILLED.search(sentence) is not None
        pieces = (q for q in held if q.bare and (_thing(q) or (filled and q.noun == kin("格"))))
        yield from (replace(q, noun=_PIECE, currency=said.currency) for q in pieces)
    if said.bare and said.noun in _THINGS and _FILLED.search(sentence):
        yield from (replace(q, noun=said.noun, nouns=frozenset()) for q in held if q.noun == kin("格"))


def _measures(
    said: Quantity, held: tuple[Quantity, ...], sentence: str, unsaid: list[Quantity]
) -> Iterator[Quantity]:
    """Days, weights of pairs, areas, sizes and lengths."""
    if _A_DAY.search(sentence):
        yield from (replace(q, units=(_DAY,)) for q in unsaid if said.units)
    for unit in said.units:
        if unit.dimension == "mass" and _PAIR.search(sentence):
            yield from (replace(q, values=(2 * q.values[0],)) for q in held if q.units)
        elif unit.dimension == "area":
            yield from _areas(held)
        elif unit.dimension == "size":
            yield from (replace(q, units=said.units) for q in held if q.bare and not q.token)
        elif unit.dimension == "length":
            yield from _sides(held)
        if unit.dimension == "length" and _HEIGHT.search(sentence):
            yield from (replace(q, units=(_LENGTH,)) for q in held if q.bare and q.values[0] in _TALL)


def _sides(held: tuple[Quantity, ...]) -> Iterator[Quantity]:
    """Bare sides (``200x230`` of a quilt) are centimetres."""
    for a, b in pairwise(held):
        if (
            a.bare
            and b.bare
            and not (a.token or b.token)
            and b.span[0] - a.span[1] == 1
            and a.until != a.until
        ):
            yield from (replace(q, units=(_LENGTH,)) for q in (a, b))


def _areas(held: tuple[Quantity, ...]) -> Iterator[Quantity]:
    """Products of two sides that the product states together."""
    for a, b in pairwise(held):
        sides = a.units and b.units and a.units[0].dimension == b.units[0].dimension == "length"
        if sides and 0 <= b.span[0] - a.span[1] <= _GAP:
            area = a.values[0] * a.units[0].size * b.values[0] * b.units[0].size
            yield replace(a, values=(round(area, 9),), units=(_AREA,))


_GIVEN = re.compile(r"(?:送(?!出|给|走|掉|人|妈|爸|朋|邻|同)|赠|[多加另再]|额外|第|满|买)[^,。;]{0,3}$")


def shared_out(
    low: str, open_: list[Quantity], found: tuple[Quantity, ...], held: tuple[Quantity, ...]
) -> list[Quantity]:
    """Those numbers of a copy that divide what the product holds: ``三只给冰箱，三只给橱柜`` of six.

    They add up to the whole, or take some of a whole that the copy names before.

    Args:
        low: the copy, folded.
        open_: its numbers that the product does not say.
        found: all its numbers.
        held: those of the product.
    """
    shared = [q for q in open_ if _factor(q, low, held)]
    for noun in {q.noun for q in open_ if q.bare or q.noun == _PIECE} - {""}:
        parts = [q for q in open_ if q.noun == noun and not _GIVEN.search(low[: q.span[0]])]
        wholes = {
            q.values[0] for q in held if not q.units and (q.noun == noun or (_thing(q) and noun in _THINGS))
        }
        ones = len(re.findall(rf"一{noun}(?!{noun})", low)) if noun in _THINGS else low.count("一层")
        told = sum(q.values[0] for q in parts)
        sums = {told + ones_taken for ones_taken in range(ones + 1)} if parts else set()
        first = min((q.span[0] for q in parts), default=0)
        named = {q.values[0] for q in found if q not in open_ and q.noun == noun and q.span[0] < first}
        if (len(parts) + ones > 1 and sums & wholes) or any(told < whole for whole in named & wholes):
            shared += parts
    return shared


_RATE = re.compile(r"[一每]个?烤?(?:人|天|日|周|月|盘|碗|袋|盒|次|组|层|杯|壶|顿|晚|家|桌|排|板|串|包)")


def _factor(quantity: Quantity, low: str, held: tuple[Quantity, ...]) -> bool:
    """Whether it and another number make a count of the product's: ``一盘六个，能烤五盘`` of thirty."""
    if _RATE.search(low) is None or quantity.currency or quantity.token:
        return False
    wholes = {q.values[0] for q in held if _thing(q) and q.values[0] > _FEW}
    others = (one for one in numerals(low) if not quantity.span[0] <= one.span[0] < quantity.span[1])
    return any(quantity.values[0] * one.values[0] in wholes for one in others if one.values[0] > 1)


_FEW = 5
"""Counts up to this have too few factors to tell anything."""
_BUYS = re.compile(r"(?:买|拍|订|下单|入手?|囤|要是?有|拿|带)(?:了|上|个)?$")
_TOGETHER = re.compile(r"[一-鿿]?(?:音箱|灯|机)?(?:之间|能|可以|可不可以|一起|同时|互相|会不会)")


def ordered(quantity: Quantity, asked: tuple[Quantity, ...], question: str) -> bool:
    """Whether a count is how many the shopper speaks of buying (``买两个能一起响吗``), and so nothing of the product's."""
    return quantity.noun in _THINGS and any(
        agrees(quantity, one)
        and one.noun in _THINGS
        and (_BUYS.search(question[: one.span[0]]) or _TOGETHER.match(question, one.span[1]))
        for one in asked
    )
