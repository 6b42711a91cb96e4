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
import platform
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import TracebackType

from copybandit.evaluation.load_settings import flatten, read_settings, to_yaml
from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.storage import load_json, plain, save_json, write_bytes
from copybandit.sim.types import DataError


@dataclass(kw_only=True)
class RunFolder:
    """A run's folder. As a context manager it removes itself when the run fails before any stage is done."""

    path: Path
    settings: RunSettings
    fresh: bool
    """Whether this process made the folder."""
    clock: Callable[[], float] = time.perf_counter
    """Seconds; only differences are used."""
    _reran: bool = field(default=False, init=False)

    @classmethod
    def create(cls, path: Path, settings: RunSettings) -> RunFolder:
        """Make a new folder for a run.

        Raises:
            DataError: something of that name exists, or the folder cannot be made.
        """
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise DataError(f"{path} exists; pass --resume to go on or --out another") from error
        except OSError as error:
            raise DataError(f"{path} cannot be made ({error.strerror}); pass --out another") from error
        write_bytes(path / "config.yaml", to_yaml(settings).encode())
        save_json(path / "versions.json", versions())
        (path / "stages").mkdir()
        return cls(path=path, settings=settings, fresh=True)

    @classmethod
    def resume(cls, path: Path, settings: RunSettings) -> RunFolder:
        """Open a run's folder to go on.

        Raises:
            DataError: there is no such run, or it was told something else.
        """
        before, now = flatten(stored_settings(path)), flatten(settings)
        for key, value in before.items():
            if value != now[key]:
                raise DataError(
                    f"{path}: {key} is {value!r} in the run and {now[key]!r} now; "
                    "give the run's own value or pass --out another"
                )
        (path / "stages").mkdir(exist_ok=True)
        return cls(path=path, settings=settings, fresh=False)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        failed = kind is not None and issubclass(kind, Exception)  # an interrupt keeps the folder to resume
        if failed and self.fresh and not self.done():
            shutil.rmtree(self.path, ignore_errors=True)

    def done(self) -> tuple[str, ...]:
        """Names of the finished stages, sorted."""
        return tuple(sorted(p.name for p in (self.path / "stages").iterdir() if not p.name.startswith(".")))

    def stage(self, name: str) -> bool:
        """Whether the stage is done."""
        return self.output(name).is_dir()

    def output(self, name: str) -> Path:
        """Folder of a finished stage's outputs."""
        return self.path / "stages" / name

    def run_stage(self, name: str, work: Callable[[Path], None]) -> bool:
        """Do a stage unless it is done; ``work`` is given an empty folder to write into.

        A stage that runs makes the ones asked for after it run too: what they were made from has changed.

        Returns:
            Whether the stage ran.
        """
        if self.stage(name) and not self._reran:
            return False
        partial = self.path / "stages" / f".{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(self.output(name), ignore_errors=True)
        partial.mkdir()
        self._forget_metrics(name)
        _reset_peak()
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

    def changed_versions(self) -> dict[str, tuple[str, str]]:
        """Packages whose version differs from when the run began: name to (then, now)."""
        then, now = load_json(self.path / "versions.json"), versions()
        names = sorted({*then, *now})
        pairs = {name: (then.get(name, "absent"), now.get(name, "absent")) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def _rows(self) -> list[dict[str, object]]:
        path = self.path / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def _forget_metrics(self, stage: str) -> None:
        """Drop what an interrupted attempt logged, a line cut short included: no row may count twice."""
        rows = [json.dumps(row, ensure_ascii=False) + "\n" for row in self._rows() if row["stage"] != stage]
        write_bytes(self.path / "metrics.jsonl", "".join(rows).encode())


def stored_settings(path: Path) -> RunSettings:
    """Settings that a run's folder was made with.

    Raises:
        DataError: there is no run in that folder.
    """
    if not (path / "config.yaml").is_file():
        raise DataError(f"{path} holds no run to resume; start one without --resume or pass --out another")
    return read_settings(str(path / "config.yaml"))


def versions() -> dict[str, str]:
    """Version of Python and of each package the project names, where installed."""
    names = {re.split(r"[^A-Za-z0-9._-]", line)[0] for line in requires("copybandit") or ()}
    found = {"python": platform.python_version()}
    for name in sorted(names | {"copybandit"}):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def peak_memory_mb() -> float:
    """Most memory this process held, in MiB: since the stage began on Linux, since the start elsewhere."""
    with suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        if peak:
            return int(peak[1]) / 1024
    import resource  # absent on Windows, like nothing else in this module

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # bytes on macOS


def _reset_peak() -> None:
    """Ask Linux to count the peak anew, so that one stage's peak is not laid at the next one's door."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
