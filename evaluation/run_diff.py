"""What differs between two run folders: settings, versions, and the figures of their reports with intervals.

The difference of two figures has the interval of Zou & Donner (Statistics in Medicine 2008), made of both intervals as if
the runs were independent; runs of one seed share their shoppers, so there it is too wide rather than too short.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.load_settings import flatten
from copybandit.evaluation.policy_card import named
from copybandit.evaluation.run_folder import stored_settings
from copybandit.evaluation.storage import load_json
from copybandit.sim.types import DataError

SCHEMA = "copybandit-diff/1"
"""Version of the record; a field that changes its meaning gives it another number."""
ABSENT = "–"
REPORT = "report.json"
SKIPPED = ("timings_s", "memory_mb", "ledger", "sensitivity", "segments")
"""Parts of a report that are no results, or lists without names."""
ENDS = {
    "value": ("ci_low", "ci_high"),
    "difference": ("ci_low", "ci_high"),
    "lift": ("lift_low", "lift_high"),
}
"""Fields that hold the ends of a figure's interval, by the name of the figure."""
LABELS = ("estimator", "log", "policy", "name")
"""Fields that name the rows of a list."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A setting or version that differs, as text; ``–`` where there is none."""

    name: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True)
class FigureDiff:
    """A figure that differs; one side is None where that run does not have it.

    Attributes:
        name: its place in report.json, dotted.
        first, second: with intervals where the report has some, else nan ends.
        difference: second less first; None where one side is missing.
    """

    name: str
    first: Interval | None
    second: Interval | None
    difference: Interval | None


@dataclass(frozen=True, kw_only=True)
class RunDiff:
    """All of it.

    Attributes:
        first, second: folders.
        settings, versions: that differ.
        figures: that differ.
        same: number of figures that are equal to the last digit.
    """

    first: str
    second: str
    settings: tuple[Changed, ...]
    versions: tuple[Changed, ...]
    figures: tuple[FigureDiff, ...]
    same: int
    schema: str = SCHEMA


def diff_runs(first: Path, second: Path) -> RunDiff:
    """Compare two run folders of `copybandit run`.

    Raises:
        DataError: one holds no run, or no finished one.
    """
    settings = [flatten(_settings(path)) for path in (first, second)]
    versions = [load_json(path / "versions.json") for path in (first, second)]
    ours, theirs = (_figures(path) for path in (first, second))
    names = list(dict.fromkeys((*ours, *theirs)))
    rows = [_row(name, ours.get(name), theirs.get(name)) for name in names]
    different = tuple(row for row in rows if not _equal(row.first, row.second))
    return RunDiff(
        first=str(first),
        second=str(second),
        settings=_changed(*settings),
        versions=_changed(*versions),
        figures=different,
        same=len(rows) - len(different),
    )


def less(ours: Interval, theirs: Interval) -> Interval:
    """What ours is above theirs by Zou & Donner's rule; ends are nan where a side has none.

    >>> less(Interval(value=3, ci_low=2, ci_high=4), Interval(value=1, ci_low=1, ci_high=1))
    Interval(value=2, ci_low=1.0, ci_high=3.0)
    """
    value = ours.value - theirs.value
    down = math.hypot(ours.value - ours.ci_low, theirs.ci_high - theirs.value)
    up = math.hypot(ours.ci_high - ours.value, theirs.value - theirs.ci_low)
    return Interval(value=value, ci_low=value - down, ci_high=value + up)


def diff_figures(found: RunDiff) -> dict[str, float | None]:
    """Everything that a gate can name: ``generator.ppo_gold_lift.difference.ci_low``, or ``.first`` and ``.second``."""
    told: dict[str, float | None] = {
        "settings": len(found.settings),
        "figures": len(found.figures),
    }
    for row in found.figures:
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", row.name)
        for side in ("first", "second", "difference"):
            interval: Interval | None = getattr(row, side)
            if interval is not None:
                told |= named(f"{name}.{side}", interval)
    return told


def _settings(path: Path) -> object:
    if not (path / "config.yaml").is_file():
        raise DataError(
            f"--diff {path}: must be the folder of a run, and holds no config.yaml; correct the path"
        )
    return stored_settings(path)


def _figures(path: Path) -> dict[str, Interval]:
    if not (path / REPORT).is_file():
        raise DataError(
            f"--diff {path}: the run must be finished, and holds no {REPORT}; go on with copybandit run --resume {path}"
        )
    report = load_json(path / REPORT)
    if not isinstance(report, dict):
        raise DataError(f"{path / REPORT}: must be an object, got a {type(report).__name__}; make it again")
    return dict(_walk({key: value for key, value in report.items() if key not in SKIPPED}, ""))


def _walk(tree: Any, name: str) -> Iterator[tuple[str, Interval]]:
    """Every number by its dotted place; what has ``value`` and both ends is one figure, lists of numbers are none."""
    if isinstance(tree, bool) or tree is None:
        return
    if isinstance(tree, int | float):
        yield name, Interval(value=float(tree), ci_low=math.nan, ci_high=math.nan)
    elif isinstance(tree, Mapping):
        yield from _walk_fields(tree, name)
    elif isinstance(tree, list):
        for row in tree:
            label = (
                "-".join(str(row[key]) for key in LABELS if key in row) if isinstance(row, Mapping) else ""
            )
            if label:
                yield from _walk({k: v for k, v in row.items() if k not in LABELS}, f"{name}.{label}")


def _walk_fields(tree: Mapping[str, Any], name: str) -> Iterator[tuple[str, Interval]]:
    """The same of an object, whose numbers may have their interval's ends beside them."""
    bounded, ends = dict[str, Interval](), set[str]()
    for key, value in tree.items():
        low, high, used = _ends(tree, key)
        if isinstance(value, int | float) and low is not None and high is not None:
            bounded[key] = Interval(value=float(value), ci_low=float(low), ci_high=float(high))
            ends |= used
    for key, inner in tree.items():
        place = ".".join(part for part in (name, key if key != "value" else "") if part)
        if key in bounded:
            yield place, bounded[key]
        elif key not in ends:
            yield from _walk(inner, place)


def _ends(tree: Mapping[str, Any], key: str) -> tuple[Any, Any, set[str]]:
    """Ends of the interval of a field, and the names that they have: as a pair for NAME_ctr, as two fields for others."""
    if key.endswith("_ctr") and isinstance(pair := tree.get(name := f"{key.removesuffix('_ctr')}_ci"), list):
        return (*pair, {name}) if len(pair) == 2 else (None, None, set())
    fields = ENDS.get(key, ("", ""))
    return tree.get(fields[0]), tree.get(fields[1]), set(fields)


def _row(name: str, first: Interval | None, second: Interval | None) -> FigureDiff:
    gap = None if first is None or second is None else less(second, first)
    return FigureDiff(name=name, first=first, second=second, difference=gap)


def _equal(first: Interval | None, second: Interval | None) -> bool:
    """Whether both are there and the same, nan like nan."""
    return repr(first) == repr(second)


def _changed(first: Mapping[str, object], second: Mapping[str, object]) -> tuple[Changed, ...]:
    names = dict.fromkeys((*first, *second))
    pairs = ((name, first.get(name, ABSENT), second.get(name, ABSENT)) for name in names)
    return tuple(Changed(name=name, first=str(a), second=str(b)) for name, a, b in pairs if a != b)
