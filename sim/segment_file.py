"""Segments of the shop's own: segment_id, interests and size, from CSV, JSON lines or Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from copybandit.sim.plain_text import plain_text
from copybandit.sim.segments import MIN_CELL
from copybandit.sim.tables import integer_column, read_table, refuse
from copybandit.sim.types import Segment


def read_segments(path: Path) -> tuple[Segment, ...]:
    """Read segments; interests are a list, or one text parted by semicolons.

    Raises:
        DataError: for an unusable file or value, naming file, row and column; a segment needs `MIN_CELL` shoppers.
    """
    frame = read_table(path, ["segment_id", "interests", "size"], text=["interests"])
    identity, size = integer_column(frame, "segment_id", path), integer_column(frame, "size", path)
    refuse(path, identity < 0, "segment_id", frame["segment_id"], "0 or more")
    refuse(
        path,
        frame["segment_id"].duplicated().to_numpy(),
        "segment_id",
        frame["segment_id"],
        "different in every row",
    )
    rule = f"at least {MIN_CELL} shoppers, so that no copy is written for a person"
    refuse(path, size < MIN_CELL, "size", frame["size"], rule)
    words = [_words(value) for value in frame["interests"]]
    rows = zip(identity.tolist(), words, size.tolist(), strict=True)
    return tuple(Segment(segment_id=i, interests=w, size=n) for i, w, n in rows)


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple, np.ndarray)):
        parts = [str(part) for part in value]
    else:
        parts = [] if value is None or value != value else str(value).split(";")
    return tuple(word for word in map(plain_text, parts) if word)
