"""Self-BLEU: how alike are the texts of one writer? BLEU of each text against all the others, averaged; 1 is one text only.

Self-BLEU is Zhu et al.'s (SIGIR 2018, arXiv 1802.01886); BLEU is Papineni et al.'s (ACL 2002) as sacrebleu computes it for
one sentence: clipped n-gram precisions, the closest length for the brevity penalty, exponential smoothing, and only the
orders that a text is long enough for.

Against all others at once an n-gram's count is clipped by the largest count of any other text, so it is enough to know
the two largest counts of each n-gram: what would be n^2 comparisons is one sort per order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from copybandit.sim.types import DataError, Floats, Ints

ORDER = 4
_TOKEN = re.compile(r"\w+|[^\w\s]")


def tokens_of(text: str) -> list[str]:
    """Words and punctuation marks, in lower case.

    >>> tokens_of("Meet the mug, 8.50!")
    ['meet', 'the', 'mug', ',', '8', '.', '50', '!']
    """
    return _TOKEN.findall(text.lower())


def self_bleu(texts: Sequence[str], order: int = ORDER) -> float:
    """Mean of `bleu_to_others`, in [0, 1]: low is diverse."""
    return float(bleu_to_others(texts, order).mean())


def bleu_to_others(texts: Sequence[str], order: int = ORDER) -> Floats:
    """BLEU of each text with all other texts as references, shape (n,).

    Raises:
        DataError: fewer than two texts, or one without a word.
    """
    words = [tokens_of(text) for text in texts]
    if len(words) < 2 or not all(words):
        raise DataError(
            f"self-BLEU: needs at least 2 texts, none empty, got {len(words)}, {sum(not w for w in words)} of them empty; "
            "draw more or drop the empty ones"
        )
    length = np.array([len(row) for row in words], dtype=np.int64)
    vocabulary: dict[str, int] = {}
    ids = np.array([vocabulary.setdefault(word, len(vocabulary)) for row in words for word in row])
    owner = np.repeat(np.arange(len(words)), length)
    total = np.maximum(length[:, None] - np.arange(order), 0)
    matched = np.stack([_matched(run, whose, len(words)) for run, whose in _runs(ids, owner, order)], axis=1)
    return _brevity(length) * _mean_precision(matched, total)


def _runs(ids: Ints, owner: Ints, order: int) -> list[tuple[Ints, Ints]]:
    """Code of every n-gram within a text, and whose it is, for n from 1 to `order`."""
    found, code, begin = [], np.zeros_like(ids), np.arange(len(ids))
    for n in range(order):
        begin = begin[begin + n < len(ids)]
        begin = begin[owner[begin] == owner[begin + n]]
        # Codes are renumbered at each order, so that they never grow out of 64 bits.
        code[begin] = np.unique(code[begin] * (ids.max() + 1) + ids[begin + n], return_inverse=True)[1]
        found.append((code[begin], owner[begin]))
    return found


def _matched(run: Ints, owner: Ints, n: int) -> Ints:
    """n-grams of each text that some other text has too, at most as often as the one that has it most, shape (n,)."""
    if not len(run):
        return np.zeros(n, dtype=np.int64)
    pair, count = np.unique(run * n + owner, return_counts=True)
    gram, whose = np.divmod(pair, n)
    order = np.lexsort((-count, gram))
    gram, whose, count = gram[order], whose[order], count[order]
    first = np.flatnonzero(np.r_[True, gram[1:] != gram[:-1]])
    size = np.diff(np.r_[first, len(gram)])
    second = np.where(size > 1, count[np.minimum(first + 1, len(count) - 1)], 0)
    most = np.repeat(count[first], size)
    most[first] = second
    return np.bincount(whose, np.minimum(count, most), minlength=n).astype(np.int64)


def _brevity(length: Ints) -> Floats:
    """exp(min(0, 1 - r / c)) for own length c and closest other length r, the shorter of two as close, shape (n,)."""
    kinds, count = np.unique(length, return_counts=True)
    penalty = np.ones(len(kinds))
    for k in np.flatnonzero(count == 1):
        others = np.delete(kinds, k)
        closest = others[np.argmin(np.abs(others - kinds[k]))]
        penalty[k] = np.exp(min(0.0, 1 - closest / kinds[k]))
    return penalty[np.searchsorted(kinds, length)]


def _mean_precision(matched: Ints, total: Ints) -> Floats:
    """Geometric mean of precisions of the orders there are; the k-th without a match counts as 1 / (2^k total)."""
    missing = (matched == 0) & (total > 0)
    smoothed = 1 / (2.0 ** np.cumsum(missing, axis=1) * np.maximum(total, 1))
    precision = np.where(missing, smoothed, matched / np.maximum(total, 1))
    logs = np.where(total > 0, np.log(np.where(total > 0, precision, 1.0)), 0.0)
    mean = np.exp(logs.sum(axis=1) / (total > 0).sum(axis=1))
    return np.where(matched.any(axis=1), mean, 0.0)
