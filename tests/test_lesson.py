"""A lesson: responses of one prompt do not see each other, batches keep to their size, rates rise and fall."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.lesson import (
    LONGEST,
    ROUND,
    Batch,
    Lesson,
    Row,
    batches,
    encode,
    gradient,
    padded,
)
from tests.tiny_lm import WORDS, tiny_model, tiny_tokenizer

TOKENIZER = tiny_tokenizer().backend_tokenizer
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
texts = st.lists(words, min_size=1, max_size=4).map(tuple)


def loss_of(model: torch.nn.Module, rows: list[Row]) -> float:
    return gradient(model, padded(rows))  # type: ignore[arg-type]  # the model is a Llama


@given(st.lists(st.tuples(words, texts), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_responses_of_one_prompt_are_read_as_if_each_stood_alone(
    drawn: list[tuple[str, tuple[str, ...]]],
) -> None:
    model = tiny_model(layers=2, spread=0.3).train()
    rows = [encode(TOKENIZER, f"{prompt} >", told) for prompt, told in drawn]
    alone: list[Row] = [(prompt, [response]) for prompt, responses in rows for response in responses]
    together = loss_of(model, rows)
    shared = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    assert together == pytest.approx(loss_of(model, alone), rel=2e-2)  # bfloat16
    for one, two in zip(shared, (weight.grad for weight in model.parameters()), strict=True):
        assert torch.linalg.vector_norm(one - two) <= 0.05 * torch.linalg.vector_norm(two) + 1e-4


def drawn(over: float) -> list[tuple[str, tuple[str, ...]]]:
    return [(" ".join(WORDS[: 1 + i % 7]), ("try the mug",) * (1 + i % 3)) for i in range(30)] + [
        ("a", ("mug " * 500,))
    ]


def test_batches_keep_to_their_tokens_and_lose_only_what_is_too_long() -> None:
    lesson = Lesson(steps=9, learning_rate=1e-3, batch_tokens=120)
    stream = batches(TOKENIZER, lesson, drawn, np.random.default_rng(0))
    rows = 0
    while rows < 30:
        batch = next(stream)
        rows += len(batch.ids)
        assert batch.ids.size <= 120 and batch.ids.shape[1] <= LONGEST and batch.ids.shape[1] % ROUND == 0
        assert ((batch.labels == -100) | (batch.labels == batch.ids)).all()
    assert rows == 30


def test_rates_rise_and_end_at_nothing() -> None:
    cosine = Lesson(steps=1000, learning_rate=1.0)
    assert cosine.rate(0) < cosine.rate(19) == 1.0 > cosine.rate(500) > cosine.rate(999) > 0
    late = Lesson(steps=1000, learning_rate=1.0, decay_share=0.3)
    assert late.rate(0) == 0.01 and late.rate(100) == late.rate(699) == 1.0
    assert late.rate(850) == pytest.approx(0.5) and late.rate(1000) == 0
    longer = Lesson(steps=2000, learning_rate=1.0, decay_share=0.3)
    assert [late.rate(step) for step in range(700)] == [longer.rate(step) for step in range(700)]


def test_one_response_each_needs_no_mask() -> None:
    batch = padded([encode(TOKENIZER, "mug >", ("red",))])
    assert isinstance(batch, Batch) and batch.block is None and batch.places is None
