"""`copybandit evaluate` by what it was given: writers, policies and pairs, or two runs to tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from copybandit.cli.evaluate_told import (
    Answer,
    card_answer,
    comparison_answer,
    diff_answer,
    policy_answer,
    quick_answer,
)
from copybandit.evaluation.card_shop import STAGES, WITHOUT_WRITER, make_shop
from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from copybandit.cli.evaluate_command import Asked
    from copybandit.evaluation.checkpoint_kind import Checkpoint
    from copybandit.evaluation.progress import Progress


def check_options(asked: Asked) -> None:
    """Refuse options that contradict each other, whatever the checkpoints are.

    Raises:
        DataError: they do.
    """
    if asked.diff is not None:
        if asked.checkpoints or asked.run or asked.config or asked.card or asked.compare or asked.log:
            raise DataError(
                "--diff compares two run folders and needs nothing else; drop checkpoints, --run and the rest"
            )
        return
    if asked.card and asked.compare:
        raise DataError("--card judges one method and --compare ranks several, got both; drop one")
    if asked.strict and not asked.card:
        raise DataError("--strict and --out belong to the card; add --card, or drop them")


def writers(asked: Asked, display: Progress) -> Answer:
    """The lift of one method, its card, or the ranks of several.

    Raises:
        DataError: options that are for policies, or what measuring refuses.
    """
    if asked.learn or asked.seasons is not None or asked.impressions is not None:
        raise DataError("--learn, --seasons and --impressions are for policies, got writers; drop them")
    if asked.log is not None:
        raise DataError(
            "--log values policies that choose what a log showed, got writers, whose new text stands in no log; drop it"
        )
    if asked.compare:
        return _ranked_writers(asked, display)
    if asked.out is not None and not asked.card:
        raise DataError("--strict and --out belong to the card; add --card, or drop them")
    from copybandit.evaluation.card_make import make_card, quick
    from copybandit.evaluation.card_page import write_card
    from copybandit.evaluation.card_request import card_folder

    request = asked.card_request()
    folder = card_folder(request, asked.out) if asked.card else None
    _made(asked, display, STAGES)
    if folder is None:
        return quick_answer(quick(request, display))
    card = make_card(request, display)
    folder.mkdir(parents=True)
    write_card(card, folder)
    return card_answer(card, folder)


def _ranked_writers(asked: Asked, display: Progress) -> Answer:
    from copybandit.evaluation.compare_writers import compare_writers
    from copybandit.evaluation.comparison_page import write_comparison
    from copybandit.evaluation.policy_request import new_folder, writers_folder

    request = asked.card_request()
    folder = new_folder(asked.out) or writers_folder(request)
    _made(asked, display, STAGES)
    found = compare_writers(request, display)
    folder.mkdir(parents=True, exist_ok=True)
    write_comparison(found, folder)
    return comparison_answer(found, folder)


def policies(asked: Asked, checkpoints: tuple[Checkpoint, ...], display: Progress) -> Answer:
    """The seasons of one policy or pair, or the ranks of several.

    Raises:
        DataError: options that are for writers, several without --compare, or what measuring refuses.
    """
    if asked.card or asked.budget is not None or asked.products is not None:
        raise DataError("--card, --kl-budget and --products are for writers, got policies; drop them")
    if len(checkpoints) > 1 and not asked.compare:
        raise DataError(
            f"evaluate judges one policy at a time, got {len(checkpoints)}; add --compare to rank them"
        )
    if asked.part is not None and checkpoints[0].kind == "policy":
        raise DataError(
            "--part is for what writers write, got policies, whose shop shows its own copy; drop it"
        )
    from copybandit.evaluation.compare_policies import compare_policies
    from copybandit.evaluation.comparison_page import write_comparison
    from copybandit.evaluation.policy_card_make import make_policy_card
    from copybandit.evaluation.policy_page import write_policy_card
    from copybandit.evaluation.policy_request import new_folder

    request = asked.policy_request(checkpoints)
    folder = new_folder(asked.out) or request.folder(comparing=asked.compare)
    _made(asked, display, WITHOUT_WRITER)
    if asked.compare:
        ranks = compare_policies(request, display)
        folder.mkdir(parents=True, exist_ok=True)
        write_comparison(ranks, folder)
        return comparison_answer(ranks, folder)
    card = make_policy_card(request, display)
    folder.mkdir(parents=True, exist_ok=True)
    write_policy_card(card, folder)
    return policy_answer(card, folder)


def logged(asked: Asked, log: Path, checkpoints: tuple[Checkpoint, ...], display: Progress) -> Answer:
    """What a log says of one policy; its seasons too where a shop is named.

    Raises:
        DataError: see `copybandit.cli.evaluate_log`, and `policies`.
    """
    from copybandit.cli.evaluate_log import beside, log_answer, one_policy, verdict_of
    from copybandit.evaluation.policy_request import new_folder

    policy, folder = one_policy(checkpoints), new_folder(asked.out)
    if asked.run is None and asked.config is None:
        if asked.learn or asked.compare or asked.against is not None:
            raise DataError(
                "--learn, --compare and --against need a shop; add --run or --config, or drop them"
            )
        return log_answer(verdict_of(log, policy, asked.seed, display), folder)
    verdict = verdict_of(log, policy, asked.seed, display)
    folder = folder or asked.policy_request(checkpoints).folder(comparing=asked.compare)
    return beside(policies(asked, checkpoints, display), log_answer(verdict, folder / "log"))


def diff(asked: Asked, runs: tuple[Path, Path]) -> Answer:
    """What differs between two runs; a page where --out names a folder.

    Raises:
        DataError: a folder holds no finished run, or --out is there already.
    """
    from copybandit.evaluation.diff_page import write_diff
    from copybandit.evaluation.policy_request import new_folder
    from copybandit.evaluation.run_diff import diff_runs

    folder = new_folder(asked.out)
    found = diff_runs(*runs)
    if folder is not None:
        folder.mkdir(parents=True)
        write_diff(found, folder)
    return diff_answer(found, folder)


def _made(asked: Asked, display: Progress, stages: tuple[str, ...]) -> None:
    """The shop of a config is made where it is missing."""
    if asked.config is not None:
        make_shop(asked.config, display, stages)
