"""Health claims as a closed world: ailments, and effects on the body, whatever the sentence that joins them.

An ailment named in copy is a claim unless the product names it. A word of effect (``relieves``, ``缓解``) close before a word of the
body (``tension``, ``睡眠``) is one unless the product says both. Sentences that decline to say (``ask your doctor``,
``不能代替药物``) and words under a negation claim nothing. Food claims: Regulation (EC) 1924/2006; 广告法第十七、十八条.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from copybandit.generators.phrases import Found, Phrases, found, phrases, stems
from copybandit.generators.rejection import Rejection
from copybandit.generators.tables import table

_DECLINES = re.compile(
    r"\b(?:doctor|physician|pharmacist|not a (?:medical|medicine|drug|treatment|cure)|cannot|can't|no claims?|not intended|makes? no)\b"
    r"|不能(?:代替|治|预防|替代)|不(?:具有|具备|代替|替代|是药)|非药品|咨询|遵医嘱|医生",
)
_SENTENCE = re.compile(r"[^.!?。！？\n]+")
_NOT = re.compile(r"(?:\b(?:no|not|without|minus|less|never)(?: \w+)? |[不没无非](?:是|会|能)?)$")
# `no clots` promises what `not for migraines` denies.
_NOT_ONE = re.compile(r"\bnot (?:\w+ ){0,3}$|不(?:是|能|会)?$")
_REACH = {False: 24, True: 6}
"""Characters between an effect and what it acts on, in English and in Chinese."""


@cache
def _lexicons() -> tuple[Phrases, Phrases, Phrases]:
    raw = table("effects.yaml")
    return tuple(
        phrases({word: (word,) for word in map(str, (*raw[kind]["en"], *raw[kind]["zh"]))} | {"": raw["idioms"]})
        for kind in ("ailments", "effects", "body")
    )  # type: ignore[return-value]  # three of them


def health_effects(text: str, said: str) -> Iterator[Rejection]:
    """Claims of health in folded text that the product's own folded text does not make."""
    ailments, effects, body = _lexicons()
    for sentence in _SENTENCE.finditer(text):
        part, start = sentence.group(), sentence.start()
        named = [f for f in found(ailments, part) if f.name and f.name not in said]
        acts = [f for f in found(effects, part) if f.name]
        hit = next((f for f in named if not _NOT_ONE.search(part[: f.span[0]])), None)
        hit = hit or (_acted(part, acts, body, said) if acts else None)
        if hit is not None and not _DECLINES.search(part):
            span = (start + hit.span[0], start + hit.span[1])
            yield Rejection(rule="health-effect", span=span, reason=f"{text[slice(*span)]!r} is a claim of health")


def _acted(part: str, acts: list[Found], body: Phrases, said: str) -> Found | None:
    """The first effect with a part of the body close after it, as one span."""
    for target in found(body, part):
        reach = _REACH[not target.name.isascii()]
        for act in acts:
            near = 0 <= target.span[0] - act.span[1] <= reach and act.name.isascii() == target.name.isascii()
            if target.name and near and not _said(act.name, target.name, said) and not _NOT.search(part[: act.span[0]]):
                return Found(name=act.name, span=(act.span[0], target.span[1]))
    return None


def _said(act: str, target: str, said: str) -> bool:
    if not act.isascii():
        return act in said and target in said
    return stems(f"{act} {target}") <= stems(said)
