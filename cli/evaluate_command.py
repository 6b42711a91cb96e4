"""`copybandit evaluate`: what saved writers are worth in the shop of a run, as one lift or as the whole card."""

from __future__ import annotations

import json as json_module
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress

if TYPE_CHECKING:
    from copybandit.evaluation.card import Card, Measure
    from copybandit.evaluation.card_request import CardRequest

GATE_FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of `copybandit evaluate` as they were given; None stands for not given."""

    checkpoints: tuple[Path, ...]
    run: Path | None
    config: str | None
    against: str
    part: str | None
    budget: float | None
    seed: int
    products: int | None
    card: bool
    strict: bool
    json: bool
    out: Path | None

    def request(self) -> CardRequest:
        """What they mean; the shop of a config need not be there yet.

        Raises:
            DataError: options that contradict each other, or are missing.
        """
        from copybandit.evaluation.card_request import CardRequest
        from copybandit.evaluation.card_shop import folder_of_config
        from copybandit.sim.types import DataError

        if (self.run is None) == (self.config is None):
            raise DataError(
                f"evaluate needs the shop of one run: pass --run or --config, got {'both' if self.run else 'neither'}"
            )
        if (self.strict or self.out is not None) and not self.card:
            raise DataError("--strict and --out belong to the card; add --card, or drop them")
        part = self.part or ("judge" if self.card else "select")
        return CardRequest(
            checkpoints=self.checkpoints,
            run=self.run if self.run is not None else folder_of_config(str(self.config)),
            against=self.against,
            part=part,  # type: ignore[arg-type]  # the record checks it
            budget=self.budget,
            seed=self.seed,
            products=self.products,
        )


def execute(asked: Asked) -> None:
    """Measure, write the card, tell its gates.

    Raises:
        SystemExit: bad input (2), an interrupt (130), a full disk or, with --strict, a gate that failed (1).
    """
    with one_line("copybandit evaluate with the same options"):
        from copybandit.evaluation.card_make import make_card, quick
        from copybandit.evaluation.card_page import write_card
        from copybandit.evaluation.card_request import card_folder
        from copybandit.evaluation.card_shop import make_shop

        request = asked.request()
        folder = card_folder(request, asked.out) if asked.card else None
        with progress(Console(stderr=True)) as display:
            if asked.config is not None:
                make_shop(asked.config, display)
            if folder is None:
                _tell_quick(quick(request, display), asked.json)
                return
            card = make_card(request, display)
        folder.mkdir(parents=True)
        write_card(card, folder)
    if asked.json:
        print((folder / "card.json").read_text("utf-8"), end="")
    else:
        _tell(card, folder)
    if asked.strict and card.failed:
        raise SystemExit(GATE_FAILED)


def _tell_quick(measure: Measure, as_json: bool) -> None:
    from copybandit.evaluation.storage import plain

    if as_json:
        print(json_module.dumps(plain(measure), ensure_ascii=False, indent=2, sort_keys=True))
        return
    for figure in measure.figures:
        if figure.unit == "lift" and figure.value is not None:
            interval = f" (95% interval {_percent(figure.ci_low)} to {_percent(figure.ci_high)})"
            print(f"{figure.name}: {_percent(figure.value)}{interval}")


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:+.1f}%"


def _tell(card: Card, folder: Path) -> None:
    words = {True: "passed", False: "FAILED", None: "not judged"}
    for measure in card.measures:
        print(f"{measure.number:>2} {measure.name:<24} {words[measure.passed]}")
        for gate in measure.gates:
            if gate.passed is False:
                print(f"     {gate.name}: {gate.value:.4g}, allowed {gate.allowed}")
            elif gate.passed is None:
                print(f"     {gate.name}: not judged, {gate.note}")
    if len(card.readings) > 1:
        print(f"note: the judge split has been read {len(card.readings)} times now", file=sys.stderr)
    if unknown := sum(not one.checked for one in card.checkpoints):
        print(f"note: nothing tells what {unknown} checkpoints were tuned on", file=sys.stderr)
    print(f"{len(card.failed)} gates failed, {len(card.open)} not judged")
    print(f"card: {folder / 'card.html'}")
