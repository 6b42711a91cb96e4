"""What an attacker would do: search texts made of given units by the cross-entropy method (Rubinstein and Kroese, 2004)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from copybandit.sim.types import DataError, Floats

POPULATION, ELITE, ROUNDS = 64, 10, 25
"""Texts in one round, how many teach the next, and how many rounds."""
SMOOTHING = 0.7
MOST_UNITS = 400


def cross_entropy_search(
    score: Callable[[Sequence[str]], Floats], units: Sequence[str], slots: int, rng: np.random.Generator
) -> list[str]:
    """Fill slots with units so that a score becomes high.

    Args:
        score: of n texts, shape (n,).
        units: words or phrases; a slot may also stay empty.
        slots: at most so many units in a text.
        rng: draws the texts.

    Returns:
        The elite of every round, best first, rounds in order.

    Raises:
        DataError: there is no unit or no slot.
    """
    if not len(units) or slots < 1:
        raise DataError(f"search: a unit and a slot are needed, got {len(units)} and {slots}; give more copy")
    choices = ["", *units]
    prob = np.full((slots, len(choices)), 1 / len(choices))
    found: list[str] = []
    for _ in range(ROUNDS):
        edges = prob.cumsum(axis=1)
        drawn = (rng.random((POPULATION, slots, 1)) > edges[None, :, :-1]).sum(axis=2)
        texts = [" ".join(choices[j] for j in row if j) for row in drawn.tolist()]
        best = np.argsort(-score(texts), kind="stable")[:ELITE]
        found += [texts[i] for i in best.tolist()]
        share = (drawn[best][:, :, None] == np.arange(len(choices))).mean(axis=0)
        prob += SMOOTHING * (share - prob)
    return found


def frequent_words(texts: Sequence[str]) -> list[str]:
    """The words in most texts, at most `MOST_UNITS`, most frequent first."""
    return _most(Counter(word for text in texts for word in dict.fromkeys(text.split())))


def frequent_phrases(texts: Sequence[str]) -> list[str]:
    """Runs of three words, at most `MOST_UNITS`, most frequent first."""
    runs: Counter[str] = Counter()
    for text in texts:
        words = text.split()
        runs.update(" ".join(words[i : i + 3]) for i in range(len(words) - 2))
    return _most(runs)


def _most(count: Counter[str]) -> list[str]:
    return [unit for unit, _ in count.most_common(MOST_UNITS)]
