"""Ctrl-C while a run is tuned: the first lets the update end, so that its state can be saved; the second does not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class Interrupted(KeyboardInterrupt):
    """A run was interrupted; its message says where its state is."""

    def __init__(self, update: int, state: Path | None) -> None:
        """Interrupted after `update` updates, of which `state` holds the newest that was saved."""
        kept = f"{state} goes on with resume=True" if state else "nothing was saved"
        super().__init__(f"interrupted after update {update}; {kept}")
        self.update, self.state = update, state


@dataclass(kw_only=True)
class Wish:
    """Whether somebody wants the run to end."""

    asked: bool = False


@contextmanager
def patient_interrupt() -> Iterator[Wish]:
    """Turn the first Ctrl-C of the block into a wish; the second raises KeyboardInterrupt.

    Outside the main thread, or where the program handles Ctrl-C in a way of its own, nothing is changed.
    """
    wish = Wish()

    def handle(_number: int, _frame: object) -> None:
        if wish.asked:
            raise KeyboardInterrupt
        wish.asked = True

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield wish
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
