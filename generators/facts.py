"""Facts are vetoes: every number, price, date, material and brand in copy follows from the product's own fields.

The product is read once and kept (`said_of`); copy is read each time and compared. What a shopper's segment cares for may
name a material, since an interest word speaks of the reader. Numbers are compared with what they measure
(`copybandit.generators.agreement`): the right number with the wrong unit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from copybandit.generators.agreement import agrees, multiplied
from copybandit.generators.brands import foreign_brands
from copybandit.generators.dates import DateSaid
from copybandit.generators.denials import contrasted
from copybandit.generators.materials import implied_materials, materials
from copybandit.generators.normalising import folded, normalise
from copybandit.generators.numerals import numerals, vague
from copybandit.generators.quantities import Quantity, quantities
from copybandit.generators.rejection import Rejection, reject
from copybandit.sim.types import Product

_WORDS = re.compile(r"[^\W_][\w'-]*")
_TOKEN = re.compile(r"[a-z0-9]+")
_IDLE_WORDS = frozenset("a an the of and with for in on to up is are by or no not".split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """All that a shop says of one product, read once.

    Attributes:
        text: name, title, brand, facts and price, normalised.
        folded: the same, folded for comparison.
        brand: the brand; a number in it (``Nine Elms``) is a name, no fact.
        quantities: every quantity in it, the price among them.
        dates: every date in it.
        words: its words, lower case.
        tokens: its codes (``a4``, ``usb3``), also those written in two parts (``usb 3``).
        codes: words of letters and digits, whole (``x80ck``, ``7.2ch``).
        materials: ids of materials named or implied.
        years: those of its dates.
    """

    text: str
    folded: str
    brand: str
    quantities: tuple[Quantity, ...]
    dates: tuple[DateSaid, ...]
    words: frozenset[str]
    tokens: frozenset[str]
    codes: frozenset[str]
    materials: frozenset[str]
    years: frozenset[int]


@lru_cache(maxsize=8192)
def said_of(product: Product, more: str = "", currency: str = "") -> Said:
    """Read a product.

    Args:
        product: its fields are the only facts.
        more: further text that is true of it, such as a buyer's notes.
        currency: ISO 4217 code of its price; empty lets copy write any.
    """
    text = normalise(
        " ; ".join((product.name, product.title, product.brand, *product.facts, more, f"{product.price:.2f}"))
    )
    low = folded(text)
    found, dated = quantities(_without(text, product.brand))
    price = Quantity(values=(product.price,), currency=currency or "?")
    runs = _TOKEN.findall(low)
    joined = (
        "".join(pair) for size in (2, 3) for pair in zip(*(runs[i:] for i in range(size)), strict=False)
    )
    return Said(
        text=text,
        folded=low,
        brand=product.brand,
        quantities=(*found, price, *_spoken(low)),
        dates=dated,
        words=frozenset(_WORDS.findall(low)),
        tokens=frozenset((*runs, *joined)),
        codes=frozenset(_CODE.findall(low)),
        materials=implied_materials(low),
        years=frozenset(date.year for date in dated if date.year),
    )


_TWO = re.compile(
    r"\b(?:pairs?|twin|duo|front and (?:back|rear)|left and right|inner and outer|upper and lower|top and bottom"
    r"|both sides)\b|一对|双(?=层|人|面|头|肩|色)"
)


def _spoken(low: str) -> tuple[Quantity, ...]:
    """Counts that are said without a number: a pair, front and back."""
    return (Quantity(values=(2.0,)),) if _TWO.search(low) else ()


_NO_MATERIAL = "not among the product's materials"


def unsupported(
    said: Said, text: str, *, interests: str = "", brands: tuple[str, ...] = ()
) -> list[Rejection]:
    """Every number, date, material and brand of a normalised text that the product does not support.

    Args:
        said: what the product says.
        text: the copy, normalised; spans are places in it.
        interests: words that the reader cares for.
        brands: all brands of the shop.
    """
    low = folded(text)
    made = [m for m in materials(low) if m.material not in said.materials and not contrasted(low, m.span[0])]
    known = implied_materials(interests.lower()) if made and interests else frozenset()
    return [
        *_numbers(said, text, low),
        *(
            Rejection(rule="material", span=m.span, reason=f"{text[slice(*m.span)]!r}: {_NO_MATERIAL}")
            for m in made
            if m.material not in known
        ),
        *(
            reject("brand", match, f"{match.group()!r} is another brand")
            for match in foreign_brands(text, said.folded, brands)
        ),
    ]


def _without(text: str, brand: str) -> str:
    """Blank the brand; places stay."""
    if brand.lower() not in text.lower():
        return text
    return (
        re.sub(re.escape(brand), lambda m: " " * len(m.group()), text, flags=re.IGNORECASE) if brand else text
    )


_ORDINAL = re.compile(
    r"\b(?:second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth) (?:edition|generation|printing|volume|series)\b"
)
_OR_TWO = re.compile(r"\ban? \w+,? or $")


def _within(span: tuple[int, int], found: tuple[Quantity, ...]) -> bool:
    """Whether a word is part of a quantity, as `percent` in ``25 percent off``."""
    return any(q.span[0] < span[0] and span[1] <= q.span[1] for q in found)


def _numbers(said: Said, text: str, low: str) -> Iterator[Rejection]:
    found, dated = quantities(_without(text, said.brand))
    yield from (
        reject("number", match, f"{match.group()!r} is not among the product's numbers")
        for match in vague(text)
        if match.group().lower() not in said.words and not _within(match.span(), found)
    )
    yield from (
        reject("number", match, f"{match.group()!r} is not what the product says")
        for match in _ORDINAL.finditer(low)
        if match.group() not in said.folded
    )
    for date in dated:
        if not any(date.agrees(held) for held in said.dates) and not _year_said(said, date):
            reason = f"{text[slice(*date.span)]!r} is not among the product's dates"
            yield Rejection(rule="date", span=date.span, reason=reason)
    for quantity in found:
        if not _supported(said, quantity, low):
            yield Rejection(rule="number", span=quantity.span, reason=_reason(said, quantity, text))


def _year_said(said: Said, date: DateSaid) -> bool:
    """A year alone may stand in a title as a bare number (``Calendar 2024``)."""
    return not date.month and any(held.bare and held.values[0] == date.year for held in said.quantities)


def _supported(said: Said, quantity: Quantity, low: str) -> bool:
    if _code(low, quantity.span) in said.codes:
        return True
    if quantity.token:
        return quantity.token in said.tokens
    start, _ = quantity.span
    if quantity.values == (2.0,) and _OR_TWO.search(low[:start]):  # `a page, or two` counts nothing
        return True
    if any(agrees(quantity, held) for held in said.quantities) or multiplied(quantity, said.quantities):
        return True
    if quantity.bare and quantity.values[0] in said.years:
        return True
    return _verbatim(said, quantity, low)


_CODE = re.compile(r"(?=[^\s;]*\d)(?=[^\s;]*[a-z])[a-z\d](?:[\w./+-]*\w)?")


def _code(low: str, span: tuple[int, int]) -> str:
    """The whole of a code that a number is part of (``x80ck``, ``7.2ch``), else nothing."""
    for match in _CODE.finditer(low, max(0, span[0] - _MOST_CODE)):
        if match.start() <= span[0] and span[1] <= match.end():
            return match.group()
        if match.start() > span[0]:
            break
    return ""


_MOST_CODE = 24
"""Characters of a code before its number."""
_FOLLOWED = re.compile(r"[ -][a-z]{3,}")


def _verbatim(said: Said, quantity: Quantity, low: str) -> bool:
    """Whether the product says it in the same words (``half pans``), or names a material that is pure."""
    start, end = quantity.span
    if quantity.units and quantity.units[0].dimension == "percent":  # `100% cotton` of a thing of pure cotton
        return any(m.span[0] <= start < m.span[1] and m.material in said.materials for m in materials(low))
    if quantity.units and quantity.units[0].dimension == "resistance":  # mΩ and MΩ differ in case alone
        return False
    if quantity.bare:
        follows = _FOLLOWED.match(low, end)
        if follows is None:
            return False
        end = follows.end()
    place = said.folded.find(low[start:end])
    while place >= 0:  # between two words of the product's
        stop = place + end - start
        if not _WORDY.match(said.folded[stop : stop + 1]) and not _BEFORE.search(said.folded[:place]):
            return True
        place = said.folded.find(low[start:end], place + 1)
    return False


_WORDY = re.compile(r"\w")
_BEFORE = re.compile(r"[\w.,]$")


def _reason(said: Said, quantity: Quantity, text: str) -> str:
    start, end = quantity.span
    told = text[start : end + 12].split(" ; ")[0] if quantity.bare and quantity.noun else text[start:end]
    if any(set(quantity.values) & set(held.values) for held in said.quantities):
        return f"{told!r}: the product has this number, of something else"
    return f"{told!r} is not among the product's numbers"


def numbers(text: str) -> set[str]:
    """Values of the numbers of a text, each in one spelling (``8,50`` and ``8.5`` agree), and its vague number words."""
    found = {f"{n.values[0]:.10g}" for n in numerals(text) if n.values[0] != 1 or n.kind == "digits"}
    return found | {match.group().lower() for match in vague(text)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Which attributes of its product a copy mentions.

    Attributes:
        name: whether every word of the name stands there.
        brand: whether the brand does.
        price: whether the price does.
        facts: the facts that it mentions, in the product's order.
        share: mentioned facts over all facts, in [0, 1]; nan for a product without facts.
    """

    name: bool
    brand: bool
    price: bool
    facts: tuple[str, ...]
    share: float


