"""`copybandit evaluate`: what saved writers and policies are worth, from options to an answer with its exit status."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress

if TYPE_CHECKING:
    from copybandit.cli.evaluate_told import Answer
    from copybandit.evaluation.card_request import CardRequest
    from copybandit.evaluation.checkpoint_kind import Checkpoint
    from copybandit.evaluation.policy_request import PolicyRequest
    from copybandit.evaluation.progress import Progress

GATE_FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of `copybandit evaluate` as they were given; None stands for not given."""

    checkpoints: tuple[Path | str, ...]
    run: Path | None
    config: str | None
    against: str | None
    part: str | None
    budget: float | None
    seed: int
    products: int | None
    card: bool
    strict: bool
    json: bool
    out: Path | None
    learn: bool = False
    seasons: int | None = None
    impressions: int | None = None
    compare: bool = False
    diff: tuple[Path, Path] | None = None
    gates: tuple[str, ...] = ()
    log: Path | None = None

    def folder_of_run(self) -> Path:
        """The run whose shop judges; that of a config need not be there yet.

        Raises:
            DataError: none is named, or two.
        """
        from copybandit.evaluation.card_shop import folder_of_config
        from copybandit.sim.types import DataError

        if (self.run is None) == (self.config is None):
            raise DataError(
                f"evaluate needs the shop of one run: pass --run or --config, got {'both' if self.run else 'neither'}"
            )
        return self.run if self.run is not None else folder_of_config(str(self.config))

    def card_request(self) -> CardRequest:
        """What they mean for writers."""
        from copybandit.evaluation.card_request import CardRequest

        part = self.part or ("judge" if self.card else "select")
        return CardRequest(
            checkpoints=tuple(Path(one) for one in self.checkpoints),
            run=self.folder_of_run(),
            against=self.against or "sft",
            part=part,  # type: ignore[arg-type]  # the record checks it
            budget=self.budget,
            seed=self.seed,
            products=self.products,
        )

    def policy_request(self, checkpoints: tuple[Checkpoint, ...]) -> PolicyRequest:
        """What they mean for policies and pairs."""
        from copybandit.evaluation.policy_request import PolicyRequest

        return PolicyRequest(
            checkpoints=checkpoints,
            run=self.folder_of_run(),
            against=self.against or "uniform",
            learn=self.learn,
            impressions=self.impressions,
            part=self.part or "select",  # type: ignore[arg-type]  # the record checks it
            seed=self.seed,
            **({} if self.seasons is None else {"seasons": self.seasons}),
        )


def execute(asked: Asked) -> None:
    """Measure, write the page, tell the figures and the gates.

    Raises:
        SystemExit: bad input (2), an interrupt (130), a full disk, or a gate that failed (1); gates of the card count
            with --strict.
    """
    with one_line("copybandit evaluate with the same options"):
        from copybandit.cli.evaluate_told import tell
        from copybandit.evaluation.gate_expression import judge, parse_gate

        gates = [parse_gate(text) for text in asked.gates]
        with progress(Console(stderr=True)) as display:
            answer = answer_of(asked, display)
        tell(answer, as_json=asked.json)
        judged = [judge(gate, answer.figures) for gate in gates]
        for one in judged:
            print(one, file=sys.stderr)
    if not all(one.passed for one in judged) or (asked.strict and answer.failed):
        raise SystemExit(GATE_FAILED)


def answer_of(asked: Asked, display: Progress) -> Answer:
    """What was asked for, measured and written.

    Raises:
        DataError: options that contradict each other or are missing, or whatever the measuring refuses.
    """
    from copybandit.cli import evaluate_kinds as kinds
    from copybandit.evaluation.checkpoint_kind import one_kind

    kinds.check_options(asked)
    if asked.diff is not None:
        return kinds.diff(asked, asked.diff)
    if asked.log is None or asked.run is not None:
        asked.folder_of_run()
    checkpoints = one_kind([str(one) for one in asked.checkpoints])
    if checkpoints[0].kind == "writer":
        return kinds.writers(asked, display)
    if asked.log is not None:
        return kinds.logged(asked, asked.log, checkpoints, display)
    return kinds.policies(asked, checkpoints, display)
