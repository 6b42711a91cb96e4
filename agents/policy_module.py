"""The writer's model in the shape TRL's PPO asks for, without the work TRL would throw away.

TRL takes logits of prompt and answer, and uses the log probability of the tokens that were written. Only those are worked
out here (`copybandit.agents.readers`), and handed over in the place of logits (`ChosenTokens`). TRL generates with
`transformers.generate`, which mixes leftovers of a generation config into the scores; here the sampler is
`copybandit.generators.sampling`, so policy ratios are exactly those of one distribution.

    what            written by                   read by
    new log-probs   -                            the update's forward pass
    old log-probs   the sampler in float32       the update's forward pass in bfloat16, or where it can be kept

Rounded products of two shapes differ in their last digits, and a ratio would show it; so in bfloat16 the old log-probs are
read once more by what the update reads with. Where a batch is one minibatch that pass is kept with its gradients, and is
the first epoch's: no weight has changed in between, so nothing is read twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from copybandit.agents.packed_rows import PackedRows, same_rows
from copybandit.agents.readers import Precision, reader_for
from copybandit.generators.sampling import SamplingSettings, sample_with


@dataclass(kw_only=True)
class PromptWidth:
    """Width of the prompts of the batch in work; policy and reference share one."""

    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class ChosenTokens:
    """Stands where TRL has logits of shape (b, t, v): how likely the tokens were that were written.

    Attributes:
        log_prob: shape (b, t), at the writer's temperature.
        entropy: shape (b, t), of the distributions they were chosen from.
        prompt: width of the prompts; TRL's logits of prompt and answer are indexed ``[:, prompt - 1 : -1]``.
        temperature: what the logits have been divided by already.
    """

    log_prob: Tensor
    entropy: Tensor
    prompt: int
    temperature: float

    def __getitem__(self, key: slice | tuple[slice, slice]) -> ChosenTokens:
        """Rows, or the answers of all rows."""
        if isinstance(key, slice):
            return replace(self, log_prob=self.log_prob[key], entropy=self.entropy[key])
        if key != (slice(None), slice(self.prompt - 1, -1)):
            raise IndexError(f"only the answer's tokens [:, {self.prompt - 1}:-1] were read, got {key}")
        return self

    def __itruediv__(self, temperature: float) -> ChosenTokens:
        """TRL divides logits by the temperature; here that is done."""
        if abs(temperature - self.temperature) > 1e-6:
            raise ValueError(f"tokens were read at temperature {self.temperature}, got {temperature}")
        return self

    def __mul__(self, other: ChosenTokens) -> ChosenTokens:
        """Part of TRL's entropy, see `__torch_function__`."""
        return self

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """TRL's entropy is  logsumexp(z) - sum(softmax(z) * z);  here the first term is all of it."""
        (tokens,) = args
        if function is torch.nn.functional.softmax:
            return tokens
        if function is torch.logsumexp:
            return tokens.entropy
        if function is torch.sum:
            return torch.zeros_like(tokens.entropy)
        return NotImplemented


@dataclass(frozen=True, kw_only=True)
class PolicyOutput:
    """What TRL reads of a policy's forward pass."""

    logits: ChosenTokens


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """The forward pass of a batch of rows, its gradients still to be asked for."""

    rows: Tensor
    tokens: ChosenTokens


