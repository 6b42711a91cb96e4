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
# `能不能进洗碗机,资料里没写`: a clause that says it is not known, or asks right before one.
_CLAUSE = re.compile(r"[^,，;；]+")
_UNKNOWN = re.compile(
    r"没有?(?:写|说|提|注明|标注?|标明|相关|这方面|资料|信息|数据|说明|查到)|未(?:注明|标注|标明|提及|说明|写)|查不到|暂无"
    r"|不(?:清楚|确定|好(?:乱|瞎)?说|敢(?:乱|瞎)?(?:说|答|保证)|好乱答|能确定)|(?:没法|无法|不好)(?:确认|确定|判断|答|说)|以[^,，;；]{1,8}为准"
)
_ASKED = re.compile(
    r"([能可是有支带含防耐送附会适用进放配掉怕])[不没]\1|是否|能否|可否|有无|几|多[少久大高长重]|什么|哪|吗|呢|怎么"
)
_BUT = re.compile(r"但|不过|只是|其实|肯定|一定")
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
        said = _without_unknown(sentence.group())
        if not _DECLINES.search(said) or _ANSWERS.search(said):
            return said
        if whether := _WHETHER.search(said):  # a word of what is left open says nothing
            left = _NUMBER.sub(lambda m: " " * len(m.group()), said[whether.start() :])
            said = said[: whether.start()] + left
        said = _COUNT.sub(lambda m: " " * len(m.group()) if m.group() in counts else m.group(), said)
        return _TOKEN.sub(lambda m: " " * len(m.group()) if m.group().lower() in asked else m.group(), said)

    return _SENTENCE.sub(without, plain)


def _without_unknown(sentence: str) -> str:
    """Blank the clauses of a Chinese sentence that say, or ask, what the listing does not tell."""
    if _UNKNOWN.search(sentence) is None:
        return sentence
    clauses = list(_CLAUSE.finditer(sentence))
    for clause, after in zip(clauses, [*clauses[1:], None], strict=True):
        unknown = _UNKNOWN.search(clause.group()) and not _BUT.search(clause.group())
        asked = _ASKED.search(clause.group()) and after and _UNKNOWN.search(after.group())
        if unknown or asked:
            start, end = clause.span()
            sentence = sentence[:start] + " " * (end - start) + sentence[end:]
    return sentence
