"""`copybandit ope`: a policy's value by a log, as a table, as JSON, as a page, and held against gates."""

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
    from copybandit.evaluation.ope_verdict import Verdict

GATE_FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `copybandit ope` as they were given; None stands for not given."""

    log: Path
    policy: str | None
    columns: str | None = None
    estimators: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    json: bool = False
    out: Path | None = None
    seed: int = 0


def execute(request: Request) -> None:
    """Estimate, print, write the page, hold the gates.

    Raises:
        SystemExit: bad input (2), an interrupt (130), a full disk or a gate that failed (1).
    """
    with one_line("copybandit ope with the same options"):
        from copybandit.evaluation.gate_expression import judge, parse_gate
        from copybandit.evaluation.ope_page import check_folder, kept, write_page

        gates = [parse_gate(text) for text in request.gates]
        if request.out is not None:
            check_folder(request.out)
        verdict = _verdict(request)
        judged = tuple(judge(gate, verdict.figures()) for gate in gates)
        if request.out is not None:
            write_page(verdict, judged, request.out)
        if request.json:
            print(json_module.dumps(kept(verdict, judged), ensure_ascii=False, indent=2, sort_keys=True))
        else:
            _tell(verdict)
            if request.out is not None:
                print(f"page: {request.out / 'ope.html'}")
    for one in judged:
        print(one, file=sys.stderr)
    if not all(one.passed for one in judged):
        raise SystemExit(GATE_FAILED)


def _verdict(request: Request) -> Verdict:
    import numpy as np

    from copybandit.evaluation.ope_asked import asked_of
    from copybandit.evaluation.ope_judge import judge_log
    from copybandit.evaluation.ope_source import open_log
    from copybandit.evaluation.ope_target import target_of

    asked = asked_of(request.estimators)
    source = open_log(request.log, request.columns, np.random.default_rng([request.seed, 2]))
    target = target_of(request.policy, source)
    with progress(Console(stderr=True)) as display:
        return judge_log(source, target, asked, seed=request.seed, progress=display)


def _tell(verdict: Verdict) -> None:
    from copybandit.evaluation.ope_table import table_lines

    for line in table_lines(verdict):
        print(line)
