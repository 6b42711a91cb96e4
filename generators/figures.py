"""Every number and date of copy follows from the product's own, or compares a shopper's with them.

What a number measures decides (`copybandit.generators.agreement`); what follows from several numbers, too
(`copybandit.generators.arithmetic`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from copybandit.generators.agreement import agrees
from copybandit.generators.arithmetic import derived
from copybandit.generators.chinese_sums import ordered, shared_out
from copybandit.generators.codes import code_at, token_said
from copybandit.generators.counting import CODES, GENERIC, PARTS, singular
from copybandit.generators.denials import denied
from copybandit.generators.equations import equated
from copybandit.generators.materials import materials
from copybandit.generators.normalising import has_chinese
from copybandit.generators.numerals import vague
from copybandit.generators.portions import portioned
from copybandit.generators.quantities import quantities
from copybandit.generators.quantity import Quantity
from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.shares import composed

if TYPE_CHECKING:
    from copybandit.generators.facts import Said


def without(text: str, brand: str) -> str:
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


def unsupported_figures(said: Said, text: str, low: str, question: str = "") -> Iterator[Rejection]:
    """Every number and date of a normalised text that the product does not support.

    Args:
        said: what the product says.
        text: the copy.
        low: the same, folded.
        question: what the shopper asked, normalised.
    """
    found, dated = quantities(without(text, said.brand))
    yield from _worded(said, text, low, found)
    for date in dated:
        if not (said.dated(date) or _ruled_out(low, date.span)):
            reason = f"{text[slice(*date.span)]!r} is not among the product's dates"
            yield Rejection(rule="date", span=date.span, reason=reason)
    open_ = [q for q in found if not _supported(said, q, low)]
    if not open_:
        return
    asked = quantities(question, held=True)[0] if question else ()
    shared = shared_out(low, open_, found, said.quantities)
    for quantity in open_:
        if quantity in shared or ordered(quantity, asked, question):
            continue
        if not (
            _compares(quantity, asked, found, open_, low)
            or _completes(quantity, open_, said, low)
            or equated(quantity, open_, found, said.quantities, _sentence(low, quantity.span), low)
        ):
            yield Rejection(rule="number", span=quantity.span, reason=_reason(said, quantity, text))


def _worded(said: Said, text: str, low: str, found: tuple[Quantity, ...]) -> Iterator[Rejection]:
    """Vague number words and ordinals that the product does not say."""
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


_STOPS = re.compile(r"[.!?;。！？；](?!\d)")
_AFFIRMS = re.compile(
    r"\s*(?:yes|sure|of course|certainly|absolutely|it does|correct|对|是的|可以|能|没错|当然|有的)"
)


def _sentence(low: str, span: tuple[int, int]) -> str:
    """The sentence that a place stands in."""
    start = max((m.end() for m in _STOPS.finditer(low, 0, span[0])), default=0)
    stop = _STOPS.search(low, span[1])
    return low[start : stop.start() if stop else len(low)]


def _compares(
    quantity: Quantity,
    asked: tuple[Quantity, ...],
    found: tuple[Quantity, ...],
    open_: list[Quantity],
    low: str,
) -> bool:
    """Whether an answer sets the shopper's own number beside one of the product's, and does not just say yes to it."""
    if not any(agrees(quantity, own) for own in asked):
        return False
    told = [q for q in found if q not in open_ and _same_kind(q, quantity)]
    return bool(told) and not _AFFIRMS.match(_sentence(low, quantity.span))


def _same_kind(a: Quantity, b: Quantity) -> bool:
    if a.token or b.token:
        return False
    if a.bare or b.bare:
        return not (a.currency or b.currency)
    return bool(_dimensions(a) & _dimensions(b))


def _dimensions(quantity: Quantity) -> set[str]:
    """What it measures; ages are months, too."""
    return {"months" if u.dimension == "age" else u.dimension for u in quantity.units}


_COMPLETES = re.compile(
    r"[还只]?[差缺剩]|凑|多出|\b(?:short of|left|leaves|remain\w*|away from|minus|plus|lose)\b"
)


def _completes(quantity: Quantity, open_: list[Quantity], said: Said, low: str) -> bool:
    """Whether two numbers of a sentence are an equation with one of the product's: ``差20克就是一斤`` of 480 g."""
    sentence = _sentence(low, quantity.span)
    if len(open_) != _TWO_OPEN or not quantity.units or _COMPLETES.search(sentence) is None:
        return False
    a, b = open_
    if not (a.units and b.units and a.units[0].dimension == b.units[0].dimension):
        return False
    more = b.values[0] * b.units[0].size / a.units[0].size
    made = (replace(a, values=(abs(a.values[0] + sign * more),), relation="") for sign in (1, -1))
    return any(_follows(said, one, sentence) for one in made)


