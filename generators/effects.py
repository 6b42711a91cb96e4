"""Health claims as a closed world: ailments, and effects on the body, whatever the sentence that joins them.

An ailment named in copy is a claim unless the product names it. A word of effect (``relieves``, ``缓解``) close before
a word of the body (``tension``, ``睡眠``, ``stiff knuckles``), or what the body does close after it (``circulation wakes
up``), is one unless the product says both. Sentences that decline to say (``ask
your doctor``, ``不能代替药物``) and words under a negation claim nothing. Food claims: Regulation (EC) 1924/2006;
广告法第十七、十八条.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from copybandit.generators.phrases import Found, Phrases, found, phrases, stems
from copybandit.generators.rejection import Rejection
from copybandit.generators.tables import table

_DECLINES = re.compile(
    r"\b(?:doctor|physician|pharmacist|not a (?:medical|medicine|drug|treatment|cure)"
    r"|cannot|can't|no claims?|not intended|makes? no)\b"
    r"|不能(?:代替|治|预防|替代)|不(?:具有|具备|代替|替代|是药)|非药品|咨询|遵医嘱|医生",
)
_SENTENCE = re.compile(r"[^.!?。！？\n]+")
_NOT = re.compile(r"(?:\b(?:no|not|without|minus|less|never)(?: \w+)? |[不没无非](?:是|会|能)?)$")
# `no clots` promises what `not for migraines` denies.
_NOT_ONE = re.compile(r"\bnot (?:\w+ ){0,3}$|不(?:是|能|会)?$")
_REACH = {False: 24, True: 6}
"""Characters between an effect and what it acts on, in English and in Chinese."""
_AFTER = 12
"""Characters between a part of the body and what it does."""


@cache
def _lexicon() -> Phrases:
    """Every word by its kind: a for an ailment, e for an effect, b for the body, t for what it does itself."""
    raw = table("effects.yaml")
    aching = {
        f"b{state} {part}": (f"{state} {part}",)
        for state in raw["body"]["states"]
        for part in raw["body"]["parts"]
    }
    turned = {f"t{turn}": (turn,) for turn in raw["turns"] if turn not in raw["effects"]["en"]}
    more = table("effects_zh.yaml")
    named = (
        aching
        | turned
        | {
            f"{kind[0]}{word}": (word,)
            for kind in ("ailments", "effects", "body")
            for word in map(str, (*raw[kind]["en"], *raw[kind]["zh"]))
        }
        | {f"a{word}": (word,) for word in more["ailments"].split()}
    )
    return phrases(named | {"": (*raw["idioms"], *more["idioms"].split())})


@cache
def _turns() -> frozenset[str]:
    return frozenset(table("effects.yaml")["turns"])


def health_effects(text: str, said: str) -> Iterator[Rejection]:
    """Claims of health in folded text that the product's own folded text does not make."""
    words = [f for f in found(_lexicon(), text) if f.name]
    kinds = {f.name[0] for f in words}
    if "a" not in kinds and not ("b" in kinds and len(kinds) > 1):
        return
    for sentence in _SENTENCE.finditer(text):
        start, end = sentence.span()
        inside = [f for f in words if start <= f.span[0] < end]
        hit = _claimed(text, start, inside, said)
        if hit is not None and not _DECLINES.search(sentence.group()):
            reason = f"{text[slice(*hit)]!r} is a claim of health"
            yield Rejection(rule="health-effect", span=hit, reason=reason)


def _claimed(text: str, start: int, words: list[Found], said: str) -> tuple[int, int] | None:
    """Place of the first ailment, or of an effect with a part of the body close after it."""
    for ailment in words:
        if ailment.name[0] == "a" and ailment.name[1:] not in said:
            if not _NOT_ONE.search(text[start : ailment.span[0]]):
                return ailment.span
    acts = [f for f in words if f.name[0] == "e" and not _NOT.search(text[start : f.span[0]])]
    for target in words:
        chinese = not target.name.isascii()
        for act in acts if target.name[0] == "b" else ():
            near = 0 <= target.span[0] - act.span[1] <= _REACH[chinese] and act.name.isascii() != chinese
            if near and not _said(act.name[1:], target.name[1:], said):
                return act.span[0], target.span[1]
        for turn in words if target.name[0] == "b" else ():
            near = turn.name[1:] in _turns() and 0 <= turn.span[0] - target.span[1] <= _AFTER
            if near and not _said(turn.name[1:], target.name[1:], said):
                return target.span[0], turn.span[1]
    return None


def _said(act: str, target: str, said: str) -> bool:
    if not act.isascii():
        return act in said and target in said
    return stems(f"{act} {target.split()[-1]}") <= stems(said)
