"""Options of `copybandit ope`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def ope(
    log: Annotated[
        Path,
        typer.Argument(
            help="Folder of simulate or run, log.parquet, Open Bandit campaign, .dsjson, or a table with --columns.",
            metavar="LOG",
        ),
    ],
    policy: Annotated[
        str | None,
        typer.Option(
            help="Whose value: a checkpoint, uniform or prior_greedy; none where the table has a target.",
            metavar="CHECKPOINT",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns of a csv or Parquet table: reward=clicked,propensity=p,target=q; also action, context=a+b, "
            "component, q, v. Without propensity it is estimated from action and context.",
            metavar="ROLE=COLUMN,...",
        ),
    ] = None,
    estimators: Annotated[
        str,
        typer.Option(
            help="Some of ips, snips, clipped, dm, dr, sndr, switch_dr, dr_os; all if not given.",
            metavar="NAME,...",
        ),
    ] = "",
    gate: Annotated[
        list[str] | None,
        typer.Option(
            help="A figure that must hold, such as 'dr.gain.ci_low>0'; exit with 1 if one does not. Can be repeated.",
            metavar="EXPRESSION",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to make for ope.json, ope.html and the pictures.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap and of what the policy draws.")] = 0,
) -> None:
    """Say what a policy would have earned, from the log of another: every estimator, its interval and its doubts."""
    from copybandit.cli.ope_command import Request, execute

    names = tuple(name.strip() for name in estimators.split(",") if name.strip())
    execute(
        Request(
            log=log, policy=policy, columns=columns, estimators=names,
            gates=tuple(gate or ()), json=json, out=out, seed=seed,
        )
    )  # fmt: skip
