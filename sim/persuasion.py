"""Style features of a text: the part of wording that can carry over from one domain to another.

Counts and flags that published work found to move click-through (Robertson et al., Nature Human Behaviour 2023, on negative
words; Banerjee and Urminsky on pronouns, questions and length), and nothing that names a topic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from copybandit.sim.types import Floats

_WORD = re.compile(r"[a-z']+")
_LISTS: dict[str, str] = {
    "you": "you your yours yourself you'll you're you've",
    "we": "we our ours us we're we've",
    "i": "i my me mine i'm i've",
    "they": "they them their she he her his him someone",
    "this": "this these here here's there's that's",
    "question_word": "how why what when who which where",
    "negation": "no not never don't doesn't didn't won't can't isn't nothing without nobody",
    "negative": "hate wrong bad worst forget boring dull stop kill sad terrible fear fuss miss problem hard",
    "positive": "love good best great amazing happy beautiful better perfect wonderful treat thank please enjoy",
    "article": "a an",
    "the": "the",
    "because": "because reason if then so",
    "just": "just only simple simply plain",
    "imperative": "look see meet try take give bring add watch guess think stop forget get check find",
    "and": "and or but also both",
    "intensity": "very really so more most every all always literally totally",
}
_SETS = {name: frozenset(words.split()) for name, words in _LISTS.items()}
FEATURES: tuple[str, ...] = (
    "log_words",
    "word_length",
    "sentences",
    "question",
    "exclamation",
    "dots",
    "quote",
    "comma",
    "colon_dash",
    "digit",
    "capitals",
    *_LISTS,
)


def persuasion(texts: Sequence[str]) -> Floats:
    """Measure style.

    Args:
        texts: n texts.

    Returns:
        Shape (n, len(FEATURES)); counts are square-rooted, so that the second "you" says less than the first.
    """
    return np.array([_row(text) for text in texts], dtype=np.float64).reshape(len(texts), len(FEATURES))


@lru_cache(maxsize=2**16)  # worlds read the same copy again and again
def _row(text: str) -> tuple[float, ...]:
    words = _WORD.findall(text.lower().replace("\u2019", "'"))
    n = max(1, len(words))
    raw = text.split()
    marks = [
        np.log1p(len(words)),
        sum(map(len, words)) / n,
        max(1, len(re.findall(r"[.!?]+(?:\s|$)", text))),
        float("?" in text),
        float("!" in text),
        float("..." in text or "…" in text),
        float('"' in text or "“" in text),
        text.count(",") ** 0.5,
        float(bool(re.search(r"[:–—]| - ", text))),
        float(any(letter.isdigit() for letter in text)),
        sum(word[:1].isupper() for word in raw[1:]) / max(1, len(raw) - 1),
    ]
    return (*marks, *(sum(word in listed for word in words) ** 0.5 for listed in _SETS.values()))
