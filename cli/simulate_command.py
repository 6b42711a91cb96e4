"""`copybandit simulate`: from options to a run folder with a policy's log."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.cli.run_command import Request, open_folder


def simulate(
    request: Request,
    policy: str | None,
    form: str,
    *,
    save_policy: Path | None = None,
    policy_from: Path | None = None,
) -> None:
    """Make or open the run folder, log the season, print where the log lies.

    Args:
        request: options shared with `copybandit run`.
        policy: who chooses; the config's own where None.
        form: of the log.
        save_policy: folder to keep the policy in after the season.
        policy_from: folder of a policy to go on with.

    Raises:
        SystemExit: bad input (2), an interrupt (130) or a full disk (1); a line on stderr says which.
    """
    with one_line("copybandit simulate"):
        from copybandit.evaluation.carried_policy import CarriedPolicy
        from copybandit.evaluation.simulate import check_choice
        from copybandit.evaluation.simulate import simulate as run

        check_choice(policy, form)
        carried = CarriedPolicy(start=policy_from, save=save_policy, now=datetime.now(UTC))
        carried.name(policy)
        path = request.path()
    with one_line(f"copybandit simulate --resume --out {shlex.quote(str(path))}"):
        folder = open_folder(request, path)
        with folder, progress(Console(stderr=True)) as display:
            log = run(folder, policy, form, display, carried)
        print(f"log: {log}")
        if save_policy:
            print(f"policy: {save_policy}")
