"""Prompts and answers: drawn, side by side as tensors, and how likely a causal language model finds each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from copybandit.generators.lm import CausalLM
from copybandit.generators.sampling import SamplingSettings, left_pad, sample_tokens


@dataclass(frozen=True, kw_only=True)
class TokenRows:
    """b prompts and their answers.

    Attributes:
        prompt: shape (b, p), token ids, padded on the left.
        prompt_mask: shape (b, p), 1 for a token, 0 for padding.
        answer: shape (b, t), token ids, padded on the right.
        answer_mask: shape (b, t), likewise.
    """

    prompt: Tensor
    prompt_mask: Tensor
    answer: Tensor
    answer_mask: Tensor

    @classmethod
    def of(
        cls,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        pad_id: int,
        device: torch.device,
    ) -> TokenRows:
        """Pad one answer per prompt; the end-of-sequence token is part of an answer."""
        prompt, prompt_mask = left_pad(prompts, pad_id, device)
        # Flipping twice lets one function pad either side.
        answer, answer_mask = left_pad([row[::-1] for row in answers], pad_id, device)
        return cls(
            prompt=prompt, prompt_mask=prompt_mask, answer=answer.flip(1), answer_mask=answer_mask.flip(1)
        )

    def mean(self, values: Tensor) -> Tensor:
        """Mean over answer tokens of values of shape (b, t)."""
        return (values * self.answer_mask).sum() / self.answer_mask.sum()


def draw_answers(
    writer: CausalLM,
    prompts: Sequence[Sequence[int]],
    temperature: float,
    draws: torch.Generator,
    copies: int = 1,
) -> list[list[int]]:
    """Tokens of `copies` answers to each prompt, side by side, the end included where one was written."""
    options = SamplingSettings(
        max_new_tokens=writer.max_new_tokens,
        temperature=temperature,
        eos_id=writer.eos_id,
        pad_id=writer.pad_id,
    )
    ids, mask = left_pad(prompts, writer.pad_id, writer.device)
    drawn = sample_tokens(writer.model, ids, mask, options, draws, copies=copies).tokens.tolist()
    return [[token for token in row if token != writer.pad_id] for row in drawn]


def answer_log_pmf(model: Any, rows: TokenRows) -> Tensor:
    """Log probability of every token of the vocabulary at every answer place, at temperature 1, shape (b, t, v)."""
    mask = torch.cat([rows.prompt_mask, rows.answer_mask], 1)
    logits: Tensor = model(
        input_ids=torch.cat([rows.prompt, rows.answer], 1),
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        use_cache=False,
        logits_to_keep=rows.answer.shape[1] + 1,
    ).logits[:, :-1]
    return logits.float().log_softmax(-1)


def log_prob_of(log_pmf: Tensor, rows: TokenRows) -> Tensor:
    """Log probability of the answer's own tokens, shape (b, t)."""
    return log_pmf.gather(-1, rows.answer[..., None]).squeeze(-1)


def entropy_of(log_pmf: Tensor) -> Tensor:
    """Entropy at every answer place, in nats, shape (b, t)."""
    return -(log_pmf.exp() * log_pmf).sum(-1)
