"""The third lesson's batches do not depend on how many processes draw them."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

import numpy as np

from copybandit.agents.corpus_kinds import Strangers, common_characters
from copybandit.agents.kinds_source import KindsSource
from copybandit.agents.lesson import LONGEST, Batch, Lesson
from copybandit.generators.lm import CausalLM

SOURCE = KindsSource(
    vocabulary=CausalLM.load("tiny").tokenizer.backend_tokenizer.to_str(),
    lesson=Lesson(steps=5, learning_rate=1e-3, batch_tokens=4096),
    strangers=Strangers(pieces=("ab", "cd"), letters=common_characters()),
    seed=(7, 3),
)


def drawn(workers: int, n: int) -> list[Batch]:
    with closing(SOURCE.batches(workers)) as stream:
        return list(islice(stream, n))


def test_any_number_of_processes_draws_the_same_batches_in_the_same_order() -> None:
    chunk = len(SOURCE.chunk(0))
    alone, shared = drawn(0, chunk + 3), drawn(2, chunk + 3)
    assert {batch.ids.shape for batch in alone} != {alone[0].ids.shape}
    for one, two in zip(alone, shared, strict=True):
        for field in ("ids", "labels", "places", "block"):
            np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
        assert one.ids.shape[1] <= LONGEST and one.ids.size <= SOURCE.lesson.batch_tokens
