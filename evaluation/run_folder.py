"""One run, one folder: what it was told, with which versions, which stages are done, and what they made.

    runs/NAME-SEED/
        config.yaml  versions.json  metrics.jsonl     what was asked, with what, and what happened
        stages/NAME/                                  outputs of a finished stage, with its timing.json
        report.json  report.html                      written last

A stage's folder appears in one step when the stage is done, so it is its own done-marker: interrupted work
lies in `stages/.NAME.partial` and is thrown away by the next attempt.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from copybandit.evaluation.load_settings import flatten, read_config, to_yaml
from copybandit.evaluation.machine import peak_memory_mb, reset_peak, versions
from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.storage import load_json, plain, save_json, write_bytes
from copybandit.sim.types import DataError

Settings = TypeVar("Settings")


@dataclass(kw_only=True)
class RunFolder(Generic[Settings]):
    """A run's folder. As a context manager it removes itself when the run fails before any stage is done."""

    path: Path
    settings: Settings
    """What the run was told: `RunSettings` of `run`, `FitRequest` of `fit`."""
    made: tuple[Path, ...] = ()
    """Folders that this process made, the run's own first; none where the run is resumed."""
    clock: Callable[[], float] = time.perf_counter
    """Seconds; only differences are used."""
    _reran: bool = field(default=False, init=False)

    @classmethod
    def create(cls, path: Path, settings: Settings) -> RunFolder[Settings]:
        """Make a new folder for a run.

        Raises:
            DataError: something of that name exists, or the folder cannot be made.
        """
        made = (path, *(parent for parent in path.parents if not parent.exists()))
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise DataError(f"{path} exists; pass --resume to go on or --out another") from error
        except OSError as error:
            raise DataError(f"{path} cannot be made ({error.strerror}); pass --out another") from error
        try:
            write_bytes(path / "config.yaml", to_yaml(settings).encode())
            save_json(path / "versions.json", versions())
            (path / "stages").mkdir()
        except OSError as error:
            _remove(made)
            raise DataError(f"{path} cannot be filled ({error.strerror}); pass --out another") from error
        return cls(path=path, settings=settings, made=made)

    @classmethod
    def resume(cls, path: Path, settings: Settings) -> RunFolder[Settings]:
        """Open a run's folder to go on.

        Raises:
            DataError: there is no such run, or it was told something else.
        """
        before, now = flatten(stored(path, type(settings))), flatten(settings)
        for key, value in before.items():
            if value != now[key]:
                raise DataError(
                    f"{path}: {key} is {value!r} in the run and {now[key]!r} now; "
                    "give the run's own value or pass --out another"
                )
        (path / "stages").mkdir(exist_ok=True)
        return cls(path=path, settings=settings)

    def __enter__(self) -> RunFolder[Settings]:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        # An interrupt and a full disk keep the folder to resume.
        failed = kind is not None and issubclass(kind, Exception) and not issubclass(kind, OSError)
        if failed and self.made and not self.done():
            _remove(self.made)

    def done(self) -> tuple[str, ...]:
        """Names of the finished stages, sorted."""
        return tuple(sorted(p.name for p in (self.path / "stages").iterdir() if not p.name.startswith(".")))

    def stage(self, name: str) -> bool:
        """Whether the stage is done."""
        return self.output(name).is_dir()

    def finished(self, names: Sequence[str]) -> tuple[str, ...]:
        """A line that says so where all these stages are done, and report.json is written; no line otherwise."""
        if all(map(self.stage, names)) and (self.path / "report.json").is_file():
            return (f"{self.path} is finished: no stage is left to do, its report is written again",)
        return ()

    def output(self, name: str) -> Path:
        """Folder of a finished stage's outputs."""
        return self.path / "stages" / name

    def run_stage(self, name: str, work: Callable[[Path], object], *, keep: bool = False) -> bool:
        """Do a stage unless it is done; ``work`` is given a folder to write into, empty unless it is kept.

        A stage that runs makes the ones asked for after it run too: what they were made from has changed.

        Args:
            name: of the stage.
            work: does it.
            keep: leave what an interrupted attempt wrote and logged, for ``work`` to go on with.

        Returns:
            Whether the stage ran.
        """
        if self.stage(name) and not self._reran:
            return False
        partial = self.path / "stages" / f".{name}.partial"
        shutil.rmtree(self.output(name), ignore_errors=True)
        if self._reran or not keep or not partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            self.forget(name)
        reset_peak()
        start = self.clock()
        work(partial)
        save_json(partial / "timing.json", {"seconds": self.clock() - start, "peak_mb": peak_memory_mb()})
        os.replace(partial, self.output(name))
        self._reran = True
        return True

    def timings(self) -> dict[str, dict[str, float]]:
        """Of each finished stage, ``seconds`` of wall time and ``peak_mb``, see `peak_memory_mb`."""
        return {name: load_json(self.output(name) / "timing.json") for name in self.done()}

    def log(self, stage: str, values: Mapping[str, object]) -> None:
        """Append one row to metrics.jsonl."""
        row = json.dumps(plain({"stage": stage, **values}), ensure_ascii=False, allow_nan=False)
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(row + "\n")

    def metrics(self, stage: str) -> list[dict[str, object]]:
        """Rows that a stage has logged, in order."""
        return [row for row in self._rows() if row["stage"] == stage]

    def version_notes(self) -> tuple[str, ...]:
        """A line for each package whose version is not the one that the run began with."""
        return tuple(
            f"warning: {name} was {then} when this run began and is {now} now"
            for name, (then, now) in self.changed_versions().items()
        )

    def changed_versions(self) -> dict[str, tuple[str, str]]:
        """Packages whose version differs from when the run began: name to (then, now)."""
        then, now = load_json(self.path / "versions.json"), versions()
        names = sorted({*then, *now})
        pairs = {name: (then.get(name, "absent"), now.get(name, "absent")) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def _rows(self) -> list[dict[str, object]]:
        path = self.path / "metrics.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            raise DataError(f"{path}: every line must be JSON, got {error}; remove the file") from error

    def forget(self, stage: str, which: Callable[[Mapping[str, Any]], bool] = lambda row: True) -> None:
        """Drop what an interrupted attempt logged, a line cut short included: no row may count twice.

        Args:
            stage: whose rows.
            which: of them.
        """
        kept = [row for row in self._rows() if row["stage"] != stage or not which(row)]
        rows = [json.dumps(row, ensure_ascii=False) + "\n" for row in kept]
        write_bytes(self.path / "metrics.jsonl", "".join(rows).encode())


def stored_settings(path: Path) -> RunSettings:
    """Settings that the folder of a `run` was made with; see `stored`."""
    return stored(path, RunSettings)


def stored(path: Path, kind: type[Settings]) -> Settings:
    """What a run's folder was made with.

    Raises:
        DataError: there is no run in that folder, or one of another command.
    """
    if not (path / "config.yaml").is_file():
        raise DataError(f"{path} holds no run to resume; start one without --resume or pass --out another")
    try:
        return read_config(path / "config.yaml", kind)
    except DataError as error:
        raise DataError(
            f"{path} must hold a run of this command, got a config that does not fit ({error}); "
            "name the run's own folder, or start one without --resume"
        ) from error


def _remove(made: tuple[Path, ...]) -> None:
    """Remove a run's folder, and the folders above it that were made for it, unless something else is in them."""
    shutil.rmtree(made[0], ignore_errors=True)
    for parent in made[1:]:
        with suppress(OSError):
            parent.rmdir()
