"""How likely the tokens of an answer were, without keeping the logits of all that were not chosen.

    log p(a) = z_a / T - log sum_v exp(z_v / T),    d log p(a) / d z = (onehot(a) - p) / T

With a vocabulary of 49,152 the logits of a batch are far more numbers than all the rest of a forward pass. They are worked
out for a few tokens at a time, and p - onehot(a) takes their place, rounded as they were. What a gradient multiplies it by
is one number a token, and multiplies the short side of its products.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from copybandit.agents.joined_linear import JoinedLinear
from copybandit.generators.lm_tokens import NEVER
from copybandit.generators.sampling import tempered

AT_ONCE = 32
"""Tokens whose logits are worked out at once on a CPU: about what its cache holds."""


def chosen(
    hidden: Tensor, words: JoinedLinear, answer: Tensor, temperature: float, never: int
) -> tuple[Tensor, Tensor]:
    """Log probability of each token chosen and entropy of its distribution, both of shape (m,), in nats.

    Args:
        hidden: shape (m, width), what the output layer reads.
        words: the output layer.
        answer: shape (m,), tokens chosen.
        temperature: T, above 0.
        never: the token that is never written; its logit is held at a constant.
    """
    result: tuple[Tensor, Tensor] = _Chosen.apply(
        hidden, words, answer, temperature, never, torch.is_grad_enabled(), *words.trained
    )
    return result


def from_logits(logits: Tensor, answer: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The same of logits, shape (m, v), that are there already."""
    logits = logits.float() / temperature
    total = logits.logsumexp(-1)
    log_prob = logits.gather(-1, answer[:, None]).squeeze(-1) - total
    with torch.no_grad():
        entropy = total - (logits.softmax(-1) * logits).sum(-1)
    return log_prob, entropy


def _parts(tokens: Tensor) -> list[slice]:
    size = AT_ONCE if tokens.device.type == "cpu" else max(1, len(tokens))
    return [slice(start, start + size) for start in range(0, len(tokens), size)]


class _Chosen(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        words: JoinedLinear,
        answer: Tensor,
        temperature: float,
        never: int,
        kept: bool,
        *_: Tensor,
    ) -> tuple[Tensor, Tensor]:
        raw, found = words.times(hidden), []
        raw[:, never] = NEVER
        for part in _parts(answer):
            logits, token = tempered(raw[part], temperature), answer[part, None]
            picked, top = logits.gather(-1, token), logits.amax(-1, keepdim=True)
            logits = logits - top
            share = logits.exp()
            total = share.sum(-1, keepdim=True)
            mean = logits.mul_(share).sum(-1, keepdim=True) / total
            found.append(torch.cat([picked - top - total.log(), total.log() - mean], 1))
            if kept:
                raw[part] = share.div_(total).scatter_add_(-1, token, -torch.ones_like(total))
        log_prob, entropy = torch.cat(found).unbind(1)
        ctx.save_for_backward(hidden, raw)
        ctx.words, ctx.temperature = words, temperature
        ctx.mark_non_differentiable(entropy)
        return log_prob, entropy

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Any, ...]:
        hidden, raw = ctx.saved_tensors
        scale = (grad / -ctx.temperature)[:, None]
        weights = ctx.words.weight_gradients(raw, (hidden * scale).to(raw.dtype)) if ctx.words.trained else ()
        back = (ctx.words.back(raw) * scale).to(hidden.dtype)
        return back, None, None, None, None, None, *weights