_TWO_OPEN = 2


def _supported(said: Said, quantity: Quantity, low: str) -> bool:
    if code_at(low, quantity.span) in said.codes:
        return True
    if quantity.token:
        return quantity.token in said.tokens or token_said(said, quantity.token)
    start, _ = quantity.span
    if quantity.values == (2.0,) and _OR_TWO.search(low[:start]):  # `a page, or two` counts nothing
        return True
    if (
        quantity.units
        and quantity.units[0].dimension == "percent"
        and composed(said.shares, quantity, low) is False
    ):
        return False
    if _follows(said, quantity, _sentence(low, quantity.span)):
        return True
    dated = _year(quantity) and (quantity.values[0] in said.years or _ruled_out(low, quantity.span))
    if quantity.bare and (dated or _elsewhere(said, quantity, low)):
        return True
    return _verbatim(said, quantity, low)


# Words that make what follows a part, a content or a capacity of the product.
_OWN = re.compile(
    r"\b(?:with|includ\w+|comes?|ha[sd]|have|having|features?|plus|boasts?|offers?|holds?|fits?|takes?|makes?|made|serves?|"
    r"feeds?|brews?|carr(?:y|ies)|stores?|packs?|contains?|of|the|its|these|those|in|per|every|sleeps|seats|charges?|"
    r"powers?|up to|over|about|extra|free|our|covers?|needs?|uses?|lasts?|gives?|delivers?|all|won|by|from|at|to|get|got)"
    r"\s(?:\w+ )?$"
)
_RATED = re.compile(r"[ -](?:\w+ )?(?:an?|per|each|every) (?:day|week|month|night)\b")
_CLAIMED = frozenset(
    "figure award doctor dentist expert customer buyer tester reviewer mum parent vet star medal".split()
)
_SMALL = 12


def _elsewhere(said: Said, quantity: Quantity, low: str) -> bool:
    """Whether a small number in a word counts things of the reader's world: no part, nothing for sale, no word of a fact."""
    (start, end), noun = quantity.span, quantity.noun
    if (
        quantity.token
        or quantity.relation
        or not noun
        or quantity.values[0] > _SMALL
        or quantity.values[0] % 1
    ):
        return False
    if noun in PARTS | GENERIC | CODES | _CLAIMED or has_chinese(noun) or not low[start].isalpha():
        return False
    known = {singular(word) for word in said.words} | PARTS
    return not (quantity.nouns & known or _OWN.search(low[:start]) or _RATED.match(low, end))


def _follows(said: Said, quantity: Quantity, sentence: str) -> bool:
    return (
        any(agrees(quantity, held) for held in said.quantities)
        or derived(quantity, said.quantities, sentence)
        or portioned(quantity, said.quantities, sentence, said.folded)
    )


_NOT_THAT = re.compile(
    r"[^.;!?]{0,40}?\b(?:isn't|is not|aren't|are not|won't be|not (?:in|covered|included)|missing|falls? outside|left out)\b"
)


def _year(quantity: Quantity) -> bool:
    return 1500 <= quantity.values[0] < 2200 and not quantity.values[0] % 1


def _ruled_out(low: str, span: tuple[int, int]) -> bool:
    """Whether copy says of a date that it is none of the product's: ``not for 2027``, ``spring 2025 isn't in it``."""
    return denied(low, span[0]) or _NOT_THAT.match(low, span[1]) is not None


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
    same = any(set(quantity.values) & set(held.values) for held in said.quantities)
    if same:
        return f"{told!r}: the product has this number, of something else"
    return f"{told!r} is not among the product's numbers"
