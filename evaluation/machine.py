"""What a run runs on: versions of the packages, and the most memory that was held."""

from __future__ import annotations

import platform
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path


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


def reset_peak() -> None:
    """Ask Linux to count the peak anew, so that one stage's peak is not laid at the next one's door."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
