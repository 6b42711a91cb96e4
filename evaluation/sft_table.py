"""The table that `copybandit sft` learns from: one row a text, with what was asked for.

Columns: ``name``, ``price`` and ``text``; and where there are any ``facts`` and ``interests`` (parted by semicolons),
``content_type``, ``language``, ``voice``, ``placement``, for answers ``question``, for review drafts ``rating`` and
``notes``. What is empty is an English headline in no particular voice. The prompts are those that the writer will see.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from copybandit.agents.sft import Example
from copybandit.generators.kinds import CONTENT_TYPES, VOICES
from copybandit.generators.languages import LANGUAGES
from copybandit.generators.prompts import field_prompt
from copybandit.sim.tables import number_column, read_table, refuse, text_column
from copybandit.sim.types import Brief, ContentType, Language, Product, Segment

REQUIRED = ("name", "price", "text")
OPTIONAL = (
    "facts", "interests", "content_type", "language", "voice", "placement", "question", "rating", "notes",
)  # fmt: skip
_PARTS = re.compile(r"[;；]")
_ALLOWED: dict[str, tuple[str, ...]] = {
    "content_type": CONTENT_TYPES,
    "language": LANGUAGES,
    "voice": VOICES,
    "rating": tuple("12345"),
}


def read_copy(path: Path) -> list[Example]:
    """Read prompts and texts.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    frame = read_table(path, REQUIRED, text=("name", "text", *OPTIONAL))
    columns = {name: text_column(frame, name) for name in ("name", "text", *OPTIONAL) if name in frame}
    for name in ("name", "text"):
        refuse(path, (columns[name] == "").to_numpy(np.bool_), name, columns[name], "given")
    for name, allowed in _ALLOWED.items():
        if name in columns:
            bad = ~columns[name].isin(("", *allowed)).to_numpy(np.bool_)
            refuse(path, bad, name, columns[name], f"one of {', '.join(allowed)}, or empty")
    price = number_column(frame, "price", path)
    refuse(path, price <= 0, "price", frame["price"], "above 0")
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    _refuse_incomplete(path, rows, columns)
    briefs = [_brief(cells, cost) for cells, cost in zip(rows, price.tolist(), strict=True)]
    return [(field_prompt(brief), cells["text"]) for brief, cells in zip(briefs, rows, strict=True)]


def _refuse_incomplete(path: Path, rows: list[dict[str, str]], columns: dict[str, pd.Series]) -> None:
    """An answer needs its question, a review draft its stars."""
    for kind, needed in (("answer", "question"), ("review", "rating")):
        bad = np.array([row.get("content_type") == kind and not row.get(needed) for row in rows])
        values = columns.get(needed, columns["text"].str.slice(0, 0))
        refuse(path, bad, needed, values, f"given for {kind} rows")


def _brief(cells: dict[str, str], price: float) -> Brief:
    name = cells["name"]
    product = Product(
        product_id=name, name=name, title=name, category="", brand="", price=price,
        facts=_parted(cells.get("facts", "")),
    )  # fmt: skip
    interests = _parted(cells.get("interests", ""))
    kind: ContentType = next(
        known for known in CONTENT_TYPES if known == (cells.get("content_type") or "headline")
    )
    language: Language = next(known for known in LANGUAGES if known == (cells.get("language") or "en"))
    return Brief(
        product=product,
        segment=Segment(segment_id=0, interests=interests, size=0) if interests else None,
        content_type=kind,
        language=language,
        voice=cells.get("voice", ""),
        placement=cells.get("placement", ""),
        question=cells.get("question", ""),
        notes=cells.get("notes", ""),
        rating=int(cells["rating"]) if cells.get("rating") else None,
    )


def _parted(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _PARTS.split(value) if part.strip())
