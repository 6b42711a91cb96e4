"""Read a Llama's answers with gradients, by the very products it writes with.

What `copybandit.generators.llama` does token by token is done here for whole rows at once: rows are packed side by side, no
place that only pads is worked out, of the last layer only the places after which an answer token comes, and of the logits
only what is asked (`copybandit.agents.chosen_tokens`). Norms, turns and gates know their own gradients, so that between two
products as little as possible is written down. Against the model's own forward pass nothing else differs: in single
precision the numbers are the same up to rounding.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, scaled_dot_product_attention, silu

from copybandit.agents.chosen_tokens import chosen
from copybandit.agents.joined_linear import JoinedLinear
from copybandit.agents.packed_rows import PackedRows
from copybandit.agents.short_attention import looked
from copybandit.generators.decoding import Decoder
from copybandit.generators.llama import Layer, LlamaDecoder, fits
from copybandit.generators.lm_tokens import Never

SHORT = 128
"""Longest row whose scores are written down on a CPU (`copybandit.agents.short_attention`): below it torch's fused attention
spends more than it saves."""


def readable(model: Any) -> bool:
    """Whether a model is a Llama whose logits nothing but the ban of one token changes."""
    if not fits(model):
        return False
    hooks = model.lm_head._forward_hooks.values()
    return len(hooks) == 1 and all(isinstance(hook, Never) for hook in hooks)


class LlamaReader(LlamaDecoder):
    """Implements `Reader`; notices by itself when weights have changed."""

    def __init__(self, model: Any, dtype: torch.dtype, temperature: float) -> None:
        """Read `model`, rounding what is multiplied to `dtype`; answers are written at `temperature`."""
        super().__init__(model, dtype, JoinedLinear)
        (never,) = model.lm_head._forward_hooks.values()
        self._never, self._temperature = never.token, temperature
        self._joined = [part for layer in self._layers for part in layer if isinstance(part, JoinedLinear)]

    def decoder(self) -> Decoder:
        """A decoder of its own for each caller, of the weights as they are now, the adapter's too."""
        self._adapt(True)
        return copy.copy(self)

    def read(self, rows: PackedRows, *, adapted: bool = True) -> tuple[Tensor, Tensor]:
        """Log probability and entropy at each answer token, both of shape (m,); without the adapter where asked."""
        self._adapt(adapted)
        turn = self._turn(rows)
        x = embedding(rows.tokens, self._embedding).float()
        for layer in self._layers:
            mixed = self._mixed(layer, x, turn, rows)
            if layer is self._layers[-1]:
                x, mixed = x[rows.asked], mixed[rows.asked]
            x = x + layer.out(mixed)
            gates = layer.gate_up(_Norm.apply(x, layer.mlp_norm, self._eps, self._dtype))
            x = x + layer.down(_Gated.apply(gates))
        hidden = _Norm.apply(x, self._norm, self._eps, self._dtype)
        assert isinstance(self._words, JoinedLinear)
        return chosen(hidden, self._words, rows.answer, self._temperature, self._never)

    def _adapt(self, adapted: bool) -> None:
        for linear in self._joined:
            linear.adapted = adapted

    def _turn(self, rows: PackedRows) -> Tensor:
        """Angles of each place of a row, shape (longest, 1, size / 2)."""
        angle = torch.arange(rows.longest, device=rows.row.device)[:, None] * self._frequency
        return torch.polar(torch.ones_like(angle), angle)[:, None]

    def _mixed(self, layer: Layer, x: Tensor, turn: Tensor, rows: PackedRows) -> Tensor:
        """What the heads saw, shape (n, heads * size): every token looks at its row up to itself."""
        heads = layer.qkv(_Norm.apply(x, layer.norm, self._eps, self._dtype)).view(len(x), -1, self._size)
        if rows.longest <= SHORT and heads.device.type == "cpu":
            return looked(heads, turn, rows, self._heads)
        turned = _Turned.apply(heads, turn[rows.position], self._heads + self._kv)
        query, key, value = rows.apart(turned).transpose(1, 2).split([self._heads, self._kv, self._kv], dim=1)
        mixed = scaled_dot_product_attention(
            query, key, value, is_causal=True, enable_gqa=self._heads > self._kv
        )
        return rows.together(mixed.transpose(1, 2)).flatten(1)


class _Norm(torch.autograd.Function):
    """w x / sqrt(mean x^2 + eps), rounded to a precision."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        scale = torch.rsqrt(length.square_().div_(x.shape[1]).add_(eps))
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight).to(dtype)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Any, ...]:
        x, weight, scale = ctx.saved_tensors
        slope, unit = slope.float(), x * scale
        of_weight = (slope * unit).sum(0) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None, None
        slope = slope * weight
        along = torch.linalg.vecdot(slope, unit)[:, None] / x.shape[1]
        return slope.sub_(unit.mul_(along)).mul_(scale), of_weight, None, None


class _Turned(torch.autograd.Function):
    """Pairs of coordinates of the first `turned` heads, turned by each token's angles; the same precision."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, turn: Tensor, turned: int) -> Tensor:
        ctx.save_for_backward(turn)
        ctx.turned = turned
        return _turn(heads, turn, turned)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Any, ...]:
        (turn,) = ctx.saved_tensors
        return _turn(slope, turn.conj(), ctx.turned), None, None


def _turn(heads: Tensor, turn: Tensor, turned: int) -> Tensor:
    out = torch.empty_like(heads, memory_format=torch.contiguous_format)
    pairs = heads[:, :turned].float().reshape(len(heads), turned, -1, 2)
    out[:, :turned] = torch.view_as_real(torch.view_as_complex(pairs) * turn).flatten(-2)
    out[:, turned:] = heads[:, turned:]
    return out


class _Gated(torch.autograd.Function):
    """silu(g) * u of g and u side by side, shape (n, 2 width)."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor) -> Tensor:
        gate, up = gates.chunk(2, -1)
        opened = silu(gate)
        ctx.save_for_backward(gates, opened)
        return opened * up

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        gates, opened = ctx.saved_tensors
        gate, up = gates.chunk(2, -1)
        back = torch.empty_like(gates)
        of_gate, of_up = back.chunk(2, -1)
        torch.mul(slope, opened, out=of_up)
        torch.ops.aten.silu_backward.grad_input(slope * up, gate, grad_input=of_gate)
        return back
