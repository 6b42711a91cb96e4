"""`copybandit run`: from options to a run folder, to the numbers that matter."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.evaluation.headline import headline
from copybandit.evaluation.load_settings import load_settings, parse_override, read_settings
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.run_folder import RunFolder, stored_settings
from copybandit.evaluation.settings import RunSettings
from copybandit.sim.types import DataError

Pipeline = Callable[[RunSettings, RunFolder[RunSettings], Progress], Mapping[str, Any]]
DEFAULT_CONFIG = "quickstart"


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `copybandit run` as they were given; None stands for not given."""

    config: str | None = None
    out: Path | None = None
    folder: Path | None = None
    seed: int | None = None
    retail: Path | None = None
    ab_tests: Path | None = None
    resume: bool = False
    sets: tuple[str, ...] = ()

    def overrides(self) -> dict[str, object]:
        """Dotted key to value of everything given beside the config."""
        given = dict(parse_override(text) for text in self.sets)
        named = {"seed": self.seed, "data.retail": self.retail, "data.ab_tests": self.ab_tests}
        # The run may be resumed from another folder, so the path of a file that is there is stored whole.
        paths = {
            key: str(value.absolute() if value.exists() else value) if isinstance(value, Path) else value
            for key, value in named.items()
        }
        return given | {key: value for key, value in paths.items() if value is not None}

    def path(self) -> Path:
        """The run folder that is meant.

        Raises:
            DataError: the options contradict each other, or the config cannot be read.
        """
        if self.folder and not self.resume:
            raise DataError(f"run takes no folder, got {self.folder}; pass --out {self.folder} or --resume")
        if self.folder and self.out and self.folder != self.out:
            raise DataError(f"two run folders given, {self.folder} and {self.out}; drop --out")
        if self.folder or self.out:
            return self.folder or self.out or Path()
        settings = read_settings(self.config or DEFAULT_CONFIG, self.overrides())
        return Path("runs") / f"{settings.name}-{settings.seed}"


def execute(request: Request, pipeline: Pipeline | None = None) -> None:
    """Run or resume, show progress, print the path of the report and the numbers that matter.

    Raises:
        SystemExit: bad input (2), an interrupt (130) or a full disk (1); a line on stderr says which.
    """
    with one_line("copybandit run"):
        path = request.path()
    with one_line(f"copybandit run --resume {shlex.quote(str(path))}"):
        folder = open_folder(request, path)
        with folder, progress(Console(stderr=True)) as display:
            for line in folder.version_notes():
                display.note(line)
            report = (pipeline or _pipeline())(folder.settings, folder, display)
        _print_result(report, path)


def open_folder(request: Request, path: Path) -> RunFolder[RunSettings]:
    """Make the run folder, or open it to go on with the settings it was made with."""
    given = request.overrides()
    if not request.resume:
        return RunFolder.create(path, load_settings(request.config or DEFAULT_CONFIG, given))
    stored = stored_settings(path)
    if request.config is None:
        return RunFolder.resume(path, load_settings(str(path / "config.yaml"), given))
    files = {"data.retail": stored.data.retail, "data.ab_tests": stored.data.ab_tests}
    return RunFolder.resume(
        path, load_settings(request.config, {k: v for k, v in files.items() if v} | given)
    )


def _pipeline() -> Pipeline:
    from copybandit.evaluation.pipeline import run

    return run


def _print_result(report: Mapping[str, Any], path: Path) -> None:
    for number in headline(report):
        interval = f" ({number.interval})" if number.interval else ""
        print(f"{number.label}: {number.figure}{interval}")
        if number.warning:
            print(f"warning: {number.warning}", file=sys.stderr)
    print(f"report: {path / 'report.html'}")
