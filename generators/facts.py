"""Facts are vetoes: every number, price, date, material and brand in copy follows from the product's own fields.

The product is read once and kept (`said_of`); copy is read each time and compared. What a shopper's segment cares for may
name a material, since an interest word speaks of the reader. Numbers are compared with what they measure
(`copybandit.generators.agreement`): the right number with the wrong unit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from copybandit.generators.agreement import agrees
from copybandit.generators.brands import foreign_brands
from copybandit.generators.codes import CODE
from copybandit.generators.dates import DateSaid, follows
from copybandit.generators.denials import contrasted
from copybandit.generators.figures import unsupported_figures, without
from copybandit.generators.materials import implied_materials, materials
from copybandit.generators.normalising import folded, normalise
from copybandit.generators.numerals import numerals, vague
from copybandit.generators.portions import listed
from copybandit.generators.quantities import quantities
from copybandit.generators.quantity import Quantity
from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.shares import shares_of
from copybandit.generators.spoken import spoken
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
        shares: shares of materials that it states, in percent.
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
    shares: Mapping[str, tuple[Quantity, ...]]

    def dated(self, date: DateSaid) -> bool:
        """Whether it says a date; a year alone may stand in a title as a bare number (``Calendar 2024``)."""
        year = not date.month and any(q.bare and q.values[0] == date.year for q in self.quantities)
        return year or follows(date, self.dates)


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
    found, dated = quantities(without(text, product.brand), held=True)
    price = Quantity(values=(product.price,), currency=currency or "?")
    runs = _TOKEN.findall(low)
    joined = (
        "".join(pair) for size in (2, 3) for pair in zip(*(runs[i:] for i in range(size)), strict=False)
    )
    return Said(
        text=text,
        folded=low,
        brand=product.brand,
        quantities=(*found, price, *spoken(low), *listed(tuple(map(folded, product.facts)))),
        dates=dated,
        words=frozenset(_WORDS.findall(low)),
        tokens=frozenset((*runs, *joined)),
        codes=frozenset(CODE.findall(low)),
        materials=implied_materials(low),
        years=frozenset(date.year for date in dated if date.year),
        shares=shares_of(low, found),
    )


def unsupported(
    said: Said, text: str, *, interests: str = "", brands: tuple[str, ...] = (), question: str = ""
) -> list[Rejection]:
    """Every number, date, material and brand of a normalised text that the product does not support.

    Args:
        said: what the product says.
        text: the copy, normalised; spans are places in it.
        interests: words that the reader cares for.
        brands: all brands of the shop.
        question: what the shopper asked, normalised; an answer may compare its numbers with the product's.
    """
    low = folded(text)
    made = [m for m in materials(low) if m.material not in said.materials and not contrasted(low, m.span[0])]
    known = implied_materials(interests.lower()) if made and interests else frozenset()
    return [
        *unsupported_figures(said, text, low, question),
        *(
            Rejection(
                rule="material",
                span=m.span,
                reason=f"{text[slice(*m.span)]!r} is no material of the product's",
            )
            for m in made
            if m.material not in known
        ),
        *(
            reject("brand", match, f"{match.group()!r} is another brand")
            for match in foreign_brands(text, said.folded, brands)
        ),
    ]


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
