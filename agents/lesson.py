"""One lesson of a small writer: AdamW on batches of like length, matrix products in bfloat16, a loss on the responses alone.

loss = mean over response tokens of -log p(token | prompt, tokens of the same response before). Several responses may
follow one prompt, which is then read once: each sees the prompt and itself, at the places it would have on its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaForCausalLM

from copybandit.sim.types import Ints

PAD, EOS = 0, 1
NOTHING = -100
"""The label of a token that nothing is to be learned from."""
LONGEST = 400
"""Tokens of a prompt and its responses; longer rows are left out where tokens make a batch."""
WARM_UP = 100
"""Steps in which the rate rises in a lesson with a `decay_share`."""
ROUND, ROUND_LABELS = 16, 128
"""What lengths and numbers of labels are rounded up to where tokens make a batch.

Tensors of ever new sizes break the memory of a process into pieces until most of its time goes into finding room.
"""
CHUNK = 20
"""Batches that are put together by length at a time."""
OnStep = Callable[[int, float], None]
"""Told step and loss."""
Texts = list[tuple[str, tuple[str, ...]]]
"""Prompts, and the responses to each."""
Draw = Callable[[float], Texts]
"""Draws prompts and responses; told which share of the lesson is over."""
Row = tuple[list[int], list[list[int]]]
"""Tokens of a prompt and of each response, its end included."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One run of the optimizer.

    Attributes:
        steps: optimizer steps.
        learning_rate: peak, warmed up over 2% of the steps, then annealed to 0 by a cosine.
        decay_share: if above 0, the rate is warmed up over `WARM_UP` steps and stays, but for this last share of the
            steps, in which it falls to 0 along a line (Hägele et al. 2024, arXiv:2405.18392), so that the length of a
            lesson may be settled late.
        batch_size: texts a step.
        batch_tokens: tokens a step, padding included, instead; 0 for `batch_size` texts whatever their length.
    """

    steps: int
    learning_rate: float
    batch_size: int = 64
    batch_tokens: int = 0
    decay_share: float = 0.0

    def rate(self, step: int) -> float:
        """Share of the peak learning rate at a step."""
        if self.decay_share:
            left = (self.steps - step) / (self.decay_share * self.steps)
            return min(1.0, (step + 1) / WARM_UP, left)
        warm = max(1, self.steps // 50)
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of like length.

    Attributes:
        ids: shape (b, t), padded on the right.
        labels: shape (b, t); `NOTHING` where nothing is to be learned.
        places: shape (b, t), the place of each token behind its prompt; None where it is the place in the row.
        block: shape (b, t), which response of its row a token belongs to, from 1; 0 for prompts. None where rows have one
            response each.
    """

    ids: Ints
    labels: Ints
    places: Ints | None = None
    block: Ints | None = None


