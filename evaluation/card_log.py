"""What the records of tuning beside a checkpoint say of how it came about: ratios, reward calls, the size of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.evaluation.select_step import CELLS, SelectRow, best_step
from copybandit.evaluation.storage import load_json
from copybandit.sim.types import Floats

LAST = 4
"""The last updates are this part of those that led to the chosen step: a quarter."""


@dataclass(frozen=True, kw_only=True)
class SeedLog:
    """Of one tuning seed.

    Attributes:
        ratios: mean probability ratio of the last updates before the chosen step; empty for a tuner that has none.
        calls: texts that the fitted reward was asked about, by all restarts and by the choice of the step.
        batch: texts of one update.
    """

    ratios: Floats
    calls: int
    batch: int


def read_logs(checkpoints: Sequence[Path], select_cells: int) -> tuple[SeedLog, ...]:
    """Logs of all checkpoints; none at all where one of them lies beside none.

    Args:
        checkpoints: folders `seed-SEED/writer` of tuning.
        select_cells: cells of the split that chose the step.
    """
    found = [_records(path) for path in checkpoints]
    asked = min(CELLS, select_cells)
    return tuple(_log(records, asked) for records in found) if all(found) else ()


def _records(checkpoint: Path) -> list[Any]:
    """Record of each restart; see `copybandit.evaluation.stage_tune`."""
    return [load_json(path) for path in sorted(checkpoint.resolve().parent.glob("run-*.json"))]


def _log(records: Sequence[Any], asked: int) -> SeedLog:
    steps = [SelectRow.read(row) for record in records for row in record["select"]]
    best = best_step(steps)
    updates = [row for record in records for row in record["updates"]]
    way = [
        row["ratio"]
        for row in updates
        if "ratio" in row and row["restart"] == best.restart and row["update"] <= best.update
    ]
    return SeedLog(
        ratios=np.array(way[-max(1, len(way) // LAST) :], np.float64),
        calls=sum(record["calls"] for record in records) + asked * (1 + len(steps)),
        batch=updates[0]["episodes"],
    )
