"""The two tables that `copybandit generate` writes: copy, and what was refused, with the reason for each refusal.

Both are kept as parts, one per stretch of the catalogue, and joined in the end, so that an interrupted run loses one stretch
at most and a joined file does not depend on where it was interrupted. Equal rows give equal bytes.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from copybandit.evaluation.generate_request import Format

_TYPES = {
    "str": pa.string(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "float | None": pa.float64(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyRow:
    """One piece of copy that may be shown.

    Attributes:
        product_id: of the product.
        text: the copy.
        generator_id: who wrote it; ``template`` where a model's candidates were all refused.
        content_hash: first 16 hex digits of the SHA-256 of product and text.
        segment_id: whom it is for; -1 for everybody.
        content_type: its kind.
        language: ``en`` or ``zh``.
        voice: empty for none.
        fallback: whether the template wrote because everything else was refused.
        log_prob: log probability of the text given its brief; of the template, of the way it was put together.
        lineage: the moves, or what the model was made from, with bf16 where its products were rounded.
        prompt: what a model was given; empty for the template.
        model_hash: first 16 hex digits of the SHA-256 of the weights, or of the files of moves.
        seed: of the run; with product and segment it gives the draws.
        edits: repairs that the editor made, comma-separated.
        rules: version of the rules that let it through.
    """

    product_id: str
    text: str
    generator_id: str
    content_hash: str
    segment_id: int
    content_type: str
    language: str
    voice: str
    fallback: bool
    log_prob: float | None
    lineage: str
    prompt: str
    model_hash: str
    seed: int
    edits: str
    rules: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedRow:
    """One reason why one candidate is not shown; `text` is empty where nothing could be written at all.

    Attributes:
        product_id: of the product.
        segment_id: whom it was for; -1 for everybody.
        content_type: its kind.
        generator_id: who wrote it.
        text: the candidate.
        log_prob: its log probability.
        rule: which rule it breaks.
        start: first character of the offending part.
        end: one past the last.
        reason: in words.
    """

    product_id: str
    segment_id: int
    content_type: str
    generator_id: str
    text: str
    log_prob: float | None
    rule: str
    start: int
    end: int
    reason: str


Row = CopyRow | RefusedRow


def write_rows(sink: TextIO, rows: Sequence[Row], form: Format, columns: Sequence[str] | None = None) -> None:
    """Append rows as CSV without a header or as JSON lines; `columns` picks some of theirs."""
    table = csv.writer(sink, lineterminator="\n")
    for row in rows:
        cells = dict(zip((f.name for f in fields(row)), astuple(row), strict=True))
        kept = {name: cells[name] for name in columns or cells}
        if form == "jsonl":
            sink.write(json.dumps(kept, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            table.writerow(map(_cell, kept.values()))


def write_header(sink: TextIO, kind: type[Row], form: Format, columns: Sequence[str] | None = None) -> None:
    """The header of a CSV table; JSON lines have none."""
    if form == "csv":
        csv.writer(sink, lineterminator="\n").writerow(columns or [f.name for f in fields(kind)])


def _cell(value: object) -> str:
    """Floats by `repr`, truth in lower case, nothing for None."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def save_part(path: Path, rows: Sequence[Row], kind: type[Row], form: Format) -> None:
    """Write one stretch of a table."""
    if form == "parquet":
        names = [f.name for f in fields(kind)]
        columns = list(zip(*map(astuple, rows), strict=True)) or [()] * len(names)
        arrays = [pa.array(column, type=t) for column, t in zip(columns, _schema(kind).types, strict=True)]
        pq.write_table(pa.table(arrays, schema=_schema(kind)), path)
        return
    sink = io.StringIO()
    write_rows(sink, rows, form)
    path.write_text(sink.getvalue(), encoding="utf-8", newline="")


def join_parts(parts: Iterator[Path], target: Path, kind: type[Row], form: Format) -> None:
    """Join stretches to one file, which appears whole or not at all."""
    partial = target.with_name(f".{target.name}.partial")
    if form == "parquet":
        with pq.ParquetWriter(partial, _schema(kind)) as writer:
            for part in parts:
                writer.write_table(pq.read_table(part))
    else:
        with partial.open("w", encoding="utf-8", newline="") as sink:
            write_header(sink, kind, form)
            for part in parts:
                sink.write(part.read_text(encoding="utf-8"))
    os.replace(partial, target)


def _schema(kind: type[Row]) -> pa.Schema:
    return pa.schema([(f.name, _TYPES[str(f.type)]) for f in fields(kind)])