def teach(model: LlamaForCausalLM, lesson: Lesson, stream: Iterator[Batch], on_step: OnStep) -> None:
    """Train the model in place, on the device it lies on, a batch a step."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lesson.learning_rate, betas=(0.9, 0.95), weight_decay=0.05
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lesson.rate)
    model.train()
    for step, batch in enumerate(islice(stream, lesson.steps), start=1):
        optimizer.zero_grad()
        told = gradient(model, batch)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        on_step(step, told)


def gradient(model: LlamaForCausalLM, batch: Batch) -> float:
    """Add the gradient of the loss of a batch; returns that loss."""
    with torch.autocast(model.device.type, torch.bfloat16):
        loss = _loss(model, batch)
    torch.autograd.backward(loss)
    return float(loss.item())


def batches(tokenizer: Tokenizer, lesson: Lesson, draw: Draw, rng: np.random.Generator) -> Iterator[Batch]:
    """Draw and batch without end, rows of similar length together; the loss falls on responses and their ends only."""
    taken = 0
    while True:
        for batch in batched(tokenizer, lesson, draw(taken / lesson.steps), rng):
            yield batch
            taken += 1


def batched(tokenizer: Tokenizer, lesson: Lesson, texts: Texts, rng: np.random.Generator) -> Iterator[Batch]:
    """Batches of these texts, in random order."""
    rows = [encode(tokenizer, *drawn) for drawn in texts]
    for picked in _grouped(rows, lesson, rng):
        yield padded([rows[row] for row in picked], ROUND if lesson.batch_tokens else 1)


def encode(tokenizer: Tokenizer, prompt: str, texts: Sequence[str]) -> Row:
    """Tokens of a prompt, and of each response: a space, the text, the end."""
    return tokenizer.encode(prompt).ids, [[*tokenizer.encode(" " + text).ids, EOS] for text in texts]


def _grouped(rows: Sequence[Row], lesson: Lesson, rng: np.random.Generator) -> Iterator[list[int]]:
    """Which rows go into each batch."""
    order = rng.permutation(len(rows))
    if lesson.batch_tokens:
        short = [row for row in order if _length(rows[row]) <= LONGEST]
        packed = _packed(rows, short, lesson.batch_tokens)
        yield from (packed[batch] for batch in rng.permutation(len(packed)))
        return
    size = lesson.batch_size
    chunk = size * CHUNK
    for start in range(0, len(order) - chunk + 1, chunk):
        sorted_rows = sorted(order[start : start + chunk], key=lambda row: _length(rows[row]))
        for batch in rng.permutation(len(sorted_rows) // size):
            yield sorted_rows[batch * size : (batch + 1) * size]


def _packed(rows: Sequence[Row], picked: list[int], most: int) -> list[list[int]]:
    """Rows from the longest down, as many to a batch as fit into `most` tokens at the rounded length of its longest."""
    left = sorted(picked, key=lambda row: -_length(rows[row]))
    groups: list[list[int]] = []
    while left:
        size = max(1, most // _rounded(_length(rows[left[0]]), ROUND))
        groups.append(left[:size])
        left = left[size:]
    return groups


def _rounded(number: int, to: int) -> int:
    return -(-number // to) * to


def padded(rows: Sequence[Row], to: int = 1) -> Batch:
    """Put rows side by side, their length rounded up; rows with one response each need neither places nor blocks."""
    shape = (len(rows), _rounded(max(map(_length, rows)), to))
    ids, labels = np.full(shape, PAD), np.full(shape, NOTHING)
    places, block = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, (prompt, responses) in enumerate(rows):
        end = len(prompt)
        ids[row, :end], places[row, :end] = prompt, np.arange(end)
        for number, response in enumerate(responses, start=1):
            part = slice(end, end + len(response))
            ids[row, part] = labels[row, part] = response
            places[row, part] = np.arange(len(prompt), len(prompt) + len(response))
            block[row, part] = number
            end = part.stop
    if to == 1 and all(len(responses) == 1 for _, responses in rows):
        return Batch(ids=ids, labels=labels)
    return Batch(ids=ids, labels=labels, places=places, block=block)


def _length(row: Row) -> int:
    return len(row[0]) + sum(map(len, row[1]))


def _loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Cross-entropy of the response tokens; logits are made only where a label is."""
    put = partial(_tensor, device=model.device)
    seen = None if batch.block is None else _seen(put(batch.block))
    places = None if batch.places is None else put(batch.places)
    states = model.model(input_ids=put(batch.ids), attention_mask=seen, position_ids=places)
    rows, before, wanted = (put(index) for index in expected(batch))
    logits = model.lm_head(states.last_hidden_state[rows, before]).float()
    return torch.nn.functional.cross_entropy(logits, wanted, ignore_index=NOTHING)


def _seen(block: Tensor) -> Tensor:
    """Which tokens a token may see, shape (b, 1, t, t): those before it of its prompt and of its own response."""
    before = torch.ones(block.shape[1], block.shape[1], dtype=torch.bool, device=block.device).tril()
    return (before & ((block[:, None, :] == 0) | (block[:, None, :] == block[:, :, None])))[:, None]


def expected(batch: Batch) -> tuple[Ints, Ints, Ints]:
    """Row and column at which each label is foretold, and the label; rounded up by labels that are `NOTHING`.

    The first token of a response is expected where the prompt ends, the others where the token before them stands.
    """
    rows, columns = np.nonzero(batch.labels != NOTHING)
    wanted, before = batch.labels[rows, columns], columns - 1
    if batch.places is None or batch.block is None:
        return rows, before, wanted
    first = batch.block[rows, before] != batch.block[rows, columns]
    before = np.where(first, batch.places[rows, columns] - 1, before)
    spare = (0, _rounded(len(rows), ROUND_LABELS) - len(rows))
    return np.pad(rows, spare), np.pad(before, spare), np.pad(wanted, spare, constant_values=NOTHING)


def _tensor(array: Ints, device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)
