"""Processes that are measured by turns: each waits to be asked, does one piece of its work, and says how long it took."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence


class Asked:
    """A Python process that answers each line of its input with a JSON object of numbers."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        """Start it; `name` is what it is called where it fails."""
        self.name, self._said = name, tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True,
        )  # fmt: skip

    def turn(self) -> dict[str, float] | None:
        """Let it do one piece; None where it ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write("\n")
            stdin.flush()
            found: dict[str, float] = json.loads(stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            return None
        return found

    def close(self) -> str:
        """End it; its exit status and the last line it had to say."""
        status = self._process.poll()
        self._process.terminate()
        self._process.communicate()
        with self._said:
            self._said.seek(0)
            last = (self._said.read().strip().splitlines() or [""])[-1][:300]
        return last if status is None else f"ended with {status}, {last}"


def turns(
    sides: Sequence[Asked], most: int, seconds: float
) -> tuple[list[list[dict[str, float]]], list[str]]:
    """Ask sides by turns, once to warm up and then `most` times, at least once and until `seconds` are over.

    Returns:
        What each side said, and why sides dropped out.
    """
    found: list[list[dict[str, float]]] = [[] for _ in sides]
    live, lost, end = dict(enumerate(sides)), list[str](), time.perf_counter() + seconds
    for turn in range(most + 1):
        for place, side in list(live.items()):
            answer = side.turn()
            print(f"turn {turn}, {side.name}: {answer}", file=sys.stderr, flush=True)
            if answer is None:
                lost.append(f"{side.name}: {live.pop(place).close()}")
                continue
            found[place].extend([answer] if turn else [])
        if turn and time.perf_counter() > end:
            break
    for side in live.values():
        side.close()
    return found, lost
