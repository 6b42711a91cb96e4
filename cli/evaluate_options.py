"""Options of `copybandit evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders of saved writers, adapters too (tuning seeds of one method), or policies; WRITER+POLICY for both.",
            metavar="CHECKPOINT...",
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Run folder whose shop judges them.", show_default=False)
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="Instead: a config; its shop is made in runs/NAME-SEED if it is not there."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Whom they are compared with. Writers: sft, the run's writer before tuning (default), or a folder. "
            "Policies: uniform (default), prior_greedy or a checkpoint."
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(help="Split that is read: judge or select; judge with --card, select without."),
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Writers: all twelve measures with their gates.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a gate of the card fails.")
    ] = False,
    kl_budget: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Nats per text that tuning was allowed; the run's tune.kl_target if not given."
        ),
    ] = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Policies: let them learn in the seasons; frozen if not given.")
    ] = False,
    seasons: Annotated[
        int | None, typer.Option(min=1, help="Policies: seasons that are played; 5 if not given.")
    ] = None,
    impressions: Annotated[
        int | None, typer.Option(min=1, help="Policies: of each season; the run's own number if not given.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Rank several checkpoints, with simultaneous intervals.")
    ] = False,
    diff: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--diff",
            metavar="RUN RUN",
            help="Instead: what differs between two run folders.",
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            help="Policies: value one by a log too, or by it alone without a shop; see `copybandit ope`.",
            show_default=False,
        ),
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            "--gate",
            metavar="EXPR",
            help="Exit with 1 unless it holds, e.g. 'ctr_lift.ci_low>0'; may be repeated.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything drawn here.")] = 0,
    products: Annotated[
        int | None,
        typer.Option(min=1, help="Writers: products that are read, at most; all of the split if not given."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to make for JSON, page and pictures; RUN/cards/... or RUN/evaluations/... if not given."
        ),
    ] = None,
) -> None:
    """Say what saved writers and policies are worth: a lift in a shop, the whole card, ranks; or how two runs differ."""
    from copybandit.cli.evaluate_command import Asked, execute

    execute(
        Asked(
            checkpoints=tuple(checkpoints or ()), run=run, config=config, against=against, part=part, card=card,
            strict=strict, budget=kl_budget, seed=seed, products=products, json=json, out=out, learn=learn, seasons=seasons,
            impressions=impressions, compare=compare, diff=diff, log=log, gates=tuple(gate or ()),
        )
    )  # fmt: skip
