"""A few variants that differ, out of many: near-duplicates, and the choice of k from n.

Two texts are as alike as the sets A, B of their character 4-grams and words: |A n B| / sqrt(|A| |B|), the cosine of the
indicator vectors, so the matrix of all pairs is positive semi-definite. The choice maximises a determinant greedily
(Chen, Zhang and Zhou, "Fast Greedy MAP Inference for Determinantal Point Process", NeurIPS 2018):

    L_ij = q_i S_ij q_j,  q_i = exp(weight * score_i / 2),   Y <- Y + argmax_j log det L_(Y + j) - log det L_Y,

which prefers high scores and punishes likeness; the k most probable texts are often one text k times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from copybandit.generators.normalising import folded, normalise
from copybandit.sim.types import DataError, Floats, Ints

GRAM = 4
"""Characters in a gram."""
SAME = 0.85
"""Likeness above which two texts are the same one."""
_EPSILON = 1e-9


def _grams(text: str) -> frozenset[str]:
    plain = " ".join(re.findall(r"\w+", folded(normalise(text))))
    words = plain.split()
    padded = f" {plain} "
    return frozenset((*(padded[i : i + GRAM] for i in range(max(1, len(padded) - GRAM + 1))), *words))


def likeness(texts: Sequence[str]) -> Floats:
    """How alike texts are, shape (n, n), in [0, 1], 1 on the diagonal; case, marks and spaces do not count."""
    sets = [_grams(text) for text in texts]
    index = {gram: place for place, gram in enumerate(sorted(frozenset().union(*sets)))} if sets else {}
    held = np.zeros((len(sets), len(index)), np.float32)
    for row, grams in enumerate(sets):
        held[row, [index[gram] for gram in grams]] = 1.0
    size = np.sqrt(held.sum(1, dtype=np.float64))
    return np.asarray((held @ held.T) / np.outer(size, size), np.float64) if sets else np.zeros((0, 0))


def distinct(texts: Sequence[str], same: float = SAME) -> Ints:
    """Indices of the texts that are no near-duplicate of an earlier one, ascending, shape (m,).

    Args:
        texts: n texts, the preferred ones first.
        same: likeness in (0, 1] above which two are the same.
    """
    alike = likeness(texts) > same
    kept: list[int] = []
    for place in range(len(texts)):
        if not alike[place, kept].any():
            kept.append(place)
    return np.array(kept, np.int64)


def pick(
    texts: Sequence[str],
    scores: Floats,
    k: int,
    *,
    weight: float = 1.0,
    same: float = SAME,
    beside: Sequence[str] = (),
) -> Ints:
    """Choose at most `k` texts that score well and differ.

    Args:
        texts: n texts.
        scores: shape (n,), finite, larger is better, such as log-odds or log probabilities.
        k: at least 1.
        weight: how much a unit of score counts against likeness, at least 0.
        same: near-duplicates above this likeness are never chosen together.
        beside: texts that are chosen already and from which the new ones shall differ, too.

    Returns:
        indices in the order they were chosen, shape (m,), m <= k; fewer where the rest are near-duplicates.

    Raises:
        DataError: the scores do not fit the texts, or k is below 1.
    """
    scores = np.asarray(scores, np.float64)
    if scores.shape != (len(texts),) or not np.isfinite(scores).all():
        raise DataError(
            f"pick: needs one finite score per text, got shape {scores.shape} for {len(texts)} texts"
        )
    if k < 1:
        raise DataError(f"pick: k must be at least 1, got {k}; ask for a text")
    given = len(beside)
    alike = likeness([*beside, *texts])
    quality = np.concatenate([np.zeros(given), weight * (scores - scores.max(initial=-np.inf))])
    return _greedy(alike, quality, k + given, same, given)[given:] - given


def _greedy(alike: Floats, quality: Floats, k: int, same: float, given: int) -> Ints:
    """Algorithm 1 of Chen et al.: d_j^2 is what det S gains by j, kept up to date by one row of a Cholesky factor a step.

    The first `given` are taken as they come.
    """
    n = len(quality)
    rows, gain = np.zeros((min(k, n), n)), np.diag(alike).copy()
    open_ = np.ones(n, np.bool_)
    chosen: list[int] = []
    while len(chosen) < min(k, n) and open_.any():
        step = len(chosen)
        value = np.where(open_, quality + np.log(np.maximum(gain, _EPSILON)), -np.inf)
        best = step if step < given else int(value.argmax())
        rows[step] = (alike[best] - rows[:step].T @ rows[:step, best]) / np.sqrt(max(gain[best], _EPSILON))
        gain = np.maximum(gain - rows[step] ** 2, 0.0)
        chosen.append(best)
        open_ &= alike[best] <= same
        open_[best] = False
    return np.array(chosen, np.int64)
