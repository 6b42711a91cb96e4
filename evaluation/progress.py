"""How long work tells its reader where it stands; `copybandit.cli.progress` shows it on a terminal."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a pipeline may say while it works."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage, which ends the one before; ``total`` is in whatever unit `advance` counts."""

    def advance(self, n: int = 1) -> None:
        """Another ``n`` units of the current stage are done."""

    def show(self, text: str) -> None:
        """How the current stage stands now; the next such line takes its place."""

    def note(self, text: str) -> None:
        """One line worth reading later."""


class Silent:
    """Says nothing: for tests and for use as a library.

    >>> Silent().stage("fit", total=3)
    """

    def stage(self, name: str, total: int | None = None) -> None:
        """Say nothing."""

    def advance(self, n: int = 1) -> None:
        """Say nothing."""

    def show(self, text: str) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""
