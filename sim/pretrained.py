"""Pretrained networks read from local files alone: pinned by a hash, loaded once, fed batches of one fixed shape.

A vector never depends on the texts beside it: every batch has the same number of rows, and a text is padded to a multiple
of `STEP` tokens. Torch is loaded by the first call that computes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.text_cache import TextCache
from copybandit.sim.types import DataError, Floats, Ints

INSTALL = 'pip install "copybandit[text]"'
LONGEST = 128
"""Tokens that are read of a text."""
STEP = 8
"""Texts are padded to a multiple of so many tokens."""

Rows = NDArray[np.float32]


def cached(
    cache: TextCache, texts: Sequence[str], width: int, compute: Callable[[list[str]], Rows]
) -> Floats:
    """Vectors of n texts, shape (n, width); what was computed before comes from the cache."""
    known = cache.get(texts)
    new = list(dict.fromkeys(text for text, row in zip(texts, known, strict=True) if row is None))
    if new:
        rows = compute(new)
        cache.put(new, rows)
        place = dict(zip(new, rows, strict=True))
        known = [place[text] if row is None else row for text, row in zip(texts, known, strict=True)]
    return np.array(known, dtype=np.float64).reshape(len(texts), width)


def batches(read: Sequence[Sequence[int]], rows: int) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Which texts, their token ids and mask, both of shape (rows, tokens); empty rows attend to their first token."""
    length = np.array([-(-len(ids) // STEP) * STEP for ids in read])
    for size in np.unique(length).tolist():
        same = np.flatnonzero(length == size)
        for start in range(0, len(same), rows):
            which = same[start : start + rows]
            ids, mask = np.zeros((2, rows, size), dtype=np.int64)
            mask[:, 0] = 1
            for row, i in enumerate(which.tolist()):
                ids[row, : len(read[i])] = read[i]
                mask[row, : len(read[i])] = 1
            yield which, ids, mask


def pinned(name: str, folder: Path, digest: str) -> None:
    """Refuse other weights than those that were pinned.

    Raises:
        DataError: the folder's hash is another.
    """
    if (found := digest_of(folder)) != digest:
        raise DataError(
            f"encoder {name}: must be the model with hash {digest[:12]}, got {found[:12]}; install "
            "that version, or fit again"
        )


@cache
def digest_of(folder: Path) -> str:
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
def network(folder: Path, kind: str = "AutoModel") -> tuple[Any, Any]:
    """Model in bfloat16 and tokenizer, from local files alone.

    Args:
        folder: with config.json, model.safetensors and a tokenizer.
        kind: the class of transformers that loads the model.

    Raises:
        DataError: torch or transformers is absent, or the folder holds no such model.
    """
    try:
        import torch
        import transformers
        from transformers.utils import logging
    except ImportError as error:
        raise DataError(f"encoder {folder}: torch and transformers are needed; run: {INSTALL}") from error
    notices: Any = logging  # its functions carry no types
    level, bars = notices.get_verbosity(), notices.is_progress_bar_enabled()
    notices.set_verbosity_error()
    notices.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = getattr(transformers, kind).from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"encoder {folder}: cannot load it ({reason}); give a folder with config.json, model.safetensors and a "
            "tokenizer"
        ) from error
    finally:
        notices.set_verbosity(level)
        if bars:
            notices.enable_progress_bar()
    return model.eval().to(torch.bfloat16), tokenizer
