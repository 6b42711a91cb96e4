"""Vectors of texts that were computed before, in memory and in the user's cache folder.

A slow encoder asks here first. Files are safetensors: 16 bytes of each text's hash beside its vector.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

LEAST = 64
"""New texts that are worth a file; fewer stay in memory."""
MOST = 200_000
"""Vectors held in memory; beyond that all are forgotten and read again when needed."""


def cache_root() -> Path:
    """Return ``$COPYBANDIT_CACHE``, or ``copybandit`` in the user's cache folder."""
    if folder := os.environ.get("COPYBANDIT_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "copybandit"


def text_key(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class TextCache:
    """Vectors by text.

    Args:
        folder: of one encoder and one setting of it; made when first written to. A file that cannot be read is as good
            as absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[bytes, NDArray[np.float32]] = {}
        self._read: set[str] = set()

    def get(self, texts: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """The vector of each text, shape (d,), or None where it is not known yet."""
        keys = [text_key(text) for text in texts]
        if any(key not in self._rows for key in keys):
            self._look()
        return [self._rows.get(key) for key in keys]

    def put(self, texts: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Keep vectors of shape (n, d); many at once go to a file, which appears whole or not at all."""
        if len(self._rows) + len(texts) > MOST:
            self._rows.clear()
            self._read.clear()
        keys = [text_key(text) for text in texts]
        self._rows.update(zip(keys, rows, strict=True))
        if len(texts) < LEAST:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{uuid.uuid4().hex}.safetensors"
        partial = self.folder / f"{name}.partial"
        flat = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16)
        partial.write_bytes(save({"key": flat.copy(), "row": np.ascontiguousarray(rows)}))
        os.replace(partial, self.folder / name)
        self._read.add(name)

    def _look(self) -> None:
        """Read files that appeared since the last look."""
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.name in self._read:
                continue
            self._read.add(path.name)
            try:
                arrays = load(path.read_bytes())
                pairs = zip(map(bytes, arrays["key"]), arrays["row"].astype(np.float32), strict=True)
                self._rows.update(pairs)
            except (OSError, SafetensorError, KeyError, ValueError):
                continue
