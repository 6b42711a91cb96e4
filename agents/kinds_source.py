"""The batches of the third lesson of `tiny`: always the same ones in the same order, however many processes draw them."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count

import numpy as np
from tokenizers import Tokenizer

from copybandit.agents.corpus_kinds import Strangers, draw_kinds
from copybandit.agents.lesson import Batch, Lesson, batched

DRAWN_AT_ONCE = 600
"""Prompts of a chunk, which are put into batches by length together."""
AHEAD = 2
"""Chunks that each process may be ahead."""


@dataclass(frozen=True, kw_only=True)
class KindsSource:
    """Where batches of every kind of copy come from: chunk after chunk, each from a random stream of its own.

    Attributes:
        vocabulary: of the tokenizer, as JSON.
        lesson: says how many tokens a batch holds.
        strangers: draws words that nobody knows.
        seed: of everything random.
    """

    vocabulary: str
    lesson: Lesson
    strangers: Strangers
    seed: tuple[int, ...]

    def chunk(self, number: int) -> list[Batch]:
        """The batches of a chunk."""
        rng = np.random.default_rng([*self.seed, number])
        texts = draw_kinds(DRAWN_AT_ONCE, rng, self.strangers)
        return list(batched(Tokenizer.from_str(self.vocabulary), self.lesson, texts, rng))

    def batches(self, workers: int = 0) -> Generator[Batch]:
        """All batches without end; whatever the number of processes that draw them, the same ones."""
        if not workers:
            for number in count():
                yield from self.chunk(number)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            chunks: deque[Future[list[Batch]]] = deque()
            for number in count():
                chunks.append(pool.submit(self.chunk, number))
                if number >= AHEAD * workers:
                    yield from chunks.popleft().result()
