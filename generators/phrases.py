"""Phrases of a lexicon in a text, the longest first: words by their first word, Chinese by its first character.

It looks each word up once, so a lexicon of a thousand phrases costs no more than one of ten. Hyphens and spaces are alike.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"[a-z0-9][a-z0-9']*")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SUFFIXES = ("ability", "able", "ible", "ing", "ed", "es", "er", "ly", "e", "s")
_GAPS = frozenset({" ", "-", "% "})
_SHORTEST = 3
"""Letters that a stem keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A phrase in a text: the id it stands for, and where."""

    name: str
    span: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrases:
    """A lexicon made ready: first word to the rest of each phrase, first character to whole phrases."""

    latin: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]
    chinese: Mapping[str, tuple[tuple[str, str], ...]]


def phrases(named: Mapping[str, Iterable[str]]) -> Phrases:
    """Make a lexicon ready.

    Args:
        named: id to its phrases, lower case.
    """
    latin: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
    chinese: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, forms in named.items():
        for form in forms:
            if _HAN.search(form):
                chinese[form[0]].append((form, name))
            else:
                first, *rest = _TOKEN.findall(form)
                latin[first].append((tuple(rest), name))
    return Phrases(
        latin={k: tuple(sorted(v, key=lambda row: -len(row[0]))) for k, v in latin.items()},
        chinese={k: tuple(sorted(v, key=lambda row: -len(row[0]))) for k, v in chinese.items()},
    )


def found(lexicon: Phrases, text: str) -> Iterator[Found]:
    """Every phrase of the lexicon in folded text, none inside a longer one.

    >>> [f.name for f in found(phrases({"cold": ["dry ice"], "dry": ["dry", "干燥"]}), "dry-ice, 干燥")]
    ['cold', 'dry']
    """
    tokens = [(m.group(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
    place = 0
    while place < len(tokens):
        word, start, _ = tokens[place]
        step = 1
        for rest, name in lexicon.latin.get(word, ()):
            if all(
                place + i < len(tokens)
                and tokens[place + i][0] == other
                and text[tokens[place + i - 1][2] : tokens[place + i][1]] in _GAPS
                for i, other in enumerate(rest, start=1)
            ):
                step = 1 + len(rest)
                yield Found(name=name, span=(start, tokens[place + len(rest)][2]))
                break
        place += step
    if not text.isascii():
        yield from _chinese(lexicon, text)


def _chinese(lexicon: Phrases, text: str) -> Iterator[Found]:
    place = 0
    while place < len(text):
        step = 1
        for form, name in lexicon.chinese.get(text[place], ()):
            if text.startswith(form, place):
                step = len(form)
                yield Found(name=name, span=(place, place + step))
                break
        place += step


_DOUBLING = frozenset({"ing", "ed", "er", "able"})


def _single(cut: str) -> str:
    """Without the letter that an ending doubles: ``controll-ed``; ``roll-ed`` keeps its own two after a short word."""
    doubled = len(cut) > _SHORTEST + 2 and cut[-1] == cut[-2] and cut[-1] in "lpt"
    return cut[:-1] if doubled else cut


def stem(word: str) -> str:
    """The same for the forms of a word: ``folds``, ``folding`` and ``foldable``.

    >>> {stem(word) for word in ("fold", "folds", "folding", "foldable", "folded")}
    {'fold'}
    >>> stem("controlled") == stem("control"), stem("rolled") == stem("roll")
    (True, True)
    """
    if word.endswith("ies") and len(word) > _SHORTEST + 2:
        return word[:-3] + "y"
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST and not word.endswith("ss"):
            return _single(word[: -len(suffix)]) if suffix in _DOUBLING else word[: -len(suffix)]
    return word


def stems(text: str) -> frozenset[str]:
    """Stems of all words of folded text."""
    return frozenset(stem(word) for word in _TOKEN.findall(text))
