"""What a saved writer is besides weights and tokenizer, and how a folder comes to be whole or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from copybandit.sim.types import DataError

CARD = "writer.json"
"""File beside the weights that keeps a saved writer's settings."""


@dataclass(frozen=True, kw_only=True)
class WriterCard:
    """Settings of a writer.

    Attributes:
        generator_id: its name.
        temperature: of its sampling; 0 takes the likeliest token each time.
        max_new_tokens: longest answer, in tokens, the end-of-sequence token included.
        lineage: what it was made from.
    """

    generator_id: str
    temperature: float = 1.0
    max_new_tokens: int = 24
    lineage: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise DataError(f"writer: temperature must be finite and >= 0, got {self.temperature}; try 1.0")
        if self.max_new_tokens < 1:
            raise DataError(f"writer: max_new_tokens must be >= 1, got {self.max_new_tokens}; try 24")


def read_card(folder: Path | None, default_id: str) -> WriterCard:
    """The card in a folder; one of that name where there is none."""
    if folder is None or not (folder / CARD).exists():
        return WriterCard(generator_id=default_id)
    return WriterCard(**json.loads((folder / CARD).read_text(encoding="utf-8")))


def write_card(card: WriterCard, folder: Path) -> None:
    """Put the card into a folder."""
    (folder / CARD).write_text(json.dumps(asdict(card), indent=1), encoding="utf-8")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` at the end of the block, or nothing if the block fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        yield half
        half.chmod(0o755)
        os.replace(half, target)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
