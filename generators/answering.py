"""Answer a shopper's question from the product's facts, or say that they do not tell.

A question is matched to topics by patterns (`topics.yaml`), a topic to the facts that speak of it; of several the ones
that share most words with the question are quoted, at most two. A question of no topic is answered only by a fact that
holds all its content words. Facts are quoted as the listing has them, never reworded to yes or no, so an answer cannot
say more than the shop does. Whatever else the question holds is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from copybandit.generators.languages import HAN, language_of
from copybandit.generators.slots import first_sentence
from copybandit.sim.types import Brief, DataError, Language, Product

MOST_FACTS = 2
_WORD = re.compile(r"[^\W_]+(?:[.'][^\W_]+)*")
_TITLE_PART = re.compile(r",\s|\s[-–—|]\s|，|\|")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]{2,}")
_STEM = 4


@dataclass(frozen=True, kw_only=True)
class _Topic:
    """Patterns of one thing that shoppers ask; see topics.yaml."""

    topic_id: str
    ask: re.Pattern[str]
    sounds_only: re.Pattern[str]
    told: re.Pattern[str]
    untold: re.Pattern[str]
    share: bool
    field: str


@dataclass(frozen=True, kw_only=True)
class _Topics:
    topics: tuple[_Topic, ...]
    idle: frozenset[str]
    idle_zh: re.Pattern[str]


def answers_in(brief: Brief) -> Language:
    """The language of the answer: the one the question is asked in, else the brief's."""
    return language_of(brief.question, brief.language)


def answer_values(brief: Brief) -> dict[str, str]:
    """What answers the brief's question, by slot: facts, the price or the brand; empty when the listing does not say.

    Raises:
        DataError: there is no question.
    """
    question = brief.question.strip().lower()
    if not question:
        raise DataError(
            f"brief for product {brief.product.product_id}: an answer needs a question, got none; pass question=..."
        )
    facts = tuple(dict.fromkeys(filter(None, map(first_sentence, brief.product.facts))))
    titled = tuple(part.strip() for part in _TITLE_PART.split(brief.product.title)[1:] if part.strip())
    for topic in _topics().topics:
        if topic.ask.search(question) and not topic.sounds_only.search(question):
            if topic.field:
                return _of_field(topic.field, brief.product)
            for said in (facts, titled):
                if found := _told(topic, question, said, brief.product):
                    return dict(zip(("fact", "fact2"), found, strict=False))
    whole = [fact for fact in (*facts, *titled) if _holds_all(question, fact, brief.product)]
    return {"fact": whole[0]} if whole else {}


def _of_field(name: str, product: Product) -> dict[str, str]:
    if name == "price":
        return {"price": f"{product.price:.2f}"}
    return {"brand": product.brand} if product.brand else {}


def _told(topic: _Topic, question: str, facts: Iterable[str], product: Product) -> list[str]:
    """Facts of the topic that share most with the question, in the product's order."""
    speaking = [f for f in facts if topic.told.search(f.lower()) and not topic.untold.search(f.lower())]
    shares = [_shared(question, fact, product) for fact in speaking]
    most = max(shares, default=0)
    if topic.share and most == 0:
        return []
    return [fact for fact, shared in zip(speaking, shares, strict=True) if shared == most][:MOST_FACTS]


def _shared(question: str, fact: str, product: Product) -> int:
    return sum(_stands_in(word, fact) for word in _content(question, product))


def _holds_all(question: str, fact: str, product: Product) -> bool:
    content = _content(question, product)
    return bool(content) and all(_stands_in(word, fact) for word in content)


def _content(question: str, product: Product) -> list[str]:
    """The words of a question that say what it is about: Latin words, and Chinese runs between idle words."""
    known = _topics()
    named = set(_WORD.findall(product.name.lower()))
    latin = [word for word in _WORD.findall(HAN.sub(" ", question)) if word not in known.idle | named]
    chinese = question.replace(product.name.lower(), " ")
    return latin + _HAN_RUN.findall(known.idle_zh.sub(" ", chinese))


def _stands_in(word: str, fact: str) -> bool:
    """Whether a fact holds a word; of longer Latin words an ending may differ (``pocket``, ``pockets``)."""
    low = fact.lower()
    if HAN.search(word):
        return word in low
    for other in _WORD.findall(low):
        short, long = sorted((word, other), key=len)
        if short == long or (len(short) >= _STEM and short.isalpha() and long.startswith(short)):
            return True
    return False


@cache
def _topics() -> _Topics:
    raw = yaml.safe_load(files("copybandit.generators").joinpath("topics.yaml").read_text("utf-8"))
    idle = sorted(raw["idle_zh"], key=len, reverse=True)
    return _Topics(
        topics=tuple(
            _Topic(
                topic_id=row["id"],
                ask=_any(row["ask"]),
                sounds_only=_any(row["not"]),
                told=_any(row.get("told", ())),
                untold=_any(row.get("except", ())),
                share=row.get("share", False),
                field=row.get("field", ""),
            )
            for row in raw["topics"]
        ),
        idle=frozenset(map(str, raw["idle"])),
        idle_zh=re.compile("|".join(map(re.escape, idle))),
    )


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    """One of the patterns; nothing where there is none."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")
