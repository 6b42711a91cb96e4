"""What a linear layer multiplies by, taken out of the layer: plain, with an adapter folded in, or in eight-bit integers.

Layers that read the same input become one product: their outputs stand side by side. Weights are laid out (in, out), as the
product reads them, which spares a small batch a fifth of its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from copybandit.generators.int8 import Int8Linear

Product = Callable[[Tensor], Tensor]
"""From x, shape (..., in), to shape (..., out)."""
ROWS = 64
"""Rows that tiles are laid out for; other numbers of rows are multiplied as well."""


def weight_of(layer: nn.Module) -> Tensor | None:
    """Weight of a linear layer without bias, shape (out, in), with what LoRA or AdaLoRA adds; None for any other layer."""
    if type(layer) is nn.Linear:
        return layer.weight if layer.bias is None else None
    if not type(layer).__module__.startswith("peft."):
        return None
    from peft.tuners.adalora.layer import SVDLinear
    from peft.tuners.lora.layer import Linear

    if type(layer) not in (Linear, SVDLinear):
        return None
    return _folded(layer)


def _folded(layer: Any) -> Tensor | None:
    """W + (alpha / r) B A; None where dropout, a bias or a variant of LoRA makes the layer something else."""
    base = weight_of(layer.base_layer)
    names = [name for name in layer.active_adapters if name in layer.lora_A]
    odd = layer.lora_variant or any(layer.lora_bias.values()) or (layer.training and layer.lora_dropout)
    if base is None or odd:
        return None
    if layer.disable_adapters or layer.merged:
        # A merged layer unmerges itself when it is read with its adapters off; its weight now is not the one it reads by.
        return None if layer.disable_adapters and layer.merged else base
    return base + sum(layer.get_delta_weight(name) for name in names) if names else base


def can_multiply(layer: nn.Module) -> bool:
    """Whether `product` takes a layer."""
    return type(layer) is Int8Linear or weight_of(layer) is not None


def product(layers: Sequence[nn.Module], dtype: torch.dtype, order: Tensor | None = None) -> Product:
    """One product for layers of one input, in `dtype`; int8 layers keep their integers.

    Args:
        layers: all plain or adapted, or all int8.
        dtype: of the weights.
        order: shape (out,), which output stands where; None for as they come.
    """
    if isinstance(layers[0], Int8Linear):
        return Int8Linear.joined([layer for layer in layers if isinstance(layer, Int8Linear)], order)
    weights = [weight for layer in layers if (weight := weight_of(layer)) is not None]
    joined = torch.cat(weights) if len(weights) > 1 else weights[0]
    matrix = (joined if order is None else joined[order]).to(dtype)
    return matrix_product(matrix)


def matrix_product(matrix: Tensor) -> Product:
    """Product with a matrix of shape (out, in), laid out as it is multiplied fastest."""
    if matrix.dtype == torch.bfloat16 and matrix.device.type == "cpu" and torch._C._has_mkldnn:
        return _tiled(matrix)
    matrix = matrix.t().contiguous()
    return lambda x: x @ matrix


def _tiled(weight: Tensor) -> Product:
    """Product with a weight laid out as oneDNN multiplies bfloat16; else it lays it out anew at every product."""
    tiles = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, tiles, None, "none", [], "")
