"""What a brief has to say: its facts by the kind of slot they fill, each to be said once.

English: a fact of one word without digits can stand before a noun (``blue``); every other fact is a phrase. Chinese:
colours, materials and styles can; the rest are phrases. A fact of several sentences is cut after its first. Facts in another
language than the copy's are left out, never translated (`copybandit.generators.languages`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from copybandit.generators.chinese import is_attributive
from copybandit.generators.languages import in_language, spoken
from copybandit.generators.limits import MAX_TAG
from copybandit.sim.types import Brief

_SENTENCE_END = re.compile(r"[!?](?:\s|$)|(?<=[^\s.]{3})\.(?:\s|$)|[。！？；]|;\s")
_INNER_END = re.compile(r"[.!?…][\s\"')]|[。！？]")
_NOUN = re.compile(r"(?:[a-z]{3}(?:[st]ion|ment|ship|ism)|ness|[ae]nce|[ae]ncy|ity)s?$", re.IGNORECASE)
_TAIL = re.compile(r" (?:with|for|from)(?= )| (?:with|for|from|and|&|-)$", re.IGNORECASE)
_FIRST = re.compile(r"\S+ (?:(?:of|and|&|to|the|an?|-|\d+) )*(?=\S)", re.IGNORECASE)
_LIST_MARK = re.compile(r"[,，、]")
GROUPS = (("adj", "adj2"), ("phrase", "phrase2", "phrase3"), ("interest", "interest2"))
"""Slots that are filled from one store of words, in this order."""


def is_adjective(fact: str) -> bool:
    """A one-word fact without digits can stand before a noun; every other fact is a phrase.

    >>> [is_adjective(fact) for fact in ("blue", "holds 350 ml", "IP67", "Deterrence")]
    [True, False, False, False]
    """
    return " " not in fact and not any(letter.isdigit() for letter in fact) and not _NOUN.search(fact)


def distinct(words: Iterable[str]) -> tuple[str, ...]:
    """The words that are not empty, the last spelling of each, in order."""
    return tuple({word.lower(): word for word in words if word.strip()}.values())


def first_sentence(fact: str) -> str:
    """A fact up to the end of its first sentence, without the end mark.

    >>> first_sentence("Waterproof (IP67). Rugged, portable!")
    'Waterproof (IP67)'
    >>> first_sentence("No. 5 scent, 1.5 l")
    'No. 5 scent, 1.5 l'
    """
    return _SENTENCE_END.split(fact.strip(), maxsplit=1)[0].strip().rstrip(".,;:，。；：")


def name_forms(name: str) -> Iterator[str]:
    """A name, then ever shorter forms of it: without what follows ``with`` and the like, without its first words.

    >>> list(name_forms("set of 6 enamel mugs with lids"))
    ['set of 6 enamel mugs with lids', 'set of 6 enamel mugs', 'enamel mugs', 'mugs']
    """
    yield name
    while tails := list(_TAIL.finditer(name)):
        name = name[: tails[-1].start()]
        yield name
    while (first := _FIRST.match(name)) is not None:
        name = name[first.end() :]
        yield name


@dataclass(frozen=True, kw_only=True)
class Sayable:
    """What is left to say.

    Attributes:
        stores: words of each of `GROUPS`, next one first.
        singles: value of every other slot.
    """

    stores: tuple[tuple[str, ...], ...]
    singles: Mapping[str, str]

    @property
    def values(self) -> dict[str, str]:
        """What fills each slot now; a slot that nothing fills is absent."""
        filled = dict(self.singles)
        for slots, words in zip(GROUPS, self.stores, strict=True):
            filled |= dict(zip(slots, words, strict=False))
        return filled

    def without(self, slots: frozenset[str]) -> Sayable:
        """What is left once a move with these slots has been said; the name may be said again."""
        stores = tuple(
            words[len(slots.intersection(group)) :] for group, words in zip(GROUPS, self.stores, strict=True)
        )
        singles = {slot: value for slot, value in self.singles.items() if slot == "name" or slot not in slots}
        return replace(self, stores=stores, singles=singles)

    def named(self, name: str) -> Sayable:
        """With another form of the name."""
        return replace(self, singles={**self.singles, "name": name})

    def shorter(self) -> Sayable | None:
        """Without its longest word or phrase; None when there is none to leave out."""
        longest = max((word for words in self.stores for word in words), key=len, default=None)
        if longest is None:
            return None
        return replace(self, stores=tuple(tuple(w for w in words if w != longest) for words in self.stores))


def sayable(brief: Brief, rng: np.random.Generator | None) -> Sayable:
    """All that copy of this brief may say, shuffled by `rng` or, without one, in the brief's own order.

    Raises:
        DataError: the product's name is not in the brief's language.
    """
    product = spoken(brief)
    whole = distinct(first_sentence(fact) for fact in product.facts)
    facts = tuple(fact for fact in whole if not _INNER_END.search(fact))  # "No. 5" would count as a sentence
    if brief.content_type == "tags":
        facts = tuple(fact for fact in facts if len(fact) <= MAX_TAG and not _LIST_MARK.search(fact))
    attributive = [fact for fact in facts if _before_noun(fact, brief)]
    unnamed = [fact for fact in attributive if not _named(fact, brief)]
    phrases = [fact for fact in facts if fact not in attributive]
    interests = brief.segment.interests[:3] if brief.segment else ()
    told = [word for word in interests if in_language(word, brief.language)]
    stores: tuple[tuple[str, ...], ...] = (tuple(unnamed), tuple(phrases), distinct(told))
    if rng is not None:
        stores = tuple(tuple(words[i] for i in rng.permutation(len(words))) for words in stores)
    return Sayable(stores=stores, singles=_singles(brief))


def _singles(brief: Brief) -> dict[str, str]:
    product = brief.product
    values = {
        "name": _tag_of(product.name) if brief.content_type == "tags" else product.name,
        "price": _price(brief),
        "brand": "" if product.brand.lower() in product.name.lower() else product.brand,
        "category": _category(brief),
        "stars": _stars(brief) if brief.rating else "",
        "notes": _ended(" ".join(brief.notes.split()), brief),
    }
    return {slot: value for slot, value in values.items() if value.strip()}


def _category(brief: Brief) -> str:
    category = brief.product.category if in_language(brief.product.category, brief.language) else ""
    return _LIST_MARK.split(category)[0].strip() if brief.content_type == "tags" else category


def _tag_of(name: str) -> str:
    """The last words of a name, where its noun is, as many as a tag holds."""
    while len(name) > MAX_TAG and " " in name:
        name = name.split(" ", 1)[1]
    return name[:MAX_TAG]


def _price(brief: Brief) -> str:
    """Two decimals; in Chinese without idle zeros, as prices are written there."""
    price = f"{brief.product.price:.2f}"
    return price.rstrip("0").rstrip(".") if brief.language == "zh" else price


def _ended(notes: str, brief: Brief) -> str:
    """A buyer's words with an end mark, where they have none."""
    if not notes or notes[-1] in ".!?…。！？":
        return notes
    return notes.rstrip(",;，；、") + ("。" if brief.language == "zh" else ".")


def _stars(brief: Brief) -> str:
    if brief.language == "zh":
        return f"{brief.rating}星"
    return f"{brief.rating} star" + ("s" if brief.rating != 1 else "")


def _before_noun(fact: str, brief: Brief) -> bool:
    return is_attributive(fact) if brief.language == "zh" else is_adjective(fact)


def _named(fact: str, brief: Brief) -> bool:
    name = brief.product.name.lower()
    return fact.lower() in (name if brief.language == "zh" else name.split())
