"""`copybandit simulate`: from options to a run folder with a policy's log."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.cli.run_command import Request, open_folder

if TYPE_CHECKING:
    from copybandit.evaluation.carried_policy import CarriedPolicy


def simulate(
    request: Request,
    policy: str | None,
    form: str,
    *,
    save_policy: Path | None = None,
    policy_from: Path | None = None,
) -> None:
    """Make or open the run folder, log the season, print where the log lies.

    ``request`` are the options shared with `copybandit run`, ``policy`` is who chooses (the config's own where None),
    ``form`` that of the log; ``save_policy`` is a folder to keep the policy in, ``policy_from`` one to go on with.

    Raises:
        SystemExit: bad input (2), an interrupt (130) or a full disk (1); a line on stderr says which.
    """
    with one_line("copybandit simulate"):
        from copybandit.evaluation.carried_policy import CarriedPolicy
        from copybandit.evaluation.simulate import check_choice

        check_choice(policy, form)
        carried = CarriedPolicy(start=policy_from, save=save_policy, now=datetime.now(UTC))
        carried.name(policy)
        path = request.path()
    with one_line(f"copybandit simulate --resume --out {shlex.quote(str(path))}"):
        _play(request, path, policy, form, carried)


def _play(request: Request, path: Path, policy: str | None, form: str, carried: CarriedPolicy) -> None:
    from copybandit.evaluation.simulate import simulate as run

    folder = open_folder(request, path)
    with folder, progress(Console(stderr=True)) as display:
        log = run(folder, policy, form, display, carried)
    print(f"log: {log}")
    if carried.save:
        print(f"policy: {carried.save}")
