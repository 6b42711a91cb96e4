"""Options of `copybandit evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    checkpoints: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of saved writers, adapters too: the tuning seeds of one method.",
            metavar="CHECKPOINT...",
        ),
    ],
    run: Annotated[
        Path | None, typer.Option("--run", help="Run folder whose shop judges them.", show_default=False)
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="Instead: a config; its shop is made in runs/NAME-SEED if it is not there."),
    ] = None,
    against: Annotated[
        str,
        typer.Option(help="Whom they are compared with: sft, the run's writer before tuning, or a folder."),
    ] = "sft",
    part: Annotated[
        str | None,
        typer.Option(help="Split that is read: judge or select; judge with --card, select without."),
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="All twelve measures with their gates.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a gate of the card fails.")
    ] = False,
    kl_budget: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Nats per text that tuning was allowed; the run's tune.kl_target if not given."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything drawn here.")] = 0,
    products: Annotated[
        int | None,
        typer.Option(min=1, help="Products that are read, at most; all of the split if not given."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to make for card.json and card.html; RUN/cards/... if not given."),
    ] = None,
) -> None:
    """Say what saved writers are worth: their lift in a shop, or the whole evaluation card."""
    from copybandit.cli.evaluate_command import Asked, execute

    execute(
        Asked(
            checkpoints=tuple(checkpoints), run=run, config=config, against=against, part=part, card=card,
            strict=strict, budget=kl_budget, seed=seed, products=products, json=json, out=out,
        )
    )  # fmt: skip
