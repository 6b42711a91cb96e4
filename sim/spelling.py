"""Spelling variants of one product: which descriptions name the same thing.

Two descriptions are variants when one of these rules holds, and colours, sizes and numbers stand in the same
order in both:

1. the same letters and digits, so case, spaces and punctuation do not count;
2. the same words in another order (``wrap carousel``, ``carousel wrap``);
3. all words the same but one, which differs by a plural s or a slip of the pen (``metre``, ``meter``);
4. the same stock code and at least half of the words.

The rules are meant to miss a variant sooner than to merge two products.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from copybandit.sim.listing_words import COLOURS, SIZES
from copybandit.sim.types import Ints

Words = tuple[str, ...]


def words_of(description: str) -> Words:
    """Return the lower-case words of a description, without punctuation."""
    return tuple(re.findall(r"[^\W_]+", description.lower().replace("'", "").replace("’", "")))


def merge_spellings(descriptions: Sequence[str], counts: Ints, stock: Iterable[tuple[int, str]] = ()) -> Ints:
    """Say which description stands for each one.

    Args:
        descriptions: m distinct descriptions.
        counts: shape (m,), lines of each; the commonest spelling of a group stands for it.
        stock: pairs of a description's index and a stock code it was sold under.

    Returns:
        shape (m,), index of the description that stands for each.
    """
    words = [words_of(text) for text in descriptions]
    pairs = [*_same_letters(words), *_same_words(words), *_one_slip(words), *_same_stock(words, stock)]
    kept = [(a, b) for a, b in pairs if _marks(words[a]) == _marks(words[b])]
    m = len(descriptions)
    left, right = np.array(kept, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(m, m))
    group = connected_components(graph, directed=False)[1]
    by_count = np.lexsort((np.array(descriptions, dtype=np.str_), -counts))
    _, first = np.unique(group[by_count], return_index=True)
    standing: Ints = by_count[first][group].astype(np.int64)
    return standing


def _marks(words: Words) -> Words:
    """What must never differ: numbers, colours, sizes and single letters, in their order."""
    numbers = re.findall(r"\d+", " ".join(words))
    return (*numbers, *(w for w in words if w in COLOURS or w in SIZES or (len(w) == 1 and w.isalpha())))


def _same_letters(words: Sequence[Words]) -> Iterator[tuple[int, int]]:
    return _chain(enumerate("".join(w) for w in words))


def _same_words(words: Sequence[Words]) -> Iterator[tuple[int, int]]:
    return _chain(enumerate(tuple(sorted(w)) for w in words))


def _chain(keyed: Iterable[tuple[int, object]]) -> Iterator[tuple[int, int]]:
    first: dict[object, int] = {}
    for index, key in keyed:
        yield first.setdefault(key, index), index


def _one_slip(words: Sequence[Words]) -> Iterator[tuple[int, int]]:
    seen_in = Counter(word for text in words for word in set(text))
    blocks: dict[object, list[int]] = defaultdict(list)
    for index, text in enumerate(words):
        for place in range(len(text) if len(text) > 1 else 0):
            blocks[(place, text[:place], text[place + 1 :])].append(index)
    for (place, *_), members in blocks.items():  # type: ignore[misc] # the key is a tuple, see above
        for i, a in enumerate(members):
            for b in members[:i]:
                if _is_slip(words[a][place], words[b][place], seen_in):
                    yield a, b


def _is_slip(a: str, b: str, seen_in: Counter[str]) -> bool:
    short, long = sorted((a, b), key=len)
    if not (short.isalpha() and long.isalpha()) or short[0] != long[0]:
        return False
    if long == short + "s":
        return len(short) >= 4
    if len(short) < 5:
        return False
    distance = edit_distance(short, long)
    if distance == 1 and len(short) == len(long) and sorted(short) != sorted(long):
        return (
            min(seen_in[short], seen_in[long]) == 1
        )  # house, horse: two words unless one is never used again
    return distance <= (2 if len(long) >= 8 else 1)


def edit_distance(a: str, b: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        before, row = row, new
    return row[-1]


def _same_stock(words: Sequence[Words], stock: Iterable[tuple[int, str]]) -> Iterator[tuple[int, int]]:
    shelves: dict[str, list[int]] = defaultdict(list)
    for index, code in stock:
        shelves[code].append(index)
    for members in shelves.values():
        for i, a in enumerate(members):
            for b in members[:i]:
                shared, union = set(words[a]) & set(words[b]), set(words[a]) | set(words[b])
                if 2 * len(shared) >= len(union):
                    yield a, b
