"""The judge split is read once: a marker in the run folder says who read it; no writer may be judged on what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from copybandit.evaluation.card import Reading
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.shop_data import ShopData, load_shop
from copybandit.evaluation.storage import load_json, save_json
from copybandit.evaluation.tune_shop import shop_settings
from copybandit.sim.split import check_disjoint
from copybandit.sim.types import Bools, DataError

MARKER = "judge_readings.json"


def readings_of(folder: RunFolder[RunSettings]) -> tuple[Reading, ...]:
    """Readings of the judge split so far, the run's own first.

    Raises:
        DataError: the marker holds something else.
    """
    path = folder.path / MARKER
    own = [Reading(by="run", checkpoints=())] if folder.stage("judge") else []
    try:
        rows = msgspec.convert(load_json(path) if path.exists() else [], list[Reading])
    except msgspec.ValidationError as error:
        raise DataError(
            f"{path}: must list the readings of the judge split, and does not ({error}); put back what it held"
        ) from error
    return (*own, *rows)


def mark_reading(folder: RunFolder[RunSettings], checkpoints: Sequence[str]) -> tuple[Reading, ...]:
    """Note a reading before it begins, so that one that is broken off counts; returns all, this one last."""
    earlier = readings_of(folder)
    now = Reading(by="evaluate", checkpoints=tuple(checkpoints))
    save_json(folder.path / MARKER, [row for row in (*earlier, now) if row.by != "run"])
    return (*earlier, now)


def run_of(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in, as far as its place tells."""
    for folder in checkpoint.resolve().parents:
        if (folder / "config.yaml").is_file() and (folder / "stages").is_dir():
            return folder
    return None


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a checkpoint was tuned: name of the run folder, empty where nothing tells, and whether its shop was checked."""

    run: str
    checked: bool


def check_unseen(checkpoint: Path, folder: RunFolder[RunSettings], shop: ShopData, part: str) -> Origin:
    """Refuse a checkpoint that another run tuned or chose on products that are to be judged here.

    Raises:
        DataError: naming a product that both hold.
    """
    home = run_of(checkpoint)
    theirs = None if home is None else _shop_of(home)
    if home is None or theirs is None:
        return Origin(run=home.name if home else "", checked=False)
    found = Origin(run=home.name, checked=True)
    if theirs.catalogue.digest == shop.catalogue.digest:
        return found
    judged = getattr(shop.catalogue, part)
    used = theirs.catalogue.fit | theirs.catalogue.select
    try:
        check_disjoint(_names(theirs, used), _names(shop, judged), what="product")
    except DataError as error:
        raise DataError(
            f"{checkpoint}: was tuned in run {home.name} on products that are to be judged in {folder.path.name}: {error}"
        ) from None
    return found


def _shop_of(home: Path) -> ShopData | None:
    """The shop of a folder of `run` or `tune`; None where it holds none that can be read."""
    try:
        return load_shop(shop_settings(home), home / "stages" / "data")
    except DataError:
        return None


def _names(shop: ShopData, rows: Bools) -> list[str]:
    """What tells products of two shops apart: all that copy is written from."""
    kept = [shop.products[row] for row in np.flatnonzero(rows).tolist()]
    return [" / ".join((p.name, p.title, f"{p.price:.2f}", *p.facts)) for p in kept]
