"""Read a Llama (the family of `tiny` and SmolLM2) token by token with nothing but the products it is made of.

    x <- x + O softmax(R(q) R(k)^T / sqrt(d)) v,   (q, k, v) = A norm(x)
    x <- x + D (silu(g) * u),                      (g, u) = G norm(x)
    logits = E norm(x)

R turns pairs of coordinates by an angle that grows with the position (RoPE, arXiv 2104.09864). Against transformers' forward
pass: three products a layer are one and two are one, keys and values lie in a block made once, no mask is built again at
each step, and heads that share keys (grouped queries) read them together. In bfloat16 the products are rounded, while
residual stream, norms and softmax stay in single precision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu


class _Layer(NamedTuple):
    """Matrices of a layer; norms are vectors."""

    norm: Tensor
    qkv: Tensor
    out: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


def fits(model: Any) -> bool:
    """Whether a model is a Llama of plain linear layers, without adapter, prefix or scaled positions."""
    from transformers import LlamaForCausalLM

    if type(model) is not LlamaForCausalLM:
        return False
    config: Any = model.config
    plain = all(
        type(layer) is nn.Linear and layer.bias is None
        for name, layer in model.named_modules()
        if name.endswith(("_proj", "lm_head"))
    )
    return bool(
        plain
        and config.hidden_act == "silu"
        and config.rope_parameters["rope_type"] == "default"
        and config._attn_implementation in ("sdpa", "eager")
    )


class LlamaDecoder:
    """Implements `Decoder`; reads the weights once, so it must be made anew when they have changed."""

    def __init__(self, model: Any, dtype: torch.dtype | None = None) -> None:
        """Take the weights of `model`, in `dtype` where given."""
        config, self._head = model.config, model.lm_head
        self._dtype = dtype or model.dtype
        self._kv, self._size = config.num_key_value_heads, model.model.layers[0].self_attn.head_dim
        self._groups = config.num_attention_heads // self._kv
        self._eps, self._frequency = config.rms_norm_eps, model.model.rotary_emb.inv_freq.float()
        self._embedding, self._norm = model.model.embed_tokens.weight, model.model.norm.weight
        with torch.no_grad():
            self._layers = [self._taken(layer) for layer in model.model.layers]
            self._words = self._head.weight.to(self._dtype)

    def _taken(self, layer: Any) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp

        def joined(*parts: nn.Linear) -> Tensor:
            return torch.cat([part.weight for part in parts]).to(self._dtype)

        return _Layer(
            norm=layer.input_layernorm.weight,
            qkv=joined(attention.q_proj, attention.k_proj, attention.v_proj),
            out=attention.o_proj.weight.to(self._dtype),
            mlp_norm=layer.post_attention_layernorm.weight,
            gate_up=joined(mlp.gate_proj, mlp.up_proj),
            down=mlp.down_proj.weight.to(self._dtype),
        )

    def start(self, ids: Tensor, mask: Tensor, copies: int, room: int) -> Tensor:
        """Read the prompts, each once, and lay out the block of keys and values for all rows."""
        rows, width = ids.shape
        self._end = width
        self._next = mask.sum(1, keepdim=True).repeat_interleave(copies, 0)
        # A padded place sees itself alone: a row of attention without any key is no number.
        seen = (
            mask[:, None, None, :].bool()
            & torch.ones(width, width, dtype=torch.bool, device=ids.device).tril()
        )
        seen |= torch.eye(width, dtype=torch.bool, device=ids.device)
        turn = self._turn((mask.cumsum(1) - 1).clamp(min=0))
        x = self._embedding[ids].float()
        shape = (rows * copies, 2, self._kv, width + room, self._size)
        self._cache = []
        for layer in self._layers:
            query, key, value = self._heads(layer, x, turn)
            block = x.new_zeros(shape, dtype=self._dtype)
            for place, part in enumerate((key, value)):
                block[:, place, :, :width] = part.repeat_interleave(copies, 0)
            self._cache.append(block)
            # (rows, kv heads, group * width, size): heads of a group are further queries of the same keys.
            mixed = scaled_dot_product_attention(
                query.flatten(2, 3), key, value, attn_mask=seen.repeat(1, 1, self._groups, 1)
            )
            x = self._rest(layer, x, mixed.reshape(rows, self._kv, self._groups, width, self._size))
        bias = (1.0 - mask.to(self._dtype)) * torch.finfo(self._dtype).min / 2
        bias = torch.cat([bias, bias.new_zeros(rows, room)], 1).repeat_interleave(copies, 0)[:, None, None]
        self._bias = bias if bool((mask == 0).any()) else None
        return self._logits(x[:, -1]).repeat_interleave(copies, 0)

    def step(self, tokens: Tensor) -> Tensor:
        """Read one token of every row."""
        end = self._end + 1
        turn, bias = self._turn(self._next), None if self._bias is None else self._bias[..., :end]
        x = self._embedding[tokens][:, None].float()
        for layer, block in zip(self._layers, self._cache, strict=True):
            query, key, value = self._heads(layer, x, turn)
            block[:, 0, :, self._end], block[:, 1, :, self._end] = key[:, :, 0], value[:, :, 0]
            keys, values = block[..., :end, :].unbind(1)
            mixed = scaled_dot_product_attention(query[:, :, :, 0], keys, values, attn_mask=bias)
            x = self._rest(layer, x, mixed[:, :, :, None])
        self._end, self._next = end, self._next + 1
        return self._logits(x[:, 0])

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these."""
        self._cache = [block.index_select(0, rows) for block in self._cache]
        self._next = self._next[rows]
        self._bias = None if self._bias is None else self._bias[rows]

    def _turn(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of each position's angles, shape (rows, 1, t, size / 2)."""
        angle = positions[:, None, :, None].float() * self._frequency
        return angle.cos(), angle.sin()

    def _heads(self, layer: _Layer, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (rows, kv heads, group, t, size), and keys and values (rows, kv heads, t, size), turned."""
        rows, t, _ = x.shape
        mixed = linear(rms_norm(x, x.shape[-1:], layer.norm, self._eps).to(self._dtype), layer.qkv)
        heads = mixed.view(rows, t, -1, self._size).transpose(1, 2)
        value = heads[:, -self._kv :]
        one, two = heads[:, : -self._kv].float().chunk(2, -1)
        turned = torch.cat([one * turn[0] - two * turn[1], two * turn[0] + one * turn[1]], -1).to(self._dtype)
        query, key = turned[:, : -self._kv], turned[:, -self._kv :]
        return query.reshape(rows, self._kv, self._groups, t, self._size), key, value

    def _rest(self, layer: _Layer, x: Tensor, mixed: Tensor) -> Tensor:
        """What a layer does with what its heads saw, shape (rows, kv heads, group, t, size)."""
        x = x + linear(mixed.flatten(1, 2).transpose(1, 2).flatten(2), layer.out)
        normed = rms_norm(x, x.shape[-1:], layer.mlp_norm, self._eps).to(self._dtype)
        gate, up = linear(normed, layer.gate_up).chunk(2, -1)
        return x + linear(silu(gate) * up, layer.down)

    def _logits(self, x: Tensor) -> Tensor:
        logits = linear(rms_norm(x, x.shape[-1:], self._norm, self._eps).to(self._dtype), self._words).float()
        for hook in self._head._forward_hooks.values():
            changed = hook(self._head, (), logits)
            logits = logits if changed is None else changed
        return logits
