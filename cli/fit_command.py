"""`copybandit fit`: from the user's own files to a fitted shop and a report that says how far to believe it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.evaluation.fit_inputs import FORMATS, INSTALLED, FitRequest, Format
from copybandit.evaluation.run_folder import RunFolder, stored
from copybandit.sim.types import DataError


def format_of(name: str, log: str) -> Format:
    """The format that is meant.

    Raises:
        DataError: for a name that is none.
    """
    for known in FORMATS:
        if (log if log in INSTALLED and not Path(log).exists() else name) == known:
            return known
    raise DataError(f"--format must be one of {', '.join(FORMATS)}, got {name!r}; give one of them")


def new_folder(request: FitRequest, out: Path | None) -> RunFolder[FitRequest]:
    """Make the folder of a fit; runs/fit-LOG-SEED if none is named.

    Raises:
        DataError: it exists or cannot be made.
    """
    path = out or Path("runs") / f"fit-{Path(request.log).name.partition('.')[0]}-{request.seed}"
    return RunFolder.create(path, request)


def old_folder(path: Path, given: Sequence[str]) -> RunFolder[FitRequest]:
    """Open the folder of a fit to go on, with what it was told when it began.

    Raises:
        DataError: there is no fit in it, or options were given beside it.
    """
    if given:
        raise DataError(
            f"--resume takes the run folder alone, got {', '.join(given)} too; drop it, or start another fit"
        )
    return RunFolder.resume(path, stored(path, FitRequest))


def execute(folder: RunFolder[FitRequest]) -> None:
    """Fit or go on, show progress, print what failed first, and where the report lies.

    Raises:
        SystemExit: bad input (2), an interrupt (130) or a full disk (1); a line on stderr says which.
    """
    with one_line(f"copybandit fit --resume {shlex.quote(str(folder.path))}"):
        from copybandit.evaluation.fit_report import verdict
        from copybandit.evaluation.shop_fit import fit_files

        with folder, progress(Console(stderr=True)) as display:
            for line in folder.version_notes():
                display.note(line)
            report = fit_files(folder, display)
    print(verdict(report))
    print(f"report: {folder.path / 'report.html'}")
