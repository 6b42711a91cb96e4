"""Prefix tuning that starts exactly at the untuned model: learned keys and values behind a gate of zero.

In each attention layer every head h also looks at m learned pairs, in a softmax of their own (LLaMA-Adapter, arXiv
2303.16199, 3.2):

    head_h = softmax(q K^T) V + g_h softmax(q P_K^T) P_V,    g_h = 0 at first

Prefix tuning proper (Li and Liang, arXiv 2101.00190) puts the m pairs into the softmax of the words. There no initial
value is exact: the pairs take attention from the words whatever they hold, and keys so far away that they take none learn
nothing either, for their gradient shrinks with their share. Behind a gate the first step moves g alone, at full strength,
and the pairs follow. Nothing is added to the sequence, so positions, masks and the key-value cache stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from copybandit.sim.types import DataError

ATTENTION = "copybandit_prefix"
"""Name under which transformers is told of attention that also looks at a prefix."""


class GatedPrefix(nn.Module):
    """The m pairs of one attention layer and the gate of each head."""

    def __init__(self, heads: int, kv_heads: int, tokens: int, size: int) -> None:
        """Draw keys and values from the standard normal, by torch's global state; close the gates."""
        super().__init__()
        self.keys = nn.Parameter(torch.randn(kv_heads, tokens, size))
        self.values = nn.Parameter(torch.randn(kv_heads, tokens, size))
        self.gate = nn.Parameter(torch.zeros(heads))

    def forward(self, query: Tensor, scaling: float) -> Tensor:
        """What the heads see of the prefix: shape (b, t, heads, size), of queries of shape (b, heads, t, size)."""
        groups = query.shape[1] // len(self.keys)
        keys, values = (pair.repeat_interleave(groups, 0) for pair in (self.keys, self.values))
        weight = (query @ keys.transpose(1, 2) * scaling).softmax(-1)
        return (self.gate[:, None, None] * (weight @ values)).transpose(1, 2)


def attach_prefix(model: Any, tokens: int) -> None:
    """Give every attention layer of `model` a prefix, in place, and leave only the prefixes to be trained.

    Raises:
        DataError: the model does not take its attention from transformers' interface.
    """
    layers = [module for module in model.modules() if _is_attention(module)]
    if not layers or not getattr(model, "_supports_attention_backend", False):
        raise DataError(
            f"prefix: the model must take its attention from transformers' interface, got {type(model).__name__}; "
            "use lora"
        )
    _register()
    model.requires_grad_(False)
    for layer in layers:
        kv_heads = layer.config.num_key_value_heads
        prefix = GatedPrefix(kv_heads * layer.num_key_value_groups, kv_heads, tokens, layer.head_dim)
        layer.prefix = prefix.to(next(layer.parameters()).device)
    model.set_attn_implementation(ATTENTION)


def prefixes(model: Any) -> Iterator[tuple[str, GatedPrefix]]:
    """Name and prefix of every attention layer that has one."""
    for name, module in model.named_modules():
        if isinstance(module, GatedPrefix):
            yield name, module


def _is_attention(module: nn.Module) -> bool:
    return all(hasattr(module, name) for name in ("layer_idx", "head_dim", "num_key_value_groups", "scaling"))


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(ATTENTION, _attend)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Attention as ever, plus what its gates let through of the prefix."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    seen, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return seen + module.prefix(query, options["scaling"]), None
