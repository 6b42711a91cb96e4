"""Edits as tags, one per token of a text: keep, delete, replace, append, and a few transformations of the word itself.

The representation of sequence tagging for correction: LaserTagger (Malmi et al., EMNLP 2019), PIE (Awasthi et al.,
EMNLP 2019), GECToR (Omelianchuk et al., BEA 2020). `tags` finds a cheapest row of tags that turns one text into
another, and `apply` is its exact inverse: ``apply(source, tags(source, target)) == target`` for all texts without outer
spaces.

A token is a word or a mark with the gap before it. Before the first stands an empty one, so that something can be
appended to the beginning. Moving words has no tag: it is a deletion and an append.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from typing import Literal, NamedTuple, get_args

from copybandit.generators.word_forms import plural, recased, singular, titled
from copybandit.sim.types import DataError

Op = Literal[
    "keep", "delete", "lower", "title", "upper", "article", "plural", "singular", "replace", "write", "append", "split",
    "space", "join",
]  # fmt: skip
OPS: tuple[Op, ...] = get_args(Op)
_TOKEN = re.compile(r"(\s*)(\d+(?:[.,]\d+)+|[^\W_]+(?:['’-][^\W_]+)*|\S)")
_ARTICLES = {"a": "an", "an": "a"}


class Token(NamedTuple):
    """A word or a mark, and the spaces before it."""

    gap: str
    word: str


START = Token("", "")
"""Stands before every text; only appending changes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """What becomes of one token.

    Attributes:
        op: ``replace`` writes `word` with the capitals of the token, ``write`` as it stands; ``append`` puts `word`, its gap
            included, behind the token; ``split`` parts the token after `word` letters; ``space`` and ``join`` put a space
            before the token or take it away.
        word: what the op needs, else empty.

    Raises:
        DataError: an op that needs a word has none, or the other way round.
    """

    op: Op = "keep"
    word: str = ""

    def __post_init__(self) -> None:
        if bool(self.word) != (self.op in ("replace", "write", "append", "split")):
            raise DataError(
                f"tag {self.op}: replace, write, append and split need a word and no other op has one, got "
                f"{self.word!r}; correct it"
            )

    def __str__(self) -> str:
        return f"{self.op}:{self.word}" if self.word else self.op


KEEP, DELETE = Tag(), Tag(op="delete")


def tag_named(name: str) -> Tag:
    """The tag that a name stands for; the inverse of ``str``.

    >>> tag_named("append: the")
    Tag(op='append', word=' the')

    Raises:
        DataError: there is no such op.
    """
    op, _, word = name.partition(":")
    for known in OPS:
        if known == op:
            return Tag(op=known, word=word)
    raise DataError(f"unknown edit {op!r}; choose from {', '.join(OPS)}")


