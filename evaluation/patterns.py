"""What copy says once the words that its brief gave it are taken out; and how much of it the other copy says, too.

A writer that has settled on one sentence still writes as many different texts as there are products. Its patterns tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from copybandit.sim.types import Brief, Floats

ORDER = 4
"""Words of a phrase."""
_TOKEN = re.compile(r"<\w+>|\w+|[^\w\s]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def pattern(brief: Brief, text: str) -> str:
    """A text without what its brief gave it: name, interests, facts and numbers become marks.

    >>> from copybandit.sim.types import Product
    >>> mug = Product(product_id="m", name="mug", title="mug", category="c", brand="", price=8.5, facts=("blue",))
    >>> pattern(Brief(product=mug), "The blue mug for 8.50.")
    'the <fact> <name> for <number>.'
    """
    low = text.lower()
    interests = brief.segment.interests if brief.segment else ()
    told = [(brief.product.name, "<name>"), *((fact, "<fact>") for fact in brief.product.facts)]
    told += [(word, "<interest>") for word in interests]
    for words, mark in sorted(told, key=lambda pair: -len(pair[0])):
        low = re.sub(rf"(?<!\w){re.escape(words.lower())}(?!\w)", mark, low)
    return _NUMBER.sub("<number>", low)


def sameness(briefs: Sequence[Brief], texts: Sequence[str], order: int = ORDER) -> Floats:
    """Share of a text's phrases that another text has, on average over the other texts, shape (b,), in [0, 1].

    Phrases are the different runs of `order` words and marks of a text's pattern; a shorter pattern is one phrase. Its mean
    over texts drawn at random does not depend on how many there are, so batches of any size can be compared. A single text
    shares nothing.

    >>> from copybandit.sim.types import Product
    >>> mug, pen = (Product(product_id=n, name=n, title=n, category="c", brand="", price=8.5) for n in ("mug", "pen"))
    >>> sameness([Brief(product=mug), Brief(product=pen)], ["Meet the mug for you", "Now meet the pen for you"]).round(2)
    array([1.  , 0.67])
    """
    phrases = [_phrases(_TOKEN.findall(pattern(*pair)), order) for pair in zip(briefs, texts, strict=True)]
    known: dict[tuple[str, ...], int] = {}
    ids = np.array([known.setdefault(one, len(known)) for row in phrases for one in row], np.int64)
    size = np.array([len(row) for row in phrases], np.int64)
    others = np.bincount(ids)[ids] - 1
    shared = np.bincount(np.repeat(np.arange(len(phrases)), size), others, minlength=len(phrases))
    return np.asarray(shared / (size * max(1, len(phrases) - 1)))


def _phrases(words: Sequence[str], order: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + order]) for i in range(max(1, len(words) - order + 1))}
