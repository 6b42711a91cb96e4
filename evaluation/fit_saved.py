"""What the stages of `copybandit fit` keep of each other's work: the files as read, and records of what was fitted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from copybandit.evaluation.fit_inputs import FitRequest, ShopLog
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.storage import load_json, load_table, save_json, save_table
from copybandit.sim.events import EventTable
from copybandit.sim.interest_judge import JudgedInterest
from copybandit.sim.panels import Panel
from copybandit.sim.store import load_record, record_classes, save_record
from copybandit.sim.types import DataError, Product
from copybandit.sim.upworthy import AbTests

Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Interest models, judged."""

    rows: tuple[JudgedInterest, ...]


def keep(path: Path, record: object) -> None:
    """Save a record of any of the fit's own classes as PATH.json and PATH.safetensors."""
    save_record(path, record, record_classes(type(record)))


def kept(path: Path, cls: type[Record]) -> Record:
    """Read what `keep` wrote.

    Raises:
        DataError: a file is missing or broken, or holds another kind of record.
    """
    return load_record(path, cls, record_classes(cls))


def found(folder: RunFolder[FitRequest], stage: str, cls: type[Record]) -> Record:
    """What a finished stage kept under its own name."""
    return kept(folder.output(stage) / stage, cls)


def asked(folder: RunFolder[FitRequest], stage: str, cls: type[Record]) -> Record | None:
    """The same of a stage that is done only where it was asked for."""
    return found(folder, stage, cls) if stage in folder.settings.stages() else None


def keep_inputs(
    stage: Path, shop: ShopLog, panels: tuple[tuple[str, Panel], ...], tests: AbTests | None
) -> None:
    """Save what was read, so that a resumed fit sees the same data whatever becomes of the files."""
    save_table(stage / "events.arrow", shop.events.to_arrow())
    rest = {
        "products": [asdict(product) for product in shop.products],
        "dropped": shop.dropped,
        "prices_real": shop.prices_real,
        "grocery": shop.grocery,
        "longest_gap": shop.longest_gap,
        "panels": [name for name, _ in panels],
        "tests": tests is not None,
    }
    save_json(stage / "shop.json", rest)
    for index, (_, panel) in enumerate(panels):
        keep(stage / f"panel-{index}", panel)
    if tests is not None:
        keep(stage / "tests", tests)


@dataclass(frozen=True, kw_only=True)
class _Rest:
    """What shop.json holds beside the products; see `ShopLog`."""

    products: tuple[Product, ...]
    dropped: tuple[tuple[str, int], ...]
    prices_real: bool
    grocery: bool
    longest_gap: int | None
    panels: tuple[str, ...]
    tests: bool


def kept_shop(stage: Path) -> ShopLog:
    """The log that `keep_inputs` saved."""
    rest = _rest(stage)
    return ShopLog(
        products=rest.products,
        events=EventTable.from_arrow(load_table(stage / "events.arrow")),
        dropped=rest.dropped,
        prices_real=rest.prices_real,
        grocery=rest.grocery,
        longest_gap=rest.longest_gap,
    )


def kept_panels(stage: Path) -> tuple[tuple[str, Panel], ...]:
    """The panels by name."""
    names = _rest(stage).panels
    return tuple((name, kept(stage / f"panel-{index}", Panel)) for index, name in enumerate(names))


def kept_tests(stage: Path) -> AbTests | None:
    """The A/B tests, where there were any."""
    return kept(stage / "tests", AbTests) if _rest(stage).tests else None


def _rest(stage: Path) -> _Rest:
    path = stage / "shop.json"
    try:
        return msgspec.convert(load_json(path), _Rest)
    except msgspec.ValidationError as error:
        raise DataError(f"{path}: must hold a log's products, got {error}; run the stage again") from error
