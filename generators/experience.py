"""A drafted review tells its buyer's experience, so what it tells must stand in his notes or in the product's own text.

English words for the same (`experience.yaml`) ground each other; praise over one or two stars must stand in the notes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.tables import table

_SENTENCE = re.compile(r"[^.!?\n]+")
_WORD = re.compile(r"[a-z][a-z']{3,}")
_TELLS = re.compile(
    r"\b(?:i|we|my|our|me|us|was|were|had|came|broke|took|kept|held|went|got|fell|made|gave|\w{3,}ed)\b"
)
_POOR = 2
"""Stars at most under which praise is none of the buyer's."""
_STEM = 4
"""Letters that two forms of one word share (``refund``, ``refunded``)."""
_ENOUGH = 2
"""Words without ground that make a sentence an invention; one may be a synonym."""


_CONTRACTED = re.compile(r"'(?:s|ll|ve|d|re|m|t)?$")
_SHORT_FORM = re.compile(r"([a-z]{3})[a-z]?(?:ed|ing|er|s|y)")
"""Forms of a word of three letters: mopping, bagged."""


def _grounded(word: str, ground: frozenset[str]) -> bool:
    short = _SHORT_FORM.fullmatch(word)
    return word[:_STEM] in ground or (short is not None and short[1] in ground)


_CLAUSE = re.compile(r"[^，。！？；、,.!?;\n]+")
_ASIDE = re.compile("[（(][^）)]*[）)]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_OPINION_ZH = re.compile(
    "自己|合适|看见|看到|里面|外面|才|满意|喜欢|推荐|不错|好用|值得|购买|质量|价格|性价比|东西|宝贝|商品|收到|整体|总体|感觉|觉得|还会|再来|物有所值|和描述一致|有好有不好"
    "|中规中矩|失望|只能|最多|一般|还行|可以|超出预期|时候|现在|已经|以后|之后|刚刚|刚到|真的|非常|特别|比较|稍微|有点|挺|草稿|好评"
    "|给|打|星|[这那把只个款双件条台支块瓶盒本套张顶的了着过得地是有在也都还就又再很太最更不没要会能让我们你您他她它吧呢啊吗和与但而所以因为用上下来去到起说个一二两三四五六七八九十]"
)
_ENOUGH_ZH = 3
"""Characters without ground that make a clause an invention."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    light: frozenset[str]
    same: Mapping[str, frozenset[str]]
    praise: re.Pattern[str]
    but: re.Pattern[str]


@cache
def _english() -> _Words:
    raw = table("experience.yaml")
    same: dict[str, set[str]] = defaultdict(set)
    for group in raw["same"]:
        cut = {word[:_STEM] for word in group}
        for word in cut:
            same[word] |= cut
    return _Words(
        light=frozenset(map(str, raw["light"])),
        same={word: frozenset(group) for word, group in same.items()},
        praise=re.compile(raw["praise"]),
        but=re.compile(raw["but"]),
    )


@lru_cache(maxsize=1024)
def _ground(said: str) -> frozenset[str]:
    """Beginnings of all words of the notes and the product, and of the words for the same."""
    same = _english().same
    told = {word[:_STEM] for word in re.findall(r"[a-z][a-z']+", said)}
    return frozenset(told.union(*(same[word] for word in told if word in same)))


def cheerful(text: str, said: str, rating: int) -> Iterator[Rejection]:
    """Praise in a draft over one or two stars that the notes do not hold."""
    if rating > _POOR:
        return
    words = _english()
    for sentence in _SENTENCE.finditer(text):
        praise = words.praise.search(sentence.group())
        if praise and praise.group() not in said and not words.but.search(sentence.group()):
            reason = (
                f"{praise.group()!r} over {rating} stars: not in the buyer's notes; keep to what he wrote"
            )
            yield reject("invented", sentence, reason)


def ungrounded(text: str, said: str) -> Iterator[Rejection]:
    """Sentences of a draft that tell what neither notes nor product hold.

    In English sentences that tell of an event and hold two words without ground; in Chinese clauses with three characters
    without ground, opinions and particles left out.

    Args:
        text: the draft, normalised and folded.
        said: all that is true of it, folded: the product's text, the notes and the stars.
    """
    ground, light = _ground(said), _english().light
    for sentence in _SENTENCE.finditer(text):
        if not _TELLS.search(sentence.group()):
            continue
        words = {_CONTRACTED.sub("", w) for w in _WORD.findall(sentence.group())} - light
        new = sorted(word for word in words if len(word) >= _STEM and not _grounded(word, ground))
        if len(new) >= _ENOUGH:
            yield reject(
                "invented", sentence, f"{', '.join(new)}: not in the buyer's notes; keep to what he wrote"
            )
    yield from _ungrounded_chinese(text, said)


def _ungrounded_chinese(text: str, said: str) -> Iterator[Rejection]:
    ground = set(_HAN.findall(said))
    drafted = _ASIDE.sub(lambda aside: "，" * len(aside.group()), text)
    for clause in _CLAUSE.finditer(drafted):
        told = _OPINION_ZH.sub("", clause.group())
        new = [character for character in _HAN.findall(told) if character not in ground]
        if len(new) >= _ENOUGH_ZH:
            yield reject(
                "invented",
                clause,
                f"{clause.group().strip()}: not in the buyer's notes; keep to what he wrote",
            )
