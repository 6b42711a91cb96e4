"""Chunks of a log in VW's dsjson: one decision a line, with its cost, the order of its actions and their probabilities.

    {"_label_cost": -1, "_label_probability": 0.8, "_label_Action": 2, "a": [2, 1], "p": [0.8, 0.2], "c": {...}}

``a`` are actions from 1, ``p`` their probabilities, the first the one that was shown; the reward is the cost with its sign
turned. Lines without a label (events that came alone) and decisions that were not activated (``_skipLearn``) are left out.
The context ``c`` is VW's own and not read, so only policies that need no features can be asked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from copybandit.evaluation.ope_chunk import Chunk, LeftOut, Source, check_drawn, plain_requests
from copybandit.sim.types import DataError, Floats

CHUNK = 16_384
"""Lines that are held at a time."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One decision: reward, propensity, actions from 0 and their probabilities, the shown one first; share kept of such."""

    reward: float
    actions: tuple[int, ...]
    probs: tuple[float, ...]
    kept: float


def dsjson_source(path: Path) -> Source:
    """The log of a file; it is read once to count lines and actions.

    Raises:
        DataError: there is no such file or no decision in it, or a line cannot be used.
    """
    rows = actions = 0
    kept: set[float] = set()
    for number, text in _lines(path):
        rows += 1
        line = parse_line(text, f"{path}:{number}")
        if isinstance(line, Line):
            actions = max(actions, *(a + 1 for a in line.actions))
            kept.add(line.kept)
    if not kept:
        raise DataError(
            f"{path}: must hold a decision with _label_cost, got none in {rows} lines; give a dsjson log"
        )
    if len(kept) > 1:
        raise DataError(
            f"{path}: pdrop must be the same everywhere, got {sorted(1 - k for k in kept)[:4]}; some decisions were dropped "
            "more often than others, split the log"
        )
    return Source(
        path=path,
        kind="VW dsjson",
        chunks=lambda: _chunks(path, actions),
        rows=rows,
        n_actions=actions,
        notes=("features are VW's own and not read: only policies that need none can be asked about it",),
    )


def parse_line(text: bytes, where: str) -> Line | str:
    """A decision, or why the line is none.

    Raises:
        DataError: it is no JSON, or a decision that cannot be used.
    """
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise DataError(
            f"{where}: must be one JSON object a line, got {error}; export the log again"
        ) from None
    if isinstance(found, dict) and "_outcomes" in found:
        raise DataError(
            f"{where}: must choose one action a line, got slots (_outcomes); ccb and slates are not read"
        )
    if not isinstance(found, dict) or "_label_cost" not in found:
        return "without a decision"
    if found.get("_skipLearn") is True:
        return "not activated"
    try:
        return _line(found)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{where}: needs _label_cost, _label_probability, _label_Action, a and p that fit together, got "
            f"{type(error).__name__} {error}; correct or drop the line"
        ) from None


def _line(found: dict[str, Any]) -> Line:
    if not (isinstance(found["a"], list) and isinstance(found["p"], list)):
        raise TypeError("a and p that are no lists")
    actions, probs = tuple(int(a) for a in found["a"]), tuple(float(p) for p in found["p"])
    cost, kept = float(found["_label_cost"]), 1 - float(found.get("pdrop", 0.0))
    if len(actions) != len(probs) or not actions or len(set(actions)) != len(actions) or min(actions) < 1:
        raise ValueError(f"a {list(actions)[:8]} and p {list(probs)[:8]}")
    if actions[0] != int(found["_label_Action"]) or probs[0] != float(found["_label_probability"]):
        raise ValueError(
            f"label {found['_label_Action']} at {found['_label_probability']}, first of a and p another"
        )
    if not (math.isfinite(cost) and 0 < probs[0] <= 1 and min(probs) >= 0 and 0 < kept <= 1):
        raise ValueError(f"cost {cost}, probability {probs[0]}, pdrop {1 - kept}")
    return Line(reward=-cost, actions=tuple(a - 1 for a in actions), probs=probs, kept=kept)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    yield number, text
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None


def _chunks(path: Path, m: int) -> Iterator[Chunk]:
    lines: list[Line] = []
    others: Counter[str] = Counter()
    read = start = 0
    for number, text in _lines(path):
        found = parse_line(text, f"{path}:{number}")
        read += 1
        if isinstance(found, Line):
            lines.append(found)
        else:
            others[found] += 1
        if read == CHUNK:
            yield _chunk(lines, others, m, start, read, path)
            start, read, lines, others = start + len(lines), 0, [], Counter()
    if read:
        yield _chunk(lines, others, m, start, read, path)


def _chunk(lines: list[Line], others: Counter[str], m: int, start: int, read: int, path: Path) -> Chunk:
    n, k = len(lines), max((len(line.actions) for line in lines), default=1)
    candidates = np.full((n, k), -1)
    probs: Floats = np.zeros((n, k))
    for row, line in enumerate(lines):
        candidates[row, : len(line.actions)] = line.actions
        probs[row, : len(line.probs)] = line.probs
    chunk = Chunk(
        reward=np.array([line.reward for line in lines]),
        propensity=np.array([line.probs[0] for line in lines]),
        component=np.arange(start, start + n),
        requests=plain_requests(candidates, m),
        column=np.zeros(n, dtype=np.int64),
        action_probs=probs,
        scale=np.ones(n),
        left_out=tuple(LeftOut(why=why, rows=rows) for why, rows in sorted(others.items())),
        read=read,
    )
    check_drawn(chunk, f"{path}: decisions from {start}")
    return chunk
