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

SHRINK_BELOW = 0.75
"""Ended rows leave once fewer than this share of the batch still writes; copying the cache costs time."""


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


class _Rows:
    """The rows that still write: their cache, mask, positions and place in the whole batch."""

    def __init__(self, mask: Tensor, cache: Any, copies: int) -> None:
        if copies > 1:
            cache.batch_repeat_interleave(copies)
        self.cache = cache
        self.mask = mask.repeat_interleave(copies, 0)
        self.index = torch.arange(len(self.mask), device=mask.device)
        self.ended = torch.zeros_like(self.index, dtype=torch.bool)

    def shrink(self, token: Tensor) -> Tensor:
        """Drop ended rows when enough have ended; returns the last tokens of those that stay."""
        keep = (~self.ended).nonzero().squeeze(1)
        if len(keep) >= SHRINK_BELOW * len(self.index):
            return token
        self.cache.batch_select_indices(keep)
        self.mask, self.index, self.ended = self.mask[keep], self.index[keep], self.ended[keep]
        return token[keep]

    def grow(self) -> Tensor:
        """Let the mask cover one more token; returns that token's position, shape (rows, 1)."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], 1)
        return self.mask.sum(1, keepdim=True) - 1


def _draw(scores: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if temperature == 0:
        return scores.argmax(-1)
    return torch.multinomial(scores.softmax(-1), 1, generator=generator).squeeze(1)


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
    """Continue each of b left-padded prompts `copies` times; the prompt is read once for all its copies.

    Args:
        model: a transformers causal language model.
        ids: shape (b, p), prompt tokens; padded places may hold any token.
        mask: shape (b, p), 1 for a token, 0 for padding.
        settings: length, temperature and special tokens.
        generator: the only source of randomness, on the model's device.
        copies: continuations per prompt; row i of the prompts gives rows i * copies ... of the answer.
        keep_scores: also return what each token was drawn from.
    """
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = _step(model, ids, mask, positions, cache).repeat_interleave(copies, 0)
    rows = _Rows(mask, cache, copies)
    tokens = ids.new_full((len(logits), settings.max_new_tokens), settings.pad_id)
    kept: list[Tensor] = []
    for step in range(settings.max_new_tokens):
        scores = logits.float() / (settings.temperature or 1.0)
        if keep_scores:
            kept.append(scores.new_zeros(len(tokens), scores.shape[-1]).index_copy_(0, rows.index, scores))
        token = _draw(scores, settings.temperature, generator).masked_fill(rows.ended, settings.pad_id)
        tokens[rows.index, step] = token
        rows.ended |= token == settings.eos_id
        if bool(rows.ended.all()) or step + 1 == settings.max_new_tokens:
            break
        token = rows.shrink(token)
        position = rows.grow()
        logits = _step(model, token[:, None], rows.mask, position, rows.cache)
    return Sampled(tokens=tokens[:, : step + 1], scores=torch.stack(kept, 1) if keep_scores else None)


def _step(model: Any, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: Tensor = out.logits[:, -1]
    return logits
