"""What copy may say though no fact says it: a draft's mark, a buyer's own stars, a shopper's own words in a refusal.

Each is blanked before the rest is read; places stay.
"""

from __future__ import annotations

import re

from copybandit.generators.limits import Limit
from copybandit.sim.types import Brief

_STARS = re.compile(
    r"\b(?P<stars>[1-5]|one|two|three|four|five)(?: out of |/)(?:5|five)(?: stars)?\b", re.IGNORECASE
)
_SPELLED = ("", "one", "two", "three", "four", "five")
_SENTENCE = re.compile(r"(?:[^.!?。！？]|[.](?=\d))+")
_DECLINES = re.compile(
    r"\b(?:do(?:es)? not|don't|doesn't|cannot|can't) (?:say|tell|state|cover|mention|promise|confirm)\b"
    r"|\b(?:nothing|no word|not sure|not stated|not listed)\b"
    r"|\bnot (?:suitable|recommended|meant|made|for|designed|listed|said)\b|\btoo (?:young|small|large|big|old|heavy)\b"
    r"|不(?:建议|推荐|适合|适用|支持|能|可以|行|够)|没有?(?:写|说|注明|标注)|未(?:注明|标注|提及)|不(?:清楚|确定|能保证)",
    re.IGNORECASE,
)
_ANSWERS = re.compile(r"\b(?:but|yes|however|though)\b|但|不过", re.IGNORECASE)
_COUNT = re.compile(r"[\d一二两三四五六七八九十百千半]+[\u4e00-\u9fff]")
_WHETHER = re.compile(r"\b(?:whether|if)\b|是否|能不能|会不会|够不够", re.IGNORECASE)
_NUMBER = re.compile(r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b", re.IGNORECASE)
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")


def blanked(brief: Brief, plain: str, limit: Limit) -> str:
    """A normalised text without what its kind allows it to say of its own."""
    plain = _unmarked(plain, limit)
    return _own_stars(brief, plain) if brief.content_type == "review" else plain


def _unmarked(plain: str, limit: Limit) -> str:
    """Blank the draft mark, which is no part of what is said."""
    mark = next((mark for mark in limit.mark if plain.startswith(mark)), "")
    return " " * len(mark) + plain[len(mark) :]


def _own_stars(brief: Brief, plain: str) -> str:
    """Blank the buyer's own stars in his review (``four out of five``)."""
    if not brief.rating:
        return plain
    own = {str(brief.rating), _SPELLED[brief.rating]}
    return _STARS.sub(lambda m: " " * len(m.group()) if m["stars"].lower() in own else m.group(), plain)


def declined(brief: Brief, plain: str) -> str:
    """Blank the question's own words in sentences of an answer that only say that the listing does not tell.

    For the reading of facts alone: what a shopper asks is no fact, and a claim or an insult stays one.
    """
    if brief.content_type != "answer":
        return plain
    asked = {match.group().lower() for match in _TOKEN.finditer(brief.question)}
    counts = set(_COUNT.findall(brief.question))

    def without(sentence: re.Match[str]) -> str:
        said = sentence.group()
        if not _DECLINES.search(said) or _ANSWERS.search(said):
            return said
        if whether := _WHETHER.search(said):  # a word of what is left open says nothing
            left = _NUMBER.sub(lambda m: " " * len(m.group()), said[whether.start() :])
            said = said[: whether.start()] + left
        said = _COUNT.sub(lambda m: " " * len(m.group()) if m.group() in counts else m.group(), said)
        return _TOKEN.sub(lambda m: " " * len(m.group()) if m.group().lower() in asked else m.group(), said)

    return _SENTENCE.sub(without, plain)
