"""How a language model is read token by token: the interface, and the reader that fits every model of transformers."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

SHRINK_BELOW = 0.9
"""A cache is copied without the rows that ended once fewer than this share of them still write."""


class Decoder(Protocol):
    """Reads prompts, then one token a row and step; rows are numbered as they came, and `keep` closes the gaps."""

    def start(self, prompts: int, copies: int, width: int, room: int) -> None:
        """Begin without rows.

        Args:
            prompts: how many will be held at once, at most.
            copies: rows of each prompt.
            width: longest prompt, in tokens.
            room: longest answer, in tokens.
        """
        ...

    def vacant(self) -> int:
        """How many prompts may be added now."""
        ...

    def add(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Read left-padded prompts, shape (b, p), each once.

        Returns:
            Logits of the next token of the new rows, shape (b * copies, v); prompt i has rows i * copies ... of them.
        """
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Read one token of every row, shape (rows,); returns the next logits, shape (rows, v)."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these, given in ascending order."""
        ...


def decoder_for(model: Any, *, bf16: bool = False) -> Decoder:
    """Return the fastest reader that fits a model; `bf16` rounds matrix products where model and processor allow it."""
    from copybandit.generators.llama import LlamaDecoder, fits

    if not fits(model):
        return CacheDecoder(model)
    return LlamaDecoder(model, torch.bfloat16 if bf16 and not why_not_bf16(model) else None)


def why_not_bf16(model: Any) -> str:
    """Why bfloat16 would change nothing in how a model is read; empty where it does."""
    from copybandit.generators.int8 import is_int8
    from copybandit.generators.llama import fits

    if not multiplies_bf16(model.device):
        return "this processor does not multiply bfloat16 in hardware"
    if is_int8(model):
        return "its layers are int8"
    return "" if fits(model) else f"{type(model).__name__} is read through its own forward pass, as it is"


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; elsewhere it is emulated, and slower than single precision."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


class CacheDecoder:
    """Reads through the model's own forward pass and transformers' key-value cache; takes prompts only when it is empty."""

    def __init__(self, model: Any) -> None:
        """Read with `model`, whatever it is made of."""
        self._model = model

    def start(self, prompts: int, copies: int, width: int, room: int) -> None:
        """Begin without rows; the cache grows as it needs to."""
        self._prompts, self._copies = prompts, copies
        self._live = torch.empty(0, dtype=torch.long)

    def vacant(self) -> int:
        """All or nothing: a cache of transformers has one length for all its rows."""
        return 0 if len(self._live) else self._prompts

    def add(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Read the prompts into a new cache."""
        from transformers import DynamicCache

        self._cache = DynamicCache(config=self._model.config)
        logits = self._read(ids, mask, (mask.cumsum(1) - 1).clamp(min=0))
        if self._copies > 1:
            self._cache.batch_repeat_interleave(self._copies)
        self._mask = mask.repeat_interleave(self._copies, 0)
        self._live = torch.arange(len(self._mask), device=ids.device)
        return logits.repeat_interleave(self._copies, 0)

    def step(self, tokens: Tensor) -> Tensor:
        """Read one token of every row; rows that were forgotten and are in the cache still read something."""
        given = tokens.new_zeros(len(self._mask)).index_copy_(0, self._live, tokens)
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(given), 1)], 1)
        return self._read(given[:, None], self._mask, self._mask.sum(1, keepdim=True) - 1)[self._live]

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these; they leave the cache once enough of it is of no use."""
        self._live = self._live[rows]
        if 0 < len(rows) < SHRINK_BELOW * len(self._mask):
            self._cache.batch_select_indices(self._live)
            self._mask = self._mask[self._live]
            self._live = torch.arange(len(rows), device=rows.device)

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
