"""Segments: shoppers of like taste, and the words that say what they care for more than others do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from copybandit.sim.interest_features import ProductFeatures
from copybandit.sim.types import Bools, DataError, Floats, Ints, Segment

MIN_CELL = 20
"""Fewest shoppers for whom one copy is written; fewer would be close to writing for a person."""
_DULL = frozenset(
    "set pack holds burns weighs count pieces pages pockets litres long tall wide hours ages easy safe ready small large "
    "medium mini big assorted asst box new used fits lies thread elastic cover design set/".split()
)


def segment_shoppers(vectors: Floats, fit: Bools, n_segments: int, seed: int) -> Ints:
    """Cluster shopper vectors by k-means on the fit split and assign everybody.

    Args:
        vectors: shape (n, d).
        fit: shape (n,), who decides where the centres lie.
        n_segments: wanted number.
        seed: of k-means++.

    Returns:
        Shape (n,), largest segment first.

    Raises:
        DataError: if a segment has fewer than `MIN_CELL` shoppers of the fit split.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(length, 1e-9)
    if fit.sum() < n_segments * MIN_CELL:
        raise DataError(
            f"segments: {n_segments} segments need {n_segments * MIN_CELL} shoppers in the fit split, got {int(fit.sum())}; "
            "lower n_segments"
        )
    model = KMeans(n_segments, n_init=4, random_state=seed).fit(unit[fit])
    label = model.predict(unit)
    order = np.argsort(-np.bincount(label, minlength=n_segments), kind="stable")
    rank = np.empty(n_segments, dtype=np.int64)
    rank[order] = np.arange(n_segments)
    return np.asarray(rank[label])


def interest_words(
    features: ProductFeatures, vectors: Floats, label: Ints, known: Sequence[str] = (), n_words: int = 3
) -> tuple[Segment, ...]:
    """Describe each segment by the words its shoppers lean to most.

    Args:
        features: product encoder whose vocabulary is searched.
        vectors: shape (n, d), shopper vectors.
        label: shape (n,), segment of each shopper.
        known: words to choose from; empty means the encoder's whole vocabulary less dull words.
        n_words: per segment.
    """
    words = [word for word in (known or features.lsa.vocabulary) if _speaks(word)]
    reach = features.texts(words)
    segments = []
    for index in range(int(label.max()) + 1):
        mine = label == index
        lean = vectors[mine].mean(axis=0) - vectors.mean(axis=0)
        best = np.argsort(-(reach @ lean), kind="stable")
        segments.append(
            Segment(
                segment_id=index,
                interests=tuple(words[row] for row in best[:n_words]),
                size=int(mine.sum()),
            )
        )
    return tuple(segments)


def leaning_reliability(earlier: Floats, later: Floats, label: Ints, topics: Floats) -> float:
    """How much of the way segments lean is still there later: slope of later on earlier leanings, within [0, 1].

    Segments are made from the very vectors that then describe them, so noise overstates how they lean. The slope is the
    reliability ratio by which a coefficient on such leanings is to be shrunk (Fuller, Measurement Error Models, 1987).

    Args:
        earlier: shape (n, d), shopper vectors from the first part of a log.
        later: shape (n, d), of the same shoppers from the second part.
        label: shape (n,), segments made from `earlier`.
        topics: shape (t, d), what copy talks about.
    """
    segments = range(int(label.max()) + 1)
    before, after = (
        np.stack([vectors[label == k].mean(axis=0) for k in segments]) - vectors.mean(axis=0)
        for vectors in (earlier, later)
    )
    x, y = before @ topics.T, after @ topics.T
    return float(np.clip((x * y).sum() / max(float((x * x).sum()), 1e-12), 0.0, 1.0))


def _speaks(word: str) -> bool:
    return " " not in word and len(word) > 2 and word.isalpha() and word not in _DULL | ENGLISH_STOP_WORDS
