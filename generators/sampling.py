"""Draw token sequences from a causal language model.

The loop is ours and not `transformers.generate` for three reasons: it draws from a `torch.Generator` of its
own, so global random state is neither read nor moved; it reads no leftover sampling default from the model (a
repetition penalty left there makes PPO's ratio differ from 1); and rows that have ended make room for the next prompts'.
The random numbers of a row are its own: who else is written at the same time changes no draw, except where rounding does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from copybandit.generators.decoding import Decoder, decoder_for
from copybandit.generators.refill import Refill

AT_ONCE = 1 << 18
"""Probabilities that are worked out at once: as many as a processor's cache holds."""
BLOCK = 64
"""Tokens whose probabilities are summed before any of them is looked at."""


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How to draw. ``temperature`` 0 takes the likeliest token."""

    max_new_tokens: int
    temperature: float
    eos_id: int
    pad_id: int


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """What was drawn for b rows.

    Attributes:
        tokens: shape (b, t), t <= max_new_tokens; pad after the end-of-sequence token.
        scores: shape (b, t, v), logits / temperature each token was drawn from, 0 in rows that had left;
            None when not asked for.
        log_prob: shape (b, t), log probability of each token, 0 after the end; None when not asked for.
    """

    tokens: Tensor
    scores: Tensor | None = None
    log_prob: Tensor | None = None


def left_pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask, both of shape (rows, longest row), padded on the left."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (width - len(row)) + list(row) for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    mask = torch.arange(width, device=device) >= width - lengths[:, None]
    return ids, mask.long()


def draw(logits: Tensor, temperature: float, share: Tensor) -> Tensor:
    """Draw one token of each row of logits, shape (rows, v), at a temperature; the likeliest where it is 0.

    By inversion: the token at which the running sum of probabilities passes `share`, uniform numbers of shape (rows,). First
    the block of tokens is found, then the token in it, so that of v probabilities only sums are looked at.
    `torch.multinomial` draws a random number for each of the v, which took longer than the forward pass of a small model
    with a large vocabulary.
    """
    if temperature == 0:
        return logits.argmax(-1)
    rows = max(1, AT_ONCE // logits.shape[-1])
    parts = [slice(start, start + rows) for start in range(0, len(logits), rows)]
    return torch.cat(
        [_inverted(tempered(logits[part], temperature).softmax(-1), share[part]) for part in parts]
    )


def tempered(logits: Tensor, temperature: float) -> Tensor:
    """Logits in single precision over a temperature, of which 0 counts as 1."""
    return logits.float() if temperature in (0.0, 1.0) else logits.float() / temperature


def _inverted(probs: Tensor, share: Tensor) -> Tensor:
    """The token of each row, probabilities of shape (rows, v), at which their running sum passes a share, shape (rows,)."""
    if odd := -probs.shape[-1] % BLOCK:
        probs = pad(probs, (0, odd))
    probs = probs.view(len(probs), -1, BLOCK)
    block, inner = invert(probs.sum(-1), share[:, None])
    inside, _ = invert(probs[torch.arange(len(probs), device=block.device), block], inner)
    return block * BLOCK + inside


def invert(weights: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Where the running sum of weights, shape (rows, k), passes a share of it, shape (rows, 1), and the share inside."""
    total = weights.cumsum(-1, dtype=torch.float64)
    # Rounding must not reach the end, where tokens of probability 0 may lie.
    level = share.clamp(0.0, 1 - 1e-12) * total[:, -1:]
    place = torch.searchsorted(total, level, right=True)
    inside = 1 - (total.gather(1, place) - level) / weights.gather(1, place).double()
    return place.squeeze(1), inside


@torch.no_grad()
def sample_tokens(
    model: Any,
    ids: Tensor,
    mask: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    *,
    copies: int = 1,
    keep_scores: bool = False,
) -> Sampled:
    """Continue each of b left-padded prompts `copies` times; see `sample_with`. `model` is a causal language model."""
    decoder = decoder_for(model)
    return sample_with(decoder, ids, mask, settings, generator, copies=copies, keep_scores=keep_scores)


@torch.no_grad()
def sample_with(
    decoder: Decoder,
    ids: Tensor,
    mask: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    *,
    copies: int = 1,
    keep_scores: bool = False,
    keep_log_prob: bool = False,
    at_once: int | None = None,
) -> Sampled:
    """Continue each of b left-padded prompts `copies` times; the prompt is read once for all its copies.

    Args:
        decoder: reads the model.
        ids: shape (b, p), prompt tokens; padded places may hold any token.
        mask: shape (b, p), 1 for a token, 0 for padding.
        settings: length, temperature and special tokens.
        generator: the only source of randomness, on the model's device.
        copies: continuations per prompt; row i of the prompts gives rows i * copies ... of the answer.
        keep_scores: also return what each token was drawn from.
        keep_log_prob: also return how likely each token was.
        at_once: rows that are written at the same time, those of one prompt at least; None for all. Prompts are taken in
            their order, and cost least when the longest come first.
    """
    total, longest = len(ids) * copies, settings.max_new_tokens
    at_once = max(1, total) if at_once is None else at_once
    batch = Refill(decoder, ids, mask, copies=copies, room=longest, end=settings.eos_id, at_once=at_once)
    shares = torch.rand(total, longest, generator=generator, dtype=torch.float64, device=ids.device)
    tokens = ids.new_full((total, longest), settings.pad_id)
    kept: Tensor | None = None
    log_prob = torch.zeros(total, longest, device=ids.device) if keep_log_prob else None
    while batch.goes_on():
        rows, age, logits = batch.read()
        if keep_scores:
            scores = tempered(logits, settings.temperature)
            kept = scores.new_zeros(total, longest, scores.shape[-1]) if kept is None else kept
            kept[rows, age] = scores
        token = draw(logits, settings.temperature, shares[rows, age])
        tokens[rows, age] = token
        if log_prob is not None:
            log_prob[rows, age] = _log_prob(tempered(logits, settings.temperature), token)
        batch.written(token)
    used = slice(batch.longest)
    return Sampled(
        tokens=tokens[:, used],
        scores=None if kept is None else kept[:, used],
        log_prob=None if log_prob is None else log_prob[:, used],
    )


def _log_prob(logits: Tensor, token: Tensor) -> Tensor:
    """Of the token of each row, shape (rows,)."""
    return logits.gather(1, token[:, None]).squeeze(1) - logits.logsumexp(1)
