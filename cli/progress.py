"""How progress looks: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from copybandit.evaluation.progress import Progress

STEPS = 4
"""Plain lines per stage whose length is known."""


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """The progress display that suits a console; it is cleared up whatever happens inside."""
    if not console.is_terminal:
        with PlainLines(
            write=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
        ) as lines:
            yield lines
        return
    columns = (
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[shown]}", markup=False),
    )
    with Bars(*columns, console=console) as bars:
        yield RichBars(bars=bars)


class RichBars:
    """One bar a stage."""

    def __init__(self, *, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def stage(self, name: str, total: int | None = None) -> None:
        """Fill the bar of the stage before and begin another."""
        if self._task is not None:
            self._finish(self._task)
        self._task = self._bars.add_task(name, total=total, shown="")

    def advance(self, n: int = 1) -> None:
        """Move the bar on."""
        if self._task is not None:
            self._bars.advance(self._task, n)

    def show(self, text: str) -> None:
        """Beside the bar."""
        if self._task is not None:
            self._bars.update(self._task, shown=text)

    def note(self, text: str) -> None:
        """Print above the bars."""
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _finish(self, task: TaskID) -> None:
        done = next(entry for entry in self._bars.tasks if entry.id == task)
        total = done.total if done.total is not None else max(done.completed, 1)
        self._bars.update(task, total=total, completed=total)


class PlainLines:
    """A line when a stage begins, a few on the way where its length is known, and one when it ends."""

    def __init__(self, *, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._name = ""
        self._total: int | None = None
        self._done = 0
        self._start = 0.0
        self._shown = ""
        self._due = False

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()

    def stage(self, name: str, total: int | None = None) -> None:
        """Say that one stage is over and another begins."""
        self._finish()
        self._name, self._total, self._done, self._start = name, total, 0, self._clock()
        self._shown, self._due = "", False
        self._write(f"{name}: begun")

    def advance(self, n: int = 1) -> None:
        """Say so when another quarter is done."""
        before, self._done = self._done, self._done + n
        if not self._total or self._done >= self._total:
            return
        if self._done * STEPS // self._total > before * STEPS // self._total:
            left = (self._clock() - self._start) * (self._total - self._done) / self._done
            self._write(f"{self._name}: {self._done} of {self._total}, about {left:.0f} s left")
            self._due = True

    def show(self, text: str) -> None:
        """Said where a quarter was just done, and when the stage ends."""
        self._shown = text
        if self._due:
            self._write(f"{self._name}: {text}")
            self._shown, self._due = "", False

    def note(self, text: str) -> None:
        """Say it."""
        self._write(text)

    def _finish(self) -> None:
        if self._name and self._shown:
            self._write(f"{self._name}: {self._shown}")
        if self._name:
            self._write(f"{self._name}: done in {self._clock() - self._start:.1f} s")
            self._name = ""
