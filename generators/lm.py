"""A causal language model as a writer: prompt tokens in, copy out, and how likely it finds a copy.

Convention shared by sampling, supervised tuning and PPO: the prompt is `field_prompt(brief)`; the answer is
the tokens of a space and the text, then the end-of-sequence token. The pad token is never written: its logit
is held at a constant far below the rest, in sampling and in training alike.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig

from copybandit.generators.adapters import Adapter, load_adapter, read_adapter_card, save_adapter
from copybandit.generators.held import HeldDecoder
from copybandit.generators.lm_card import WriterCard, read_card, whole_folder, write_card
from copybandit.generators.lm_files import load_spec, quiet_transformers
from copybandit.generators.lm_tokens import forbid_token, most_tokens, special_tokens
from copybandit.generators.prompts import field_prompt
from copybandit.generators.sampling import SamplingSettings, left_pad, sample_with
from copybandit.sim.types import Brief, DataError, Floats, Ints, Variant


class CausalLM:
    """A transformers causal language model that implements `Generator`.

    Attributes:
        model: the transformers model, in evaluation mode.
        tokenizer: its tokenizer, padding on the left.
        temperature: sampling temperature; 0 takes the likeliest token each time.
        max_new_tokens: longest answer, in tokens, the end-of-sequence token included; `propose` lets long names and kinds
            that are longer than headlines have more, see `most_tokens`.
        batch_size: rows per forward pass.
        bf16: round matrix products to bfloat16 when writing, where the processor multiplies it in hardware; never when
            asked how likely a text is.
        adapter: what was trained beside the weights, already part of `model`; None for a plain writer.
        source: spec that loads these very weights, without the adapter; None where nothing on disk holds them.
    """

    def __init__(self, *, model: Any, tokenizer: Any, card: WriterCard, batch_size: int = 64) -> None:
        """Take over `model` and `tokenizer`; sampling defaults left in the model are dropped.

        Raises:
            DataError: the tokenizer has no end-of-sequence token, or no pad token of its own.
        """
        self.eos_id, self.pad_id = special_tokens(tokenizer)
        tokenizer.padding_side = "left"
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.generator_id = card.generator_id
        self.temperature = card.temperature
        self.max_new_tokens = card.max_new_tokens
        self.lineage = card.lineage
        self.batch_size = batch_size
        self.bf16 = False
        self.adapter: Adapter | None = None
        self.source: str | None = None
        self._held = HeldDecoder()
        model.generation_config = GenerationConfig(pad_token_id=self.pad_id, eos_token_id=self.eos_id)
        forbid_token(model, self.pad_id)

    @classmethod
    def load(
        cls,
        spec: str,
        *,
        generator_id: str | None = None,
        temperature: float | None = None,
        max_new_tokens: int | None = None,
        batch_size: int = 64,
        device: str = "cpu",
    ) -> CausalLM:
        """Load ``tiny``, ``smollm2``, ``hf:NAME`` or a folder written by `save`, its adapter on its base.

        Settings left out are those the folder was saved with.

        Raises:
            DataError: unknown spec, missing files, a tokenizer whose pad token is its eos token, or an adapter whose
                base is another one now.
        """
        adapted = read_adapter_card(Path(spec))
        base = spec if adapted is None else adapted.base
        model, tokenizer, folder = load_spec(base)
        card = read_card(
            folder if adapted is None else Path(spec),
            default_id=spec.removeprefix("hf:").rstrip("/").split("/")[-1],
        )
        given = {"generator_id": generator_id, "temperature": temperature, "max_new_tokens": max_new_tokens}
        card = WriterCard(**{**asdict(card), **{name: v for name, v in given.items() if v is not None}})
        adapter = None if adapted is None else load_adapter(Path(spec), adapted, model)
        writer = cls(model=model.to(device), tokenizer=tokenizer, card=card, batch_size=batch_size)
        writer.adapter = adapter
        writer.source = str(Path(base).resolve()) if Path(base).is_dir() else base
        return writer

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        device: torch.device = self.model.device
        return device

    @property
    def card(self) -> WriterCard:
        """Settings as they are now."""
        return WriterCard(
            generator_id=self.generator_id,
            temperature=self.temperature,
            max_new_tokens=self.max_new_tokens,
            lineage=self.lineage,
        )

    def clone(self, generator_id: str, *, lineage: str | None = None) -> CausalLM:
        """Return a writer with weights of its own; tokenizer and settings are shared."""
        twin = copy.copy(self)
        twin.model, twin.adapter = copy.deepcopy((self.model, self.adapter))
        twin.source, twin._held = None, HeldDecoder()
        twin.generator_id = generator_id
        twin.lineage = self.generator_id if lineage is None else lineage
        return twin

    def prompt_ids(self, prompts: Sequence[str]) -> list[list[int]]:
        """Tokens of each prompt, begin-of-sequence included where the tokenizer has one."""
        if not prompts:
            return []
        rows: list[list[int]] = self.tokenizer(list(prompts))["input_ids"]
        return [row[:-1] if row and row[-1] == self.eos_id else row for row in rows]

    def response_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text as an answer: a space, the text, the end-of-sequence token."""
        if not texts:
            return []
        spaced = [" " + text for text in texts]
        rows: list[list[int]] = self.tokenizer(spaced, add_special_tokens=False)["input_ids"]
        return [[*row, self.eos_id] for row in rows]

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Text of each answer: what stands before the first end-of-sequence token, stripped."""
        cut = [list(row)[: row.index(self.eos_id)] if self.eos_id in row else list(row) for row in rows]
        texts: list[str] = self.tokenizer.batch_decode(
            cut, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return [" ".join(text.split()) for text in texts]

    def write(
        self, prompts: Sequence[str], n: int, rng: np.random.Generator, most: int | None = None
    ) -> list[list[str]]:
        """Write `n` texts of at most `most` tokens, or `max_new_tokens`, for each prompt; a text may be empty.

        Takes exactly one draw from `rng`.
        """
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        rows = self.prompt_ids(prompts)
        room = self.model.config.max_position_embeddings - max(map(len, rows), default=0)
        settings = SamplingSettings(
            max_new_tokens=max(self.max_new_tokens, min(most, room)) if most else self.max_new_tokens,
            temperature=self.temperature,
            eos_id=self.eos_id,
            pad_id=self.pad_id,
        )
        if not rows or not n:
            return [[] for _ in rows]
        decoder = self._held.of(self.model, bf16=self.bf16)
        # The longest first: what is kept of later prompts then fits where earlier ones were.
        order = np.argsort(-_lengths(rows), kind="stable")
        ids, mask = left_pad([rows[i] for i in order], self.pad_id, self.device)
        drawn = sample_with(decoder, ids, mask, settings, generator, copies=n, at_once=self.batch_size)
        written = self.decode(drawn.tokens.tolist())
        return [written[place * n : (place + 1) * n] for place in np.argsort(order)]

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        """Write `n` variants for each brief.

        An empty text is tried once more, then becomes the product's name.
        """
        prompts = [field_prompt(brief) for brief in briefs]
        most = max((most_tokens(brief, self.max_new_tokens) for brief in briefs), default=None)
        texts = self.write(prompts, n, rng, most)
        empty = [(i, j) for i, row in enumerate(texts) for j, text in enumerate(row) if not text]
        again = self.write([prompts[i] for i, _ in empty], 1, rng, most)
        for (i, j), (text,) in zip(empty, again, strict=True):
            texts[i][j] = text or briefs[i].product.name
        return [[self._variant(brief, t) for t in row] for brief, row in zip(briefs, texts, strict=True)]

    def _variant(self, brief: Brief, text: str) -> Variant:
        return Variant(
            text=text,
            product_id=brief.product.product_id,
            segment_id=brief.segment.segment_id if brief.segment else -1,
            generator_id=self.generator_id,
            lineage=self.lineage,
        )

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        """Log probability of each text and its end, shape (n,), at the writer's temperature (1 for 0)."""
        return self.text_log_prob([field_prompt(brief) for brief in briefs], texts, self.temperature or 1.0)

    @torch.no_grad()
    def text_log_prob(self, prompts: Sequence[str], texts: Sequence[str], temperature: float = 1.0) -> Floats:
        """Sum of log softmax(logits / temperature) over answer tokens, shape (n,); -inf for empty texts."""
        if len(prompts) != len(texts):
            raise DataError(f"log_prob: {len(prompts)} prompts, {len(texts)} texts; give one text per prompt")
        heads, tails = self.prompt_ids(prompts), self.response_ids(texts)
        total = np.zeros(len(texts))
        for batch in _batches(_lengths(heads) + _lengths(tails), self.batch_size):
            rows = [heads[i] for i in batch], [tails[i] for i in batch]
            total[batch] = self._batch_log_prob(*rows, temperature)
        total[[not text.strip() for text in texts]] = -np.inf
        return total

    def _batch_log_prob(self, heads: list[list[int]], tails: list[list[int]], temperature: float) -> Floats:
        logits, answer, mask = self.answer_logits(heads, tails)
        logits = logits / temperature
        picked = logits.gather(-1, answer[..., None]).squeeze(-1) - logits.logsumexp(-1)
        values: Floats = (picked * mask).double().sum(1).cpu().numpy()
        return values

    def answer_logits(
        self, heads: Sequence[Sequence[int]], tails: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the model expects at each token of the answers, read in one forward pass.

        Returns:
            Logits of shape (n, t, v) in single precision, the answers' tokens, shape (n, t), padded on the right, and
            their mask.
        """
        ids, mask = left_pad(heads, self.pad_id, self.device)
        # The answers are padded on the right: flipping twice lets one function do both sides.
        answer, answer_mask = left_pad([tail[::-1] for tail in tails], self.pad_id, self.device)
        answer, answer_mask = answer.flip(1), answer_mask.flip(1)
        mask = torch.cat([mask, answer_mask], 1)
        logits = self.model(
            input_ids=torch.cat([ids, answer], 1),
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            use_cache=False,
            logits_to_keep=answer.shape[1] + 1,
        ).logits[:, :-1]
        return logits.float(), answer, answer_mask

    def save(self, folder: Path | str) -> Path:
        """Write weights (safetensors), tokenizer and settings to a new folder, whole or not at all.

        Of an adapted writer only the adapter is written, with the name and the hash of its base.

        Raises:
            DataError: the folder exists and is not empty, or the base of the adapter was never saved.
        """
        target = Path(folder)
        if target.exists() and any(target.iterdir()):
            raise DataError(f"{target}: folder is not empty; choose a new folder or delete this one")
        if self.adapter is not None and not self.adapter.card.base:
            raise DataError(
                f"writer {self.generator_id}: the base of an adapter must be on disk, got one that was never saved; "
                "save the base before training, or save merge_adapter(writer)"
            )
        with whole_folder(target) as half:
            self._fill(half)
        if self.adapter is None:
            self.source = str(target.resolve())
        return target

    def _fill(self, folder: Path) -> None:
        write_card(self.card, folder)
        if self.adapter is not None:
            save_adapter(self.adapter, self.model, folder)
            return
        with quiet_transformers():
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def _lengths(rows: Sequence[Sequence[int]]) -> Ints:
    return np.array([len(row) for row in rows], dtype=np.int64)


def _batches(lengths: Ints, size: int) -> Iterator[list[int]]:
    """Yield row indices, rows of like length together, so that little is spent on padding."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size].tolist()
