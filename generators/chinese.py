"""What Chinese copy needs beyond a pattern: measure words, and which facts can stand right before a noun."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

ANY_MEASURE = "款"
"""Measure word of anything that a shop sells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    measures: tuple[tuple[str, str], ...]
    endings: tuple[str, ...]
    words: frozenset[str]
    longest: int


@cache
def _words() -> _Words:
    raw = yaml.safe_load(files("copybandit.generators").joinpath("chinese.yaml").read_text("utf-8"))
    pairs = [(ending, word) for word, endings in raw["measure_words"].items() for ending in endings]
    told = raw["attributive"]
    return _Words(
        measures=tuple(sorted(pairs, key=lambda pair: -len(pair[0]))),
        endings=tuple(told["endings"]),
        words=frozenset(told["words"]),
        longest=told["longest"],
    )


def measure_word(name: str) -> str:
    """The measure word of a product, by the longest ending of its name that is known.

    >>> [measure_word(name) for name in ("晴雨伞", "跑鞋", "笔记本电脑", "坚果")]
    ['把', '双', '台', '款']
    """
    return next((word for ending, word in _words().measures if name.endswith(ending)), ANY_MEASURE)


def is_attributive(fact: str) -> bool:
    """Whether a fact can stand right before a noun.

    >>> [is_attributive(fact) for fact in ("浅蓝色", "陶瓷", "保温6小时")]
    [True, True, False]
    """
    known = _words()
    if any(letter.isdigit() for letter in fact):
        return False
    return fact in known.words or (len(fact) <= known.longest and fact.endswith(known.endings))
