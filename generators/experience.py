"""A drafted review tells its buyer's experience, so what it tells must stand in his notes or in the product's own text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from copybandit.generators.rejection import Rejection, reject

_SENTENCE = re.compile(r"[^.!?\n]+")
_WORD = re.compile(r"[a-z][a-z']{3,}")
_TELLS = re.compile(
    r"\b(?:i|we|my|our|me|us|was|were|had|came|broke|took|kept|held|went|got|fell|made|gave|\w{3,}ed)\b"
)
_OPINION = frozenset(
    "good great nice love loved loves like liked really very well would again recommend happy pleased quality price product "
    "work works worked look looks looked feel feels felt easy easily little just enough overall exactly described expected "
    "fine okay decent solid though however with this that these those have from about than them they "
    "will still also more much most some only even what when which while does done been being into onto over after before "
    "star stars draft item thing bought stayed right think thought wish because every there here their your mine "
    "mixed feelings".split()
)
_STEM = 4
"""Letters that two forms of one word share (``refund``, ``refunded``)."""
_ENOUGH = 2
"""Words without ground that make a sentence an invention; one may be a synonym."""


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


def ungrounded(text: str, said: str) -> Iterator[Rejection]:
    """Sentences of a draft that tell what neither notes nor product hold.

    In English sentences that tell of an event and hold two words without ground; in Chinese clauses with three characters
    without ground, opinions and particles left out.

    Args:
        text: the draft, normalised and folded.
        said: all that is true of it, folded: the product's text, the notes and the stars.
    """
    ground = {word[:_STEM] for word in _WORD.findall(said)}
    for sentence in _SENTENCE.finditer(text):
        if not _TELLS.search(sentence.group()):
            continue
        words = {w.removesuffix("'s") for w in _WORD.findall(sentence.group())} - _OPINION
        new = sorted(word for word in words if word[:_STEM] not in ground)
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
