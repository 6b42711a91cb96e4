"""`copybandit fit`: from the user's own files to a fitted shop and a report that says how far to believe it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.evaluation.fit_inputs import FORMATS, INSTALLED, FitRequest, Format
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


def fit_shop_files(request: FitRequest, out: Path | None) -> None:
    """Fit, show progress, print what failed first, and where the report lies.

    Raises:
        SystemExit: bad input (2), an interrupt (130) or a full disk (1); a line on stderr says which.
    """
    path = out or Path("runs") / f"fit-{Path(request.log).name.partition('.')[0]}-{request.seed}"
    with one_line("copybandit fit"):
        from copybandit.evaluation.fit_report import verdict
        from copybandit.evaluation.shop_fit import fit_files

        with progress(Console(stderr=True)) as display:
            report = fit_files(request, path, display)
    print(verdict(report))
    print(f"report: {path / 'report.html'}")
