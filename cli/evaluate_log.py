"""`copybandit evaluate --log`: what a log says of a policy, by the estimators of `copybandit ope`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from copybandit.cli.evaluate_told import Answer
from copybandit.evaluation.checkpoint_kind import Checkpoint
from copybandit.evaluation.ope_asked import asked_of
from copybandit.evaluation.ope_judge import judge_log
from copybandit.evaluation.ope_page import write_page
from copybandit.evaluation.ope_source import open_log
from copybandit.evaluation.ope_table import table_lines
from copybandit.evaluation.ope_target import target_of
from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from copybandit.evaluation.ope_verdict import Verdict
    from copybandit.evaluation.progress import Progress


def one_policy(checkpoints: tuple[Checkpoint, ...]) -> Path:
    """The policy whose value a log can tell.

    Raises:
        DataError: there are several, or writers, whose text no log has shown.
    """
    if len(checkpoints) != 1:
        raise DataError(f"--log values one policy, got {len(checkpoints)}; name one")
    [one] = checkpoints
    if one.policy is None or one.kind != "policy":
        raise DataError(
            f"--log values a policy that chooses what a log showed, got a {one.kind}, whose new text stands in no log; "
            "judge it in simulation, with --run or --config"
        )
    return one.policy


def verdict_of(log: Path, policy: Path, seed: int, display: Progress) -> Verdict:
    """The log's verdict, by every estimator.

    Raises:
        DataError: the log or the policy cannot be used, or they do not fit each other.
    """
    source = open_log(log, None, np.random.default_rng([seed, 2]))
    return judge_log(source, target_of(str(policy), source), asked_of(()), seed=seed, progress=display)


def log_answer(verdict: Verdict, folder: Path | None) -> Answer:
    """Its table; a page where a folder is named, in the place of an earlier one."""
    lines = list(table_lines(verdict))
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
        write_page(verdict, (), folder)
        lines.append(f"page: {folder / 'ope.html'}")
    return Answer(lines=tuple(lines), record=verdict, figures=verdict.figures())


def beside(seasons: Answer, logged: Answer) -> Answer:
    """Both as one."""
    return Answer(
        lines=(*seasons.lines, "", *logged.lines),
        record={"seasons": seasons.record, "log": logged.record},
        figures={**seasons.figures, **logged.figures},
        notes=seasons.notes,
    )
