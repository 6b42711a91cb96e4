"""What goes wrong, in one line on stderr and an exit code: 2 for bad input, 130 for an interrupt."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import requires

BAD_INPUT = 2
INTERRUPTED = 130


@contextmanager
def one_line(how_to_go_on: str) -> Iterator[None]:
    """Turn bad input, a missing extra, a full disk and an interrupt into a line and an exit code.

    Args:
        how_to_go_on: the command that resumes after an interrupt.

    Raises:
        SystemExit: one of them happened. Anything else is a defect and keeps its traceback.
    """
    from copybandit.sim.types import DataError

    try:
        yield
    except DataError as error:
        _stop(f"error: {error}", BAD_INPUT)
    except ModuleNotFoundError as error:
        extra = _extra_of(error.name or "")
        if extra is None:
            raise
        _stop(f'error: {error.name} is not installed; run: pip install "copybandit[{extra}]"', BAD_INPUT)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _stop(
            f"error: {place}{error.strerror or error}; make room or give another place, then {how_to_go_on}",
            1,
        )
    except KeyboardInterrupt:
        _stop(f"interrupted; to go on: {how_to_go_on}", INTERRUPTED)


def _stop(line: str, code: int) -> None:
    print(" ".join(line.split()), file=sys.stderr)
    raise SystemExit(code) from None


def _extra_of(module: str) -> str | None:
    """The project's extra that brings a module, if one does."""
    package = module.partition(".")[0].lower()
    if package == "copybandit":
        return None
    for line in requires("copybandit") or ():
        found = re.match(r"([A-Za-z0-9._-]+).*extra == ['\"](\w+)['\"]", line)
        if found and found[1].lower().replace("-", "_") == package:
            return found[2]
    return None
