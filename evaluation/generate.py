"""`copybandit generate`: copy for a catalogue, streamed or into a run folder.

Each product is one row at the desk (`copybandit.evaluation.copy_desk`). Stretches of `STRETCH` products are done one after
another: stages of the run folder, which is what resuming goes by.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from copybandit.evaluation.copy_desk import Desk, Written
from copybandit.evaluation.copy_rows import CopyRow, RefusedRow, join_parts, save_part
from copybandit.evaluation.editing_settings import editor_of
from copybandit.evaluation.generate_request import GenerateRequest
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.scribes import moves_hash
from copybandit.evaluation.storage import load_json, save_json
from copybandit.sim.product_stream import CatalogueRow, Survey, stream_products, survey
from copybandit.sim.types import DataError

STRETCH = 25
"""Products that are done, and saved, at a time."""


def stream(request: GenerateRequest, display: Progress) -> Iterator[Written]:
    """Write for one product after another, keeping nothing.

    Raises:
        DataError: the catalogue, the segments or the writer cannot be used; before anything is written.
    """
    found = _surveyed(request, display)
    desk = Desk.open(request)
    display.stage("generate", total=found.n_rows)
    for row in stream_products(request.catalogue):
        yield desk.write(row)
        display.advance()


def generate(folder: RunFolder[GenerateRequest], display: Progress) -> dict[str, object]:
    """Fill a run folder with copy and refusals, or go on with it; returns the counts of report.json.

    Raises:
        DataError: the catalogue, the segments or the writer cannot be used, or are others than when the run began.
    """
    report = folder.path / "report.json"
    if not report.exists():
        _write_parts(folder, display)
        _join(folder)
        save_json(report, _counts(folder))
    for part in (folder.path / "stages").glob("part-*"):
        shutil.rmtree(part)
    counts: dict[str, object] = load_json(report)
    return counts


def _write_parts(folder: RunFolder[GenerateRequest], display: Progress) -> None:
    request = folder.settings
    found = _surveyed(request, display)
    desk = Desk.open(request)
    now = {"catalogue": found.sha256, "segments": _file_hash(request.segments)}
    same_inputs(folder, now | {"writer": desk.scribe.model_hash, "moves": moves_hash()})
    display.stage("generate", total=found.n_rows)
    rows = stream_products(request.catalogue)
    for number in range(-(-found.n_rows // STRETCH)):
        stretch = list(islice(rows, STRETCH))

        def work(out: Path, stretch: list[CatalogueRow] = stretch) -> None:
            done: list[Written] = []
            for row in stretch:
                done.append(desk.write(row))
                display.advance()
            _save(out, done, request)

        if not folder.run_stage(f"part-{number:06d}", work):
            display.advance(len(stretch))


def _save(out: Path, done: list[Written], request: GenerateRequest) -> None:
    copy = [row for written in done for row in written.copy]
    refused = [row for written in done for row in written.refused]
    save_part(out / "copy", copy, CopyRow, request.format)
    save_part(out / "refused", refused, RefusedRow, request.format)
    counts = {"copy": len(copy), "fallbacks": sum(row.fallback for row in copy)}
    save_json(out / "counts.json", counts | {"refused": dict(Counter(row.rule for row in refused))})


def _join(folder: RunFolder[GenerateRequest]) -> None:
    form = folder.settings.format
    for name, kind in (("copy", CopyRow), ("refused", RefusedRow)):
        parts = (folder.output(part) / name for part in folder.done())
        join_parts(parts, folder.path / f"{name}.{form}", kind, form)


def _counts(folder: RunFolder[GenerateRequest]) -> dict[str, object]:
    refused: Counter[str] = Counter()
    copy = fallbacks = 0
    for part in folder.done():
        counts = load_json(folder.output(part) / "counts.json")
        copy, fallbacks = copy + counts["copy"], fallbacks + counts["fallbacks"]
        refused.update(counts["refused"])
    inputs = load_json(folder.path / "inputs.json")
    return {"copy": copy, "fallbacks": fallbacks, "refused": dict(refused), "inputs": inputs}


def _surveyed(request: GenerateRequest, display: Progress) -> Survey:
    """Check the whole catalogue before the first word is written."""
    display.stage("check")
    found = survey(request.catalogue)
    if found.unread:
        display.note(f"{request.catalogue}: columns not read: {', '.join(found.unread)}")
    for line in editor_of(request.editor).notes:
        display.note(line)
    return found


def same_inputs(folder: RunFolder[GenerateRequest], now: dict[str, str]) -> None:
    """Keep the hashes of what a run reads, or see that they are still the same.

    Raises:
        DataError: a file, the writer or the moves changed since the run began.
    """
    path = folder.path / "inputs.json"
    if not path.exists():
        save_json(path, now)
    for name, then in load_json(path).items():
        if now[name] != then:
            raise DataError(
                f"{folder.path}: {name} must be the one that the run began with ({then[:16]}), got {now[name][:16]}; "
                "put it back or start another run with --out another"
            )


def _file_hash(path: Path | None) -> str:
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def told(counts: dict[str, object]) -> str:
    """The counts in one line."""
    refused = counts["refused"]
    assert isinstance(refused, dict)
    reasons = ", ".join(f"{count} {rule}" for rule, count in sorted(refused.items())) or "none"
    wrote = f"{counts['copy']} pieces of copy, {counts['fallbacks']} by the template instead of the writer"
    return f"{wrote}; refusals: {reasons}"
