"""Human words in disorder: what a test of naturalness learns to tell from human copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

FREQUENT = 400
"""Words that half of the disordered texts are made of."""
KINDS = (0.1, 0.12, 0.26, 0.14, 0.16, 0.08, 0.08, 0.06)
"""How often a text is shuffled, drawn, patched, appended words to, swapped words in, joined to another, continued by
another, cut."""


def disordered(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Texts of human words that no human wrote, two for each text: see `KINDS`."""
    pool = [word for text in texts for word in text.split()] or ["a"]
    frequent = [word for word, _ in Counter(pool).most_common(FREQUENT)]
    found = []
    for text in texts:
        words, other = text.split() or ["a"], another(texts, rng).split() or ["a"]
        source = frequent if rng.random() < 0.7 else pool
        kinds = (
            [words[i] for i in rng.permutation(len(words)).tolist()],
            drawn(source, int(rng.integers(3, 13)), rng),
            [phrase(another(texts, rng), rng, int(rng.integers(2, 6))) for _ in range(rng.integers(2, 6))],
            [*words, *drawn(source, int(rng.integers(2, 11)), rng)],
            swapped(words, source, (0.1, 0.2, 0.35)[int(rng.integers(3))], rng),
            [*words, *other[-int(rng.integers(1, 5)) :]] if rng.random() < 0.5 else [*other[:4], *words],
            [*words[: int(rng.integers(1, len(words) + 1))], *other[int(rng.integers(len(other))) :]],
            cut(words, rng),
        )
        found += [" ".join(kinds[i]) for i in rng.choice(len(kinds), 2, replace=False, p=KINDS).tolist()]
    return found


def another(texts: Sequence[str], rng: np.random.Generator) -> str:
    """One of the texts."""
    return texts[int(rng.integers(len(texts)))]


def drawn(words: Sequence[str], k: int, rng: np.random.Generator) -> list[str]:
    """Words drawn with replacement, k of them."""
    return [words[i] for i in rng.integers(len(words), size=k).tolist()]


def phrase(text: str, rng: np.random.Generator, k: int = 3) -> str:
    """So many words in a row."""
    words = text.split()
    start = int(rng.integers(max(1, len(words) - k + 1)))
    return " ".join(words[start : start + k])


def swapped(words: Sequence[str], source: Sequence[str], share: float, rng: np.random.Generator) -> list[str]:
    """A share of the words, at least one, replaced by others."""
    found, place = list(words), rng.random(len(words)) < share
    place[rng.integers(len(words))] = True
    for i in np.flatnonzero(place).tolist():
        found[i] = drawn(source, 1, rng)[0]
    return found


def cut(words: Sequence[str], rng: np.random.Generator) -> list[str]:
    """A run of up to three words inside left out, or said twice."""
    start = int(rng.integers(1, max(2, len(words) - 1)))
    end = start + int(rng.integers(1, 4))
    return [*words[:start], *words[end:]] if rng.random() < 0.6 else [*words[:end], *words[start:]]
