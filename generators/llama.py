"""Read a Llama (the family of `tiny` and SmolLM2) token by token with nothing but the products it is made of.

    x <- x + O softmax(R(q) R(k)^T / sqrt(d)) v,   (q, k, v) = A norm(x)
    x <- x + D (silu(g) * u),                      (g, u) = G norm(x)
    logits = E norm(x)

R turns pairs of coordinates by an angle that grows with the position (RoPE, arXiv 2104.09864): as one complex product, for
which the rows of A are put in another order, in queries and keys alike, so that no score changes. Against transformers'
forward pass: three products a layer are one and two are one, keys and values lie in blocks made once
(`copybandit.generators.kv_slots`), and of the last layer only the place that is asked for is computed. In bfloat16 the
products are rounded, while residual stream, norms and softmax stay in single precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from copybandit.generators.int8 import is_int8
from copybandit.generators.kv_slots import Slots
from copybandit.generators.products import Product, can_multiply, product

Maker = Callable[[Sequence[nn.Module], torch.dtype, Tensor | None], Product]
"""From linear layers of one input, a precision and an order of their outputs to one product, see `product`."""


class Layer(NamedTuple):
    """Products of a layer; norms are vectors."""

    norm: Tensor
    qkv: Product
    out: Product
    mlp_norm: Tensor
    gate_up: Product
    down: Product


def fits(model: Any) -> bool:
    """Whether a model is a Llama of linear layers, adapted or int8 ones too, without prefix or scaled positions."""
    from transformers import LlamaForCausalLM

    if type(model) is not LlamaForCausalLM:
        return False
    config: Any = model.config
    return bool(
        all(can_multiply(part) for layer in model.model.layers for part in _parts(layer))
        and can_multiply(model.lm_head)
        and config.hidden_act == "silu"
        and config.rope_parameters["rope_type"] == "default"
        and config._attn_implementation in ("sdpa", "eager")
    )


def _parts(layer: Any) -> tuple[Any, ...]:
    attention, mlp = layer.self_attn, layer.mlp
    return (
        *(attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj),
        *(mlp.gate_proj, mlp.up_proj, mlp.down_proj),
    )


class LlamaDecoder:
    """Implements `Decoder`; reads the weights once, so it must be made anew when they have changed."""

    def __init__(self, model: Any, dtype: torch.dtype | None = None, made: Maker = product) -> None:
        """Take the weights of `model`, in `dtype` where given; int8 ones stay what they are. `made` joins linear layers."""
        config, self._head = model.config, model.lm_head
        self._made = made
        self._dtype = (None if is_int8(model) else dtype) or model.dtype
        # Keys, values and queries are rounded where products are.
        self._kept = torch.bfloat16 if self._dtype == torch.bfloat16 else torch.float32
        self._heads, self._kv = config.num_attention_heads, config.num_key_value_heads
        self._size = model.model.layers[0].self_attn.head_dim
        self._eps, self._frequency = config.rms_norm_eps, model.model.rotary_emb.inv_freq.float()
        self._embedding, self._norm = model.model.embed_tokens.weight, model.model.norm.weight
        with torch.no_grad():
            self._layers = [self._taken(layer) for layer in model.model.layers]
            self._words = self._made([self._head], self._dtype, None)

    def _taken(self, layer: Any) -> Layer:
        q, k, v, out, gate, up, down = _parts(layer)
        return Layer(
            norm=layer.input_layernorm.weight,
            qkv=self._made([q, k, v], self._dtype, self._pairs_together()),
            out=self._made([out], self._dtype, None),
            mlp_norm=layer.post_attention_layernorm.weight,
            gate_up=self._made([gate, up], self._dtype, None),
            down=self._made([down], self._dtype, None),
        )

    def _pairs_together(self) -> Tensor:
        """Order of the outputs (q, k, v) in which the two coordinates that R turns stand side by side."""
        rows = torch.arange((self._heads + 2 * self._kv) * self._size, device=self._embedding.device)
        heads = rows.view(-1, 2, self._size // 2)
        turned = heads[: self._heads + self._kv].transpose(1, 2).reshape(-1)
        return torch.cat([turned, rows[len(turned) :]])

    def start(self, prompts: int, copies: int, width: int, room: int) -> None:
        """Make room for prompts of at most `width` tokens and `copies` rows of `room` tokens of each."""
        self._slots = Slots(
            layers=len(self._layers), prompts=prompts, copies=copies, width=width, room=room,
            kv=self._kv, groups=self._heads // self._kv, size=self._size,
            device=self._embedding.device, dtype=self._kept,
        )  # fmt: skip
        angle = torch.arange(width + room, device=self._embedding.device)[:, None] * self._frequency
        self._turns = torch.polar(torch.ones_like(angle), angle)[:, None]

    def vacant(self) -> int:
        """How many prompts may be added now."""
        return self._slots.vacant()

    def add(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Read prompts, each once, for all its copies; only attention looks at padding."""
        slots, (b, width) = self._slots, ids.shape
        slots.add(mask)
        seen = (
            mask[:, None, :].bool() & torch.ones(width, width, dtype=torch.bool, device=ids.device).tril()
        )[:, None]
        at = mask.flatten().nonzero().squeeze(1)
        turn = self._turns[(mask.cumsum(1) - 1).flatten()[at]]
        x = self._embedding[ids.flatten()[at]].float()
        for place, layer in enumerate(self._layers):
            heads = self._attended(layer, x, turn)
            padded = heads.new_zeros(b * width, *heads.shape[1:]).index_copy_(0, at, heads)
            query, pairs = (
                padded.view(b, width, *heads.shape[1:]).transpose(1, 2).tensor_split([self._heads], 1)
            )
            slots.write_prompts(place, pairs)
            if layer is self._layers[-1]:
                x, at = x[mask.sum(1).cumsum(0) - 1], torch.arange(b, device=ids.device)
                query, seen = query[:, :, -1:], seen[:, :, -1:]
            mixed = scaled_dot_product_attention(
                query, pairs[:, : self._kv], pairs[:, self._kv :],
                attn_mask=seen, enable_gqa=self._heads > self._kv,
            )  # fmt: skip
            x = self._rest(layer, x, mixed.transpose(1, 2).flatten(0, 1)[at].flatten(1))
        return self._logits(x).repeat_interleave(slots.copies, 0)

    def step(self, tokens: Tensor) -> Tensor:
        """Read one token of every row."""
        slots = self._slots
        turn = self._turns[slots.step()]
        x = self._embedding[tokens].float()
        for place, layer in enumerate(self._layers):
            x = self._rest(layer, x, slots.attend(place, self._attended(layer, x, turn)))
        return self._logits(x)

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these."""
        self._slots.keep(rows)

    def _attended(self, layer: Layer, x: Tensor, turn: Tensor) -> Tensor:
        """Queries, keys and values of x, shape (tokens, hidden), as (tokens, heads + 2 * kv heads, size), turned."""
        normed = rms_norm(x, x.shape[-1:], layer.norm, self._eps).to(self._dtype)
        heads = layer.qkv(normed).float().view(len(x), -1, self._size)
        pairs = torch.view_as_complex(heads.view(*heads.shape[:-1], -1, 2))
        pairs[:, : self._heads + self._kv].mul_(turn)
        return heads

    def _rest(self, layer: Layer, x: Tensor, mixed: Tensor) -> Tensor:
        """What a layer does with what its heads saw, shape (tokens, heads * size)."""
        x = x + layer.out(mixed.to(self._dtype))
        normed = rms_norm(x, x.shape[-1:], layer.mlp_norm, self._eps).to(self._dtype)
        gate, up = layer.gate_up(normed).chunk(2, -1)
        return x + layer.down(silu(gate).mul_(up))

    def _logits(self, x: Tensor) -> Tensor:
        logits = self._words(rms_norm(x, x.shape[-1:], self._norm, self._eps).to(self._dtype))
        for hook in self._head._forward_hooks.values():
            changed = hook(self._head, (), logits)
            logits = logits if changed is None else changed
        return logits