def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a text behind `START`; spaces at its end are lost.

    >>> [token.word for token in tokens("It's a 1.5 l mug, blue.")]
    ['', "It's", 'a', '1.5', 'l', 'mug', ',', 'blue', '.']
    """
    found = [Token(match[1], match[2]) for match in _TOKEN.finditer(text)]
    return (START, *(Token(" ", token.word) if i == 0 else token for i, token in enumerate(found)))


def joined(parts: Sequence[Token]) -> str:
    """The text of tokens, without spaces at its beginning."""
    return "".join(gap + word for gap, word in parts).lstrip()


def apply(source: Sequence[Token], tags: Sequence[Tag]) -> str:
    """The text that tags, one per token, make of a text.

    >>> apply(tokens("a orange mug"), [KEEP, Tag(op="article"), KEEP, Tag(op="append", word=".")])
    'an orange mug.'
    """
    return "".join(edited(token, tag) for token, tag in zip(source, tags, strict=True)).lstrip()


def edited(token: Token, tag: Tag) -> str:
    """What a tag makes of one token, its gap included."""
    if tag.op == "delete":
        return ""
    if tag.op == "append":
        return token.gap + token.word + tag.word
    if tag.op == "split":
        place = int(tag.word)
        return f"{token.gap}{token.word[:place]} {token.word[place:]}"
    if tag.op in ("space", "join"):
        return (" " if tag.op == "space" else "") + token.word
    return token.gap + recast(token.word, tag)


def recast(word: str, tag: Tag) -> str:
    """The word that a tag makes of one; itself for a tag that leaves words alone."""
    match tag.op:
        case "replace":
            return recased(tag.word, word)
        case "write":
            return tag.word
        case "article":
            return recased(_ARTICLES.get(word.lower(), word), word)
        case "lower":
            return word.lower()
        case "upper":
            return word.upper()
        case "title":
            return titled(word)
        case "plural":
            return plural(word)
        case "singular":
            return singular(word)
    return word


_PLAIN = tuple(Tag(op=op) for op in ("article", "lower", "title", "upper", "plural", "singular"))


@lru_cache(maxsize=1 << 14)
def recast_tag(word: str, wanted: str) -> Tag:
    """The simplest tag that makes one word of another."""
    for tag in (*_PLAIN, Tag(op="replace", word=wanted.lower() or wanted)):
        if recast(word, tag) == wanted:
            return tag
    return Tag(op="write", word=wanted)


def tags(source: str, target: str) -> tuple[Tag, ...]:
    """A cheapest row of tags, one per token of `tokens(source)`, that makes `target` of `source`.

    Every change costs 1, a word that is appended 1 for each token, a replacement by an unrelated word 1.5, so that a word
    is rather recast than replaced, and what stands twice goes the second time.

    Raises:
        DataError: a text has spaces at an end.
    """
    for text in (source, target):
        if text != text.strip():
            raise DataError(f"token edits: text must have no outer spaces, got {text[:40]!r}; strip it")
    before, after = tokens(source), tokens(target)
    head, tail = _shared(before, after)
    left, right = before[head : len(before) - tail], after[head : len(after) - tail]
    return (*(KEEP,) * head, *_aligned(left, right), *(KEEP,) * tail)


def _shared(before: Sequence[Token], after: Sequence[Token]) -> tuple[int, int]:
    """Tokens at both ends that stay; one at the beginning is left over, for an append needs one that is kept."""
    most = min(len(before), len(after))
    head = next((i for i in range(most) if before[i] != after[i]), most)
    most -= head
    tail = next((i for i in range(most) if before[-1 - i] != after[-1 - i]), most)
    return max(head - 1, 0), tail


def _aligned(left: Sequence[Token], right: Sequence[Token]) -> tuple[Tag, ...]:
    """A shortest path over pairs of places (Dijkstra 1959); both rows begin with the same token."""
    goal = (len(left), len(right))
    cheapest = {(0, 0): 0.0}
    way: dict[tuple[int, int], tuple[tuple[int, int], tuple[Tag, ...]]] = {}
    heap, done = [(0.0, (0, 0))], set()
    while goal not in done:
        cost, place = heappop(heap)
        if place in done or place[0] == len(left):
            done.add(place)
            continue
        done.add(place)
        for di, dj, more, made in _moves(left, place[0], right, place[1]):
            end = (place[0] + di, place[1] + dj)
            if cost + more < cheapest.get(end, float("inf")):
                cheapest[end], way[end] = cost + more, (place, made)
                heappush(heap, (cost + more, end))
    return _walked(way, goal)


def _walked(
    way: dict[tuple[int, int], tuple[tuple[int, int], tuple[Tag, ...]]], place: tuple[int, int]
) -> tuple[Tag, ...]:
    path = []
    while place != (0, 0):
        place, made = way[place]
        path.append(made)
    return tuple(tag for made in reversed(path) for tag in made)


def _moves(
    left: Sequence[Token], i: int, right: Sequence[Token], j: int
) -> Iterator[tuple[int, int, float, tuple[Tag, ...]]]:
    """Ways on from a pair of places: tokens used on the left, on the right, cost, tags."""
    here = left[i]
    if here != START:
        yield 1, 0, 1.0, (DELETE,)
    if j == len(right):
        return
    there = right[j]
    same_gap = here.gap == there.gap or (j > 0 and right[j - 1] == START)
    if here.word == there.word and same_gap:
        yield 1, 1, 0.0, (KEEP,)
        for end in range(j + 2, len(right) + 1):
            word = "".join(gap + word for gap, word in right[j + 1 : end])
            yield 1, end - j, float(end - j - 1), (Tag(op="append", word=word),)
    elif here.word == there.word and there.gap in ("", " "):
        yield 1, 1, 1.0, (Tag(op="space" if there.gap else "join"),)
    elif same_gap and START not in (here, there):
        tag = recast_tag(here.word, there.word)
        yield 1, 1, 1.0 if tag in _PLAIN else 1.5, (tag,)
        yield from _cut(left, i, right, j)


def _cut(
    left: Sequence[Token], i: int, right: Sequence[Token], j: int
) -> Iterator[tuple[int, int, float, tuple[Tag, ...]]]:
    """One word of two, or two of one."""
    here, there = left[i], right[j]
    if i + 1 < len(left) and here.word + left[i + 1].word == there.word:
        yield 2, 1, 1.0, (KEEP, Tag(op="join"))
    if j + 1 < len(right) and right[j + 1].gap == " " and there.word + right[j + 1].word == here.word:
        yield 1, 2, 1.0, (Tag(op="split", word=str(len(there.word))),)
