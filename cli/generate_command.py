"""`copybandit generate`: a catalogue in, copy and refusals out, to a run folder or to standard output."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.evaluation.editing_settings import EditingSettings
from copybandit.evaluation.generate_request import FORMATS, GenerateRequest, one_of
from copybandit.evaluation.load_settings import read_config
from copybandit.evaluation.run_folder import RunFolder, stored
from copybandit.generators.kinds import CONTENT_TYPES
from copybandit.generators.languages import LANGUAGES
from copybandit.sim.types import DataError

SHORT = ("product_id", "text", "generator_id", "content_hash")
"""Columns on standard output where no --out is given."""


def request_of(
    *,
    catalogue: Path,
    segments: Path | None,
    interests: str,
    writer: str,
    content_types: Sequence[str],
    language: str,
    voice: str,
    placement: str,
    question: str,
    n: int,
    temperature: float,
    token_edits: bool,
    seed: int,
    form: str,
    bf16: bool,
    editor: Path | None,
) -> GenerateRequest:
    """The request that options make; paths are made absolute, so that any folder can resume.

    Raises:
        DataError: a value is not one of those allowed, or the file of the editor cannot be used.
    """
    return GenerateRequest(
        catalogue=catalogue.resolve(),
        segments=segments.resolve() if segments else None,
        interests=tuple(word.strip() for word in interests.split(",") if word.strip()),
        writer=str(Path(writer).resolve()) if Path(writer).is_dir() else writer,
        content_types=tuple(one_of("type", kind, CONTENT_TYPES) for kind in content_types),
        language=one_of("language", language, LANGUAGES),
        voice=voice,
        placement=placement,
        question=question,
        n=n,
        temperature=temperature,
        seed=seed,
        format=one_of("format", form, FORMATS),
        bf16=bf16,
        editor=_editing(editor, token_edits),
    )


def _editing(path: Path | None, token_edits: bool) -> EditingSettings:
    if path is not None and not path.is_file():
        raise DataError(f"--editor must be a YAML file, got {path}, which is none; correct the path")
    settings = EditingSettings() if path is None else read_config(path.resolve(), EditingSettings)
    return replace(settings, token_edits=settings.token_edits or token_edits)


def old_folder(path: Path, given: Sequence[str]) -> RunFolder[GenerateRequest]:
    """Open a run folder to go on, with what it was told when it began.

    Raises:
        DataError: there is no such run in it, or options were given beside it.
    """
    if given:
        raise DataError(
            f"--resume takes the run folder alone, got {', '.join(given)} too; drop it, or name the catalogue and --out"
        )
    return RunFolder.resume(path, stored(path, GenerateRequest))


def to_folder(folder: RunFolder[GenerateRequest]) -> None:
    """Write into a run folder or go on with it.

    Raises:
        SystemExit: bad input (2), an interrupt (130) or a full disk (1); a line on stderr says which.
    """
    with one_line(f"copybandit generate --resume {shlex.quote(str(folder.path))}"):
        from copybandit.evaluation.generate import generate, told

        with folder, progress(Console(stderr=True)) as display:
            for line in folder.version_notes():
                display.note(line)
            counts = generate(folder, display)
    print(told(counts))
    form = folder.settings.format
    print(f"copy: {folder.path / f'copy.{form}'}")
    print(f"refused: {folder.path / f'refused.{form}'}")


def to_stdout(request: GenerateRequest, *, whole: bool) -> None:
    """Write copy to standard output, all columns where `whole`, and count the refusals on stderr.

    Raises:
        SystemExit: bad input (2) or an interrupt (130); a line on stderr says which.
    """
    with one_line("copybandit generate with --out FOLDER, which can be resumed"):
        from copybandit.evaluation.copy_rows import CopyRow, write_header, write_rows
        from copybandit.evaluation.generate import stream

        if request.format == "parquet":
            raise DataError(
                "--format parquet needs a folder, got standard output; pass --out FOLDER, or --format csv"
            )
        columns = None if whole else SHORT
        refused: Counter[str] = Counter()
        with progress(Console(stderr=True)) as display:
            for number, written in enumerate(stream(request, display)):
                if number == 0:
                    write_header(sys.stdout, CopyRow, request.format, columns)
                write_rows(sys.stdout, written.copy, request.format, columns)
                refused.update(row.rule for row in written.refused)
            if refused:
                told = ", ".join(f"{count} {rule}" for rule, count in sorted(refused.items()))
                display.note(f"refused: {told}; --out FOLDER keeps texts and reasons")
