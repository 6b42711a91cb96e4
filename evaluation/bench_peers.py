"""Other projects that a benchmark is compared with, each in a virtual environment of its own.

A peer is a folder ``peers/NAME`` beside the benchmarks: ``requirements.txt`` and ``no-deps.txt`` (packages whose own pins
no longer resolve) say what it needs, exactly; ``BENCH.py`` measures it. Environments lie in the user's cache, never in
the checkout. A runner answers each line on its standard input with a JSON object of rates on its standard output, so that
one process can be asked again and again, between measurements of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from copybandit.sim.types import DataError

LISTS = ("requirements.txt", "no-deps.txt")
_DONE, _FAILED = "installed", "failed"


def cache() -> Path:
    """Where the environments of peers lie: ``copybandit/peers`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "copybandit" / "peers"


def peers_of(benchmarks: Path, bench: str) -> list[Path]:
    """Folders of the peers that have a runner for a benchmark, by name."""
    return sorted(runner.parent for runner in (benchmarks / "peers").glob(f"*/{bench}.py"))


def environment_of(peer: Path) -> Path:
    """Folder of the peer's environment; other pins mean another folder."""
    content = b"".join((peer / name).read_bytes() for name in LISTS if (peer / name).exists())
    return cache() / f"{peer.name}-{hashlib.sha256(content).hexdigest()[:12]}"


def package_of(peer: Path) -> str:
    """The pin of the peer itself, such as ``recogym==0.1.3.0``: the last line of its last list."""
    lines = [(peer / name).read_text("utf-8").split() for name in LISTS if (peer / name).exists()]
    return lines[-1][-1]


def install(peer: Path, say: Callable[[str], None]) -> bool:
    """Make the peer's environment unless it is there.

    Args:
        peer: its folder.
        say: told what is going on, a line at a time.

    Returns:
        Whether the peer can be measured; where not, `why_not` says why.
    """
    target = environment_of(peer)
    if (target / _DONE).exists():
        say(f"{peer.name}: ready, {package_of(peer)}")
        return True
    say(f"{peer.name}: installing {package_of(peer)} into {target}")
    target.mkdir(parents=True, exist_ok=True)
    steps = [[sys.executable, "-m", "venv", "--clear", str(target)]]
    for name, options in zip(LISTS, ([], ["--no-deps"]), strict=True):
        if (peer / name).exists():
            pip = [str(python_of(target)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            steps.append([*pip, *options, "-r", str(peer / name)])
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = _last_line(done.stderr) or f"{step[2]} ended with {done.returncode}"
            (target / _FAILED).write_text(reason, "utf-8")
            say(f"{peer.name}: failed, {reason}")
            return False
    (target / _DONE).write_text(package_of(peer), "utf-8")
    (target / _FAILED).unlink(missing_ok=True)
    return True


def python_of(environment: Path) -> Path:
    """The interpreter of an environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def why_not(peer: Path, bench: str) -> str | None:
    """Why a peer cannot be measured, or None."""
    target = environment_of(peer)
    if (target / _DONE).exists():
        return None
    if (target / _FAILED).exists():
        return f"{package_of(peer)} cannot be installed: {(target / _FAILED).read_text('utf-8')}"
    return f"{package_of(peer)} is not installed; run: copybandit bench {bench} --json FILE --install-peers"


class Runner:
    """One peer's process, which waits to be asked.

    Args:
        peer: folder of a peer whose environment is there.
        bench: benchmark.
    """

    def __init__(self, peer: Path, bench: str) -> None:
        self.name, self.package = peer.name, package_of(peer)
        self._errors = TemporaryFile("w+")
        self._process = subprocess.Popen(
            [str(python_of(environment_of(peer))), "-W", "ignore", str(peer / f"{bench}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ask(self, question: str = "") -> dict[str, Any]:
        """Measure once: rates by name.

        Args:
            question: one line that its runner understands; most need none.

        Raises:
            DataError: the process ended, or answered something else.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(question + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            self._errors.seek(0)
            reason = _last_line(self._errors.read()) or "no answer"
            raise DataError(f"{self.name}: its runner must answer with JSON, got {reason}; mend it") from None
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._errors.close()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def measured(runners: list[Runner], turn: int, found: dict[str, list[dict[str, float]]]) -> dict[str, str]:
    """Ask every runner once; a turn of 0 warms up and is not kept.

    Args:
        runners: peers; one that fails is closed and taken out of the list.
        turn: number of the repeat.
        found: answers so far, by peer; the new ones are added.

    Returns:
        Why peers dropped out, by name.
    """
    failed = {}
    for runner in list(runners):
        try:
            answer = runner.ask()
        except DataError as error:
            failed[runner.name] = str(error)
            runners.remove(runner)
            runner.close()
            continue
        found.setdefault(runner.name, []).extend([answer] if turn else [])
    return failed
