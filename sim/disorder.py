"""Human words in disorder: what a test of naturalness learns to tell from human copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

FREQUENT = 400
"""Words that half of the disordered texts are made of."""
KINDS = (0.1, 0.15, 0.3, 0.2, 0.15, 0.1)
"""How often a text is shuffled, drawn, patched, appended words to, swapped words in, joined to another."""


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
            [phrase(another(texts, rng), rng) for _ in range(rng.integers(2, 6))],
            [*words, *drawn(source, int(rng.integers(2, 11)), rng)],
            [drawn(pool, 1, rng)[0] if rng.random() < 0.3 else word for word in words],
            [*words, *other[-int(rng.integers(1, 5)) :]] if rng.random() < 0.5 else [*other[:4], *words],
        )
        found += [" ".join(kinds[i]) for i in rng.choice(len(kinds), 2, replace=False, p=KINDS).tolist()]
    return found


def another(texts: Sequence[str], rng: np.random.Generator) -> str:
    """One of the texts."""
    return texts[int(rng.integers(len(texts)))]


def drawn(words: Sequence[str], k: int, rng: np.random.Generator) -> list[str]:
    """Words drawn with replacement, k of them."""
    return [words[i] for i in rng.integers(len(words), size=k).tolist()]


def phrase(text: str, rng: np.random.Generator) -> str:
    """Three words in a row."""
    words = text.split()
    start = int(rng.integers(max(1, len(words) - 2)))
    return " ".join(words[start : start + 3])
