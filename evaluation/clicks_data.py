"""News for a writer: each test's lede as a prompt, its headlines as answers, the clicks that they really got beside them.

    lede of the article, cut to 48 tokens >

The lede is what the archive says of the article itself; all headlines of a test answer the same one. Parts are those of
`copybandit.sim.split`, by connected component: tests that share a headline or an image lie in one part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from copybandit.generators.prompts import END, as_field
from copybandit.sim.split import split_groups
from copybandit.sim.types import DataError, Ints
from copybandit.sim.upworthy import AbPairs, AbTests

LEDE_TOKENS, HEADLINE_TOKENS = 48, 28
"""Most tokens of a lede in a prompt, and of a headline that is written, its end included."""
NO_LEDE = "-"
PARTS = ("fit", "select", "judge")


@dataclass(frozen=True, kw_only=True)
class News:
    """One part of the archive.

    Attributes:
        tests: n headlines with their clicks.
        prompts: different prompts, c of them.
        cell: shape (n,), the prompt that each headline answers.
        group: shape (n,), code of each headline's test and image.
        component: shape (n,), code of its connected component.
        pairs: headlines that were compared fairly.
    """

    tests: AbTests
    prompts: tuple[str, ...]
    cell: Ints
    group: Ints
    component: Ints
    pairs: AbPairs

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of all headlines."""
        return hashlib.sha256("\0".join(self.tests.text).encode()).hexdigest()[:16]

    def asked(self) -> list[str]:
        """The prompt of each headline, n of them."""
        return [self.prompts[cell] for cell in self.cell.tolist()]

    def first(self, cells: int) -> News:
        """The headlines of at most so many cells, for a small run."""
        kept = self.cell < cells
        asked = [prompt for prompt, own in zip(self.asked(), kept.tolist(), strict=True) if own]
        return news_of(self.tests.take(kept), asked, self.component[kept])


def split_news(tests: AbTests, tokenizer: Any, seed: int) -> dict[str, News]:
    """The parts `PARTS` of an archive with ledes.

    Args:
        tests: the archive.
        tokenizer: of the writer, a fast one of transformers; it counts the tokens of a lede.
        seed: of the split.

    Raises:
        DataError: the file has no column `lede`.
    """
    if not tests.lede:
        raise DataError(
            "news: the archive must have the column lede, got none; give the file as its owners publish it"
        )
    split, component = split_groups(tests.groups(), seed), tests.components()
    asked = [lede_prompt(lede, tokenizer) for lede in _shared_ledes(tests)]
    return {
        name: news_of(tests.take(rows), [asked[i] for i in np.flatnonzero(rows).tolist()], component[rows])
        for name, rows in zip(PARTS, (split.fit, split.select, split.judge), strict=True)
    }


def news_of(tests: AbTests, asked: Sequence[str], component: Ints) -> News:
    """Put headlines and their prompts, n each, together."""
    prompts = tuple(dict.fromkeys(asked))
    place = {prompt: i for i, prompt in enumerate(prompts)}
    return News(
        tests=tests,
        prompts=prompts,
        cell=np.array([place[prompt] for prompt in asked], dtype=np.int64),
        group=tests.arms().group,
        component=component,
        pairs=tests.pairs(),
    )


def lede_prompt(lede: str, tokenizer: Any, most: int = LEDE_TOKENS) -> str:
    """A lede as a prompt: whole words, `most` tokens at most."""
    text = as_field(lede)
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    if len(spans) > most:
        end = spans[most - 1][1]
        text = text[:end] if text[end : end + 1] in ("", " ") else text[:end].rpartition(" ")[0]
    return (text.strip() or NO_LEDE) + END


def _shared_ledes(tests: AbTests) -> list[str]:
    """One lede for each test: that of most of its headlines; the first in order of text where several have as many."""
    found: dict[int, dict[str, int]] = {}
    for test, lede in zip(tests.test.tolist(), tests.lede, strict=True):
        counts = found.setdefault(test, {})
        counts[lede] = counts.get(lede, 0) + bool(lede)
    best = {test: min(counts, key=lambda lede: (-counts[lede], lede)) for test, counts in found.items()}
    return [best[test] for test in tests.test.tolist()]
