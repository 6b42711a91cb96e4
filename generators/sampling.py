"""Draw token sequences from a causal language model.

The loop is ours and not `transformers.generate` for three reasons: it draws from a `torch.Generator` of its
own, so global random state is neither read nor moved; it reads no leftover sampling default from the model (a
repetition penalty left there makes PPO's ratio differ from 1); and rows that have ended leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from copybandit.generators.decoding import Decoder, decoder_for

SHRINK_BELOW = 0.9
"""Ended rows leave once fewer than this share of the batch still writes; copying the cache costs time."""
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
    """

    tokens: Tensor
    scores: Tensor | None


def left_pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask, both of shape (rows, longest row), padded on the left."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (width - len(row)) + list(row) for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    mask = torch.arange(width, device=device) >= width - lengths[:, None]
    return ids, mask.long()


def draw(scores: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Draw one token of each row of scores, shape (rows, v); the likeliest where `temperature` is 0.

    By inversion: the token at which the running sum of probabilities passes a uniform number. First the block of tokens is
    found, then the token in it, so that of v probabilities only sums are looked at. `torch.multinomial` draws a random
    number for each of the v, which took longer than the forward pass of a small model with a large vocabulary.
    """
    if temperature == 0:
        return scores.argmax(-1)
    probs = pad(scores.softmax(-1), (0, -scores.shape[-1] % BLOCK)).view(len(scores), -1, BLOCK)
    share = torch.rand(len(scores), 1, generator=generator, dtype=torch.float64, device=scores.device)
    block, share = invert(probs.sum(-1), share)
    inside, _ = invert(probs[torch.arange(len(probs), device=block.device), block], share)
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
    """
    logits = decoder.start(ids, mask, copies, settings.max_new_tokens)
    tokens = ids.new_full((len(logits), settings.max_new_tokens), settings.pad_id)
    rows = torch.arange(len(logits), device=ids.device)
    ended = torch.zeros_like(rows, dtype=torch.bool)
    kept: list[Tensor] = []
    for step in range(settings.max_new_tokens):
        scores = logits.float()
        if settings.temperature not in (0.0, 1.0):
            scores = scores / settings.temperature
        if keep_scores:
            kept.append(scores.new_zeros(len(tokens), scores.shape[-1]).index_copy_(0, rows, scores))
        token = draw(scores, settings.temperature, generator).masked_fill(ended, settings.pad_id)
        tokens[rows, step] = token
        ended |= token == settings.eos_id
        writing = int((~ended).sum())
        if not writing or step + 1 == settings.max_new_tokens:
            break
        if writing < SHRINK_BELOW * len(rows):
            stay = (~ended).nonzero().squeeze(1)
            decoder.keep(stay)
            rows, token, ended = rows[stay], token[stay], ended[stay]
        logits = decoder.step(token)
    return Sampled(tokens=tokens[:, : step + 1], scores=torch.stack(kept, 1) if keep_scores else None)
