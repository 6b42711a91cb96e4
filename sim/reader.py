"""How a language model reads a text: what surprises it, and what it makes of the text halfway and at the end.

Surprisal is -log P(token | tokens before) in nats (Hale, 2001). A run of words that nobody would write costs most where one
piece ends and the next begins; the hidden layers know more of it than the probabilities (Azaria and Mitchell, 2023). So
this encoder tells text that people write from text that a search puts together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.sim.pretrained import LONGEST, Rows, batches, cached, digest_of, network, pinned
from copybandit.sim.text_cache import TextCache, cache_root
from copybandit.sim.types import Bools, DataError, Floats, Ints

MEASURES = (
    "mean",
    "mean_after_first",
    "worst",
    "three_worst",
    "worst_run",
    "end",
    "length",
    "over_6",
    "over_9",
)
"""Of a text's surprisal; each is followed by its square among the features."""
HALFWAY, LATE = 0.53, 0.73
"""Depths of the layers that are read, as shares of all layers: averaged over the tokens, and at the last one."""
BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Surprisal and hidden layers of a causal language model, in bfloat16.

    Attributes:
        name: a folder with the model, or one inside `cache_root`.
        digest: of the model's files; a saved encoder refuses to read other weights.
        layers: the layer that is averaged and the layer whose last token counts, 0 is the embedding.
        width: numbers in one layer.
    """

    name: str
    digest: str
    layers: tuple[int, int]
    width: int

    @classmethod
    def load(cls, folder: Path) -> Reader:
        """Pin a model; its folder's name is enough where it lies in `cache_root`.

        Raises:
            DataError: there is no causal language model.
        """
        config = network(folder, "AutoModelForCausalLM")[0].config
        depth = int(config.num_hidden_layers)
        return cls(
            name=folder.name if folder.parent == cache_root() else str(folder),
            digest=digest_of(folder),
            layers=(round(HALFWAY * depth), round(LATE * depth)),
            width=int(config.hidden_size),
        )

    @property
    def dimension(self) -> int:
        """Measures, their squares and two layers."""
        return 2 * len(MEASURES) + 2 * self.width

    @cached_property
    def _cache(self) -> TextCache:
        return TextCache(
            cache_root() / "texts" / f"{self.digest[:16]}-read-{'-'.join(map(str, self.layers))}"
        )

    def encode(self, texts: Sequence[str]) -> Floats:
        """Encode texts, shape (n, dimension); what was encoded before comes from the cache.

        Raises:
            DataError: the model is not there any more, or is another than the one that was pinned.
        """
        return cached(self._cache, texts, self.dimension, self._compute)

    def _compute(self, texts: list[str]) -> Rows:
        folder = self._folder()
        pinned(self.name, folder, self.digest)
        model, tokenizer = network(folder, "AutoModelForCausalLM")
        end = tokenizer.eos_token_id
        start = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        own: Any = tokenizer(texts, truncation=True, max_length=LONGEST, add_special_tokens=False)[
            "input_ids"
        ]
        read = [[start, *tokens, end] for tokens in own]
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for which, ids, mask in batches(read, BATCH):
            rows[which] = self._read(model, ids, mask)[: len(which)]
        return rows

    def _folder(self) -> Path:
        for folder in (cache_root() / self.name, Path(self.name)):
            if (folder / "config.json").is_file():
                return folder
        raise DataError(
            f"encoder {self.name}: must be a folder with config.json, model.safetensors and a tokenizer, got none; "
            "put it there, or fit again"
        )

    def _read(self, model: Any, ids: Ints, mask: Ints) -> Rows:
        """Features of a batch, shape (BATCH, dimension)."""
        import torch

        with torch.inference_mode():
            token, seen = torch.from_numpy(ids), torch.from_numpy(mask)
            out = model(input_ids=token, attention_mask=seen, output_hidden_states=True)
            chosen = out.logits[:, :-1].gather(2, token[:, 1:, None])[..., 0].float()
            surprisal = torch.logsumexp(out.logits[:, :-1].float(), -1) - chosen
            middle, late = (out.hidden_states[layer].float() for layer in self.layers)
            weight = seen[:, 1:, None].float()
            mean = (middle[:, 1:] * weight).sum(1) / weight.sum(1).clamp(min=1)
            last = late[torch.arange(len(token)), seen.sum(1) - 1]
            measured = surprises(surprisal.numpy().astype(np.float64), mask[:, 1:].astype(bool))
        return np.hstack([measured, measured**2, mean.numpy(), last.numpy()]).astype(np.float32)


def surprises(surprisal: Floats, seen: Bools) -> Floats:
    """The `MEASURES` of each text, shape (n, len(MEASURES)), in nats, shares or log tokens.

    Args:
        surprisal: shape (n, t), of every token and then of the text's end.
        seen: shape (n, t), True for tokens of the text and its end, which come first.
    """
    n = np.maximum(seen.sum(axis=1), 1)
    place = np.arange(seen.shape[1])
    end = surprisal[np.arange(len(n)), n - 1]
    own = seen & ((place < n[:, None] - 1) | (n[:, None] == 1))
    after_first = own & ((place > 0) | (own.sum(axis=1) == 1)[:, None])
    worst = -np.sort(np.where(own, -surprisal, np.inf), axis=1)
    size = own.sum(axis=1)
    three = np.where(np.isfinite(worst[:, :3]), worst[:, :3], 0).sum(axis=1) / np.maximum(
        np.minimum(size, 3), 1
    )
    total = np.cumsum(np.pad(np.where(own, surprisal, 0), ((0, 0), (1, 0))), axis=1)
    runs = np.where(place[2:] < size[:, None], (total[:, 3:] - total[:, :-3]) / 3, -np.inf)
    mean = _share(surprisal, own)
    return np.column_stack(
        [
            mean,
            _share(surprisal, after_first),
            np.where(size > 0, worst[:, 0], 0),
            three,
            np.maximum(runs.max(axis=1, initial=-np.inf), mean),
            end,
            np.log1p(size),
            _share(np.where(surprisal > 6, 1.0, 0.0), own),
            _share(np.where(surprisal > 9, 1.0, 0.0), own),
        ]
    )


def _share(value: Floats, among: Bools) -> Floats:
    """Mean of a row's values among some of its places, shape (n,); 0 where there are none."""
    return np.asarray(np.where(among, value, 0).sum(axis=1) / np.maximum(among.sum(axis=1), 1))
