"""How a language model is read token by token: the interface, and the reader that fits every model of transformers."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class Decoder(Protocol):
    """Reads prompts once, then one token a row and step; keeps keys and values of what it read."""

    def start(self, ids: Tensor, mask: Tensor, copies: int, room: int) -> Tensor:
        """Read left-padded prompts, shape (b, p), and prepare `copies` rows of `room` tokens for each.

        Returns:
            Logits of the next token, shape (b * copies, v); row i of the prompts gives rows i * copies ...
        """
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Read one token of every row, shape (rows,); returns the next logits, shape (rows, v)."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these, in this order."""
        ...


def decoder_for(model: Any, *, bf16: bool = False) -> Decoder:
    """Return the fastest reader that fits a model; `bf16` rounds matrix products where model and processor allow it."""
    from copybandit.generators.llama import LlamaDecoder, fits

    if not fits(model):
        return CacheDecoder(model)
    return LlamaDecoder(model, torch.bfloat16 if bf16 and multiplies_bf16(model.device) else None)


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; elsewhere it is emulated, and slower than single precision."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


class CacheDecoder:
    """Reads through the model's own forward pass and transformers' key-value cache."""

    def __init__(self, model: Any) -> None:
        """Read with `model`, whatever it is made of."""
        self._model = model

    def start(self, ids: Tensor, mask: Tensor, copies: int, room: int) -> Tensor:
        """Read the prompts; the cache grows as it needs to."""
        from transformers import DynamicCache

        self._cache = DynamicCache(config=self._model.config)
        logits = self._read(ids, mask, (mask.cumsum(1) - 1).clamp(min=0))
        if copies > 1:
            self._cache.batch_repeat_interleave(copies)
        self._mask = mask.repeat_interleave(copies, 0)
        return logits.repeat_interleave(copies, 0)

    def step(self, tokens: Tensor) -> Tensor:
        """Read one token of every row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], 1)
        return self._read(tokens[:, None], self._mask, self._mask.sum(1, keepdim=True) - 1)

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these."""
        self._cache.batch_select_indices(rows)
        self._mask = self._mask[rows]

    def _read(self, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        out = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = out.logits[:, -1]
        return logits
