"""Numbers that follow from several of a product's: three packs of 500 g are 1.5 kg, 2-4 players may be three.

A sum, a difference or a share needs a word that says so (`together`, `left`, `each`, 一共, 还剩, 每), since any two
numbers have some.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from copybandit.generators.agreement import EXACT, LISTED, agrees, same_thing
from copybandit.generators.chinese_sums import made_in_chinese
from copybandit.generators.counting import CODES, PARTS
from copybandit.generators.quantity import Quantity
from copybandit.generators.units import Unit

_WHOLE = frozenset({"mass", "volume"})
_ADDED = _WHOLE | {"length", "time", "area", "power", "charge", "energy", "heat"}
_RANGED = _WHOLE | {"length", "age", "celsius", "fahrenheit", "degree", "speed", "area", "power", "size"}
"""Where a range is a choice: the middle of 3-5 hours is a guess, that of 48-54 cm a fit."""
_PAIRS = frozenset({"pair", "双", "对", "副"})
_SIDES, _LEAVES = frozenset({"page", "side"}), frozenset({"sheet", "leaf", "leave"})
_MOST = 100
"""Things in a pack, at most, whose sizes copy may add up."""

_TOTAL = re.compile(
    r"\b(?:together|in all|total|altogether|all told|combined|adds? up|makes?|in sum|between them|both|full set|whole|"
    r"comes? to)\b|[一总]共|合计|加起来|合起来|凑|全部|总计|统共|加一起|[就正]好是|等于"
)
_LEFT = re.compile(
    r"\b(?:left|leaves?|leaving|remain\w*|still ha(?:s|ve)|lose|spare|short of|save|saving|difference|minus|"
    r"(?:long|short|tall|wid|narrow|thick|thin|light|heavi)e?r)\b"
    r"|[还只]?剩|相?差(?!评|异|不多)|比[^,，。]{0,6}[多少轻重长短高低大小]|余下|省[下了]|立省|减去|多出"
)
_EACH = re.compile(
    r"\b(?:each|apiece|every|per|an? (?:piece|cup|pack|pair|bag|bar|card|day|week|month)|works out)\b"
    r"|每|[一单][个件只支条片张本包盒袋瓶罐枚颗粒块双杯次份根卷团串听桶节枝]|平均|折合"
)
_DAILY = re.compile(r"\b(?:one|1|once) (?:a|per|each|every) day\b|\bdaily\b|每[天日]一|一[天日]一")


def derived(said: Quantity, held: tuple[Quantity, ...], sentence: str) -> bool:
    """Whether a quantity follows from several that the product holds.

    Args:
        said: the quantity in copy.
        held: all that the product holds.
        sentence: the words around it, folded.
    """
    if said.token:
        return False
    if said.relation in ("", "<=", ">=") and any(_inside(said, range_) for range_ in held):
        return True
    if any(agrees(said, made) for made in _made(said, held, sentence)):
        return True
    return any(agrees(said, made) or _inside(said, made) for made in made_in_chinese(said, held, sentence))


def _inside(said: Quantity, held: Quantity) -> bool:
    """Whether a value lies in a range of choices."""
    if not held.until > held.values[0] or bool(said.units) != bool(held.units) or said.currency:
        return False
    if not said.units:
        whole = said.values[0] == int(said.values[0])
        return (
            whole
            and (bool(said.noun) or held.noun == "person")  # bring two friends, or four
            and same_thing(said, held)
            and held.values[0] <= said.values[0] <= held.until
        )
    return any(
        a.dimension == b.dimension
        and a.dimension in _RANGED
        and held.values[0] * b.size * (1 - EXACT)
        <= said.values[0] * a.size
        <= held.until * b.size * (1 + EXACT)
        for a in said.units
        for b in held.units
    )


def _made(said: Quantity, held: tuple[Quantity, ...], sentence: str) -> Iterator[Quantity]:
    """Quantities of the kind of `said` that products, sums, differences and shares of the held ones make."""
    counts = [q for q in held if q.bare and not q.token and q.noun not in CODES]
    whole = [q for q in counts if q.span[1] and 2 <= q.values[0] <= _MOST and not q.values[0] % 1]
    packs = {q.values[0] for q in whole if q.noun not in PARTS}
    lists = {q.values[0] for q in held if q.noun == LISTED}
    kin = [q for q in held if _alike(said, q)]
    total = _TOTAL.search(sentence) is not None
    if said.bare and said.noun not in PARTS:
        singles = [
            replace(q, values=(2 * q.values[0],), noun="", nouns=frozenset())
            for q in counts
            if q.noun in _PAIRS
        ]
        kin += singles
        yield from singles
    if total or said.noun or (said.units and said.units[0].dimension in _WHOLE):
        times = {q.values[0] for q in whole} if total else packs
        yield from (
            _scaled(q, count) for q in kin for count in times if said.units or total or count != q.values[0]
        )
    if said.noun in _SIDES:
        yield from (replace(_scaled(q, 2.0), noun=said.noun) for q in counts if q.noun in _LEAVES)
    if total:
        yield from (_scaled(q, 1.0 + other / q.values[0]) for q, other in _pairs(kin))
        yield from _scaled_all(kin)
    if _LEFT.search(sentence):
        yield from (_scaled(q, abs(1.0 - other / q.values[0])) for q, other in _pairs(kin))
        yield from (replace(q, values=(q.values[0] - 1,)) for q in kin if said.bare and not said.noun)
    if _EACH.search(sentence):
        lists |= {q.values[0] for q in whole if q.noun and q.noun in sentence}  # ten sheets of each colour
        yield from (_scaled(q, 1.0 / count) for q in kin for count in packs | lists)
    if said.units and said.units[0].dimension in ("time", "months") and _DAILY.search(sentence):
        yield from (replace(q, units=(_DAY,)) for q in counts)


_DAY = Unit(dimension="time", size=86400.0)


def _alike(said: Quantity, held: Quantity) -> bool:
    """Whether two quantities can be added: of one dimension, both prices, or counts of the same."""
    if held.token or not held.values[0]:
        return False
    if said.currency:
        return bool(held.currency)
    if said.units:
        return bool(held.units) and any(
            a.dimension == b.dimension and a.dimension in _ADDED for a in said.units for b in held.units
        )
    return held.bare and held.noun not in CODES and same_thing(said, held)


def _scaled(held: Quantity, factor: float) -> Quantity:
    """A held quantity times a factor; prices are told to the cent."""
    value = held.values[0] * factor
    return replace(
        held, values=(round(value, 2) if held.currency else value,), until=float("nan"), relation=""
    )


def _pairs(kin: list[Quantity]) -> Iterator[tuple[Quantity, float]]:
    """Two different quantities of one kind, the second in the unit of the first."""
    for place, first in enumerate(kin):
        for second in kin[place + 1 :]:
            yield first, second.values[0] * _ratio(second, first)


def _ratio(of: Quantity, to: Quantity) -> float:
    return of.units[0].size / to.units[0].size if of.units and to.units else 1.0


def _scaled_all(kin: list[Quantity]) -> Iterable[Quantity]:
    """The sum of all quantities of one kind."""
    if len(kin) > 2:
        yield replace(
            kin[0], values=(sum(q.values[0] * _ratio(q, kin[0]) for q in kin),), noun="", nouns=frozenset()
        )