class PolicyModule(nn.Module):
    """Wraps a causal language model for TRL's PPO loop."""

    is_gradient_checkpointing = False

    def __init__(
        self,
        lm: Any,
        *,
        pad_id: int,
        eos_id: int,
        seed: int,
        width: PromptWidth,
        temperature: float = 1.0,
        precision: Precision = "float32",
        keep: bool = False,
        adapter: Any | None = None,
    ) -> None:
        """Wrap `lm`; its sampling is seeded by `seed` alone.

        Args:
            lm: a causal language model of transformers, with or without an adapter.
            pad_id: the token that is never written.
            eos_id: the token that ends an answer.
            seed: of the sampler.
            width: shared by policy and reference.
            temperature: answers are written and read at.
            precision: what is multiplied is rounded to it.
            keep: whether an update's first forward pass is that of the whole batch.
            adapter: the PeftModel around `lm`, where there is one.
        """
        super().__init__()
        self.lm = lm
        self.config = lm.config
        self.generation_config = lm.generation_config
        self._pad_id, self._eos_id, self._width, self._temperature = pad_id, eos_id, width, temperature
        self._generator = torch.Generator(lm.device).manual_seed(seed)
        self._reader = reader_for(lm, precision, temperature, adapter)
        self._exact, self._keep = precision == "float32", keep
        self._kept: _Kept | None = None

    @property
    def generator(self) -> torch.Generator:
        """Where its sampling stands."""
        return self._generator

    def train(self, mode: bool = True) -> PolicyModule:
        """Stay in evaluation mode: dropout in the update but not in the rollout would bias every ratio."""
        super().train(False)
        return self

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: object) -> PolicyOutput:
        """Read the answers; each row is a left-padded prompt and a right-padded answer."""
        kept, self._kept = self._kept, None
        if kept is not None and torch.is_grad_enabled():
            place = same_rows(kept.rows, input_ids)
            if place is not None:
                tokens = kept.tokens
                return PolicyOutput(
                    logits=replace(tokens, log_prob=tokens.log_prob[place], entropy=tokens.entropy[place])
                )
        return PolicyOutput(logits=self._read(input_ids, attention_mask.long()))

    def _read(self, ids: Tensor, mask: Tensor, *, adapted: bool = True) -> ChosenTokens:
        rows = PackedRows.of(ids, mask, self._width.tokens)
        log_prob, entropy = self._reader.read(rows, adapted=adapted)
        return ChosenTokens(
            log_prob=rows.table(log_prob),
            entropy=rows.table(entropy),
            prompt=self._width.tokens,
            temperature=self._temperature,
        )

    @torch.no_grad()
    def rollout(self, queries: Tensor, longest: int) -> tuple[Tensor, ChosenTokens]:
        """Draw one answer of at most `longest` tokens per row of left-padded prompts, shape (b, p).

        Returns:
            Prompts and answers, shape (b, p + t), and how likely the answers' tokens were.
        """
        self._width.tokens = queries.shape[1]
        settings = SamplingSettings(
            max_new_tokens=longest, temperature=self._temperature, eos_id=self._eos_id, pad_id=self._pad_id
        )
        mask, decoder = (queries != self._pad_id).long(), self._reader.decoder()
        reread = self._keep or not self._exact
        drawn = sample_with(decoder, queries, mask, settings, self._generator, keep_log_prob=not reread)
        written = torch.cat([queries, drawn.tokens], 1)
        if not reread:
            assert drawn.log_prob is not None
            return written, ChosenTokens(
                log_prob=drawn.log_prob,
                entropy=torch.zeros_like(drawn.log_prob),
                prompt=queries.shape[1],
                temperature=self._temperature,
            )
        seen = written != self._pad_id
        with torch.set_grad_enabled(self._keep):
            tokens = self._read(written, seen.long())
        if self._keep:
            self._kept = _Kept(rows=written.masked_fill(~seen, 0), tokens=tokens)
        return written, replace(tokens, log_prob=tokens.log_prob.detach())


class Untuned(nn.Module):
    """The policy with its adapter switched off, in the shape TRL asks of a reference: no second model."""

    def __init__(self, policy: PolicyModule) -> None:
        """Read by what `policy` reads with; its weights are not counted as this module's."""
        super().__init__()
        self._read = policy._read

    @torch.no_grad()
    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: object) -> PolicyOutput:
        """Read the answers as the untuned writer would."""
        return PolicyOutput(logits=self._read(input_ids, attention_mask.long(), adapted=False))