def coverage(product: Product, text: str) -> Coverage:
    """Which attributes of a product a text mentions; a number counts in any spelling and unit."""
    plain = normalise(text)
    low, (found, _) = folded(plain), quantities(plain)
    mentioned = tuple(fact for fact in product.facts if _mentions(fact, low, found))
    price = Quantity(values=(product.price,), currency="?")
    return Coverage(
        name=_holds(product.name, low),
        brand=bool(product.brand) and _holds(product.brand, low),
        price=any((q.currency or q.bare) and not q.token and agrees(q, price) for q in found),
        facts=mentioned,
        share=len(mentioned) / len(product.facts) if product.facts else float("nan"),
    )


def _holds(words: str, low: str) -> bool:
    needed = folded(normalise(words))
    return needed in low or set(_WORDS.findall(low)).issuperset(_WORDS.findall(needed))


def _mentions(fact: str, low: str, found: tuple[Quantity, ...]) -> bool:
    plain = normalise(fact)
    if folded(plain) in low:
        return True
    held, _ = quantities(plain)
    if held:
        return all(any(agrees(quantity, h) for quantity in found) for h in held)
    words = set(_WORDS.findall(folded(plain))) - _IDLE_WORDS
    return bool(words) and words.issubset(_WORDS.findall(low))
