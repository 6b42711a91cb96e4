"""The writer's model in the shape TRL's PPO asks for, without the work TRL would throw away.

TRL asks for logits of prompt and answer and uses those of the answer; only those are computed here. TRL
generates with `transformers.generate`, which mixes leftovers of a generation config into the scores;
here the sampler is `copybandit.generators.sampling`, so policy ratios are exactly those of one distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from copybandit.generators.sampling import SamplingSettings, sample_tokens

ROWS_PER_GROUP = 16
"""Rows read together; small groups waste little on padding and still fill a CPU's matrix units."""


@dataclass(kw_only=True)
class PromptWidth:
    """Width of the prompts of the batch in work; policy and reference share one."""

    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class ResponseLogits:
    """Logits of the answer only, indexed as TRL indexes full ones: ``[:, prompt - 1 : -1]``."""

    answer: Tensor
    prompt: int

    def __getitem__(self, key: tuple[slice, slice]) -> Tensor:
        """Return the answer's logits, shape (b, t, v); no other place was computed."""
        if key != (slice(None), slice(self.prompt - 1, -1)):
            raise IndexError(f"only the answer's logits [:, {self.prompt - 1}:-1] were computed, got {key}")
        return self.answer


@dataclass(frozen=True, kw_only=True)
class PolicyOutput:
    """What TRL reads of a policy's forward pass."""

    logits: ResponseLogits


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What TRL reads of `generate`: sequences of shape (b, p + t), and t scores of shape (b, v)."""

    sequences: Tensor
    scores: tuple[Tensor, ...]


class PolicyModule(nn.Module):
    """Wraps a causal language model for TRL's PPO loop."""

    is_gradient_checkpointing = False

    def __init__(self, lm: Any, *, pad_id: int, eos_id: int, seed: int, width: PromptWidth) -> None:
        """Wrap `lm`; its sampling is seeded by `seed` alone."""
        super().__init__()
        self.lm = lm
        self.config = lm.config
        self.generation_config = lm.generation_config
        self._pad_id, self._eos_id, self._width = pad_id, eos_id, width
        self._generator = torch.Generator(lm.device).manual_seed(seed)

    @property
    def generator(self) -> torch.Generator:
        """Where its sampling stands."""
        return self._generator

    def train(self, mode: bool = True) -> PolicyModule:
        """Stay in evaluation mode: dropout in the update but not in the rollout would bias every ratio."""
        super().train(False)
        return self

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, **_: object
    ) -> PolicyOutput:
        """Return logits of the answers; each row is a left-padded prompt and a right-padded answer.

        Rows of like length are read together, without the columns that only pad them.
        """
        mask = attention_mask.long()
        order = mask.sum(1).argsort(stable=True)
        parts = [
            self._group_logits(input_ids[rows], mask[rows], position_ids[rows])
            for rows in torch.split(order, ROWS_PER_GROUP)
        ]
        logits = torch.cat(parts)[order.argsort()]
        return PolicyOutput(logits=ResponseLogits(answer=logits, prompt=self._width.tokens))

    def _group_logits(self, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """Logits of the answers of a few rows, shape (rows, t, v); zeros where every row is padding."""
        prompt, width = self._width.tokens, ids.shape[1]
        used = mask.any(0).nonzero()
        # At least one answer column stays, so that a group of empty answers has logits too.
        kept = slice(int(used[0]), max(int(used[-1]), prompt) + 1)
        logits: Tensor = self.lm(
            input_ids=ids[:, kept],
            attention_mask=mask[:, kept],
            position_ids=positions[:, kept],
            use_cache=False,
            logits_to_keep=kept.stop - prompt + 1,
        ).logits[:, :-1]
        return nn.functional.pad(logits, (0, 0, 0, width - kept.stop))

    def generate(
        self, input_ids: Tensor, attention_mask: Tensor, generation_config: Any, **_: object
    ) -> Generation:
        """Draw one answer per row; of `generation_config` only length and temperature are read."""
        self._width.tokens = input_ids.shape[1]
        settings = SamplingSettings(
            max_new_tokens=generation_config.max_new_tokens,
            temperature=generation_config.temperature,
            eos_id=self._eos_id,
            pad_id=self._pad_id,
        )
        drawn = sample_tokens(
            self.lm, input_ids, attention_mask.long(), settings, self._generator, keep_scores=True
        )
        assert drawn.scores is not None
        return Generation(sequences=torch.cat([input_ids, drawn.tokens], 1), scores=drawn.scores.unbind(1))
