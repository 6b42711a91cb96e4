"""Options of `copybandit tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from copybandit.cli.given import given


def tune(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="With --resume: the run folder to go on with.", show_default=False)
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="A shipped config or a YAML file; quickstart if not given.")
    ] = None,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            help="ppo, grpo, dpo, best-of-n, gan or all; may be repeated; the config's own if not given."
        ),
    ] = None,
    writer: Annotated[
        str | None, typer.Option(help="Who is tuned, as it is: tiny, smollm2, hf:NAME or a checkpoint.")
    ] = None,
    shop: Annotated[
        Path | None,
        typer.Option(help="Run folder whose shop, fit and writer are used instead of made anew."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Seed of tuning; may be repeated. The shop's is --set seed=NUMBER."),
    ] = None,
    report_to: Annotated[
        str, typer.Option("--report-to", help="Where curves go: tensorboard, wandb or none.")
    ] = "tensorboard",
    judge: Annotated[
        bool, typer.Option("--judge", help="At the end read the judge split, in the gold world, once.")
    ] = False,
    from_feedback: Annotated[
        list[Path] | None,
        typer.Option(
            "--from-feedback",
            help="Log with propensities that the fitted world learns from first; may be repeated.",
        ),
    ] = None,
    retail: Annotated[
        Path | None, typer.Option(help="Online Retail purchase log: csv, xlsx or parquet.")
    ] = None,
    ab_tests: Annotated[Path | None, typer.Option(help="Upworthy headline tests: csv or csv.gz.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder to make; runs/tune-CONFIG-SEED if not given.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where it was interrupted, with the run folder alone.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; may be repeated."),
    ] = None,
) -> None:
    """Tune a writer on a shop, one way or several on the same budget, and compare them."""
    from copybandit.cli.errors import one_line
    from copybandit.cli.tune_command import Asked, execute, new_folder, old_folder

    with one_line("copybandit tune"):
        if resume:
            opened = old_folder(folder, given(context, beside=("folder", "resume")))
        else:
            asked = Asked(
                folder=folder, config=config, algorithms=tuple(algorithm or ()), writer=writer, shop=shop,
                seeds=tuple(seed or ()), report_to=report_to, judge=judge,
                feedback=tuple(from_feedback or ()), retail=retail, ab_tests=ab_tests,
                sets=tuple(set_ or ()),
            )  # fmt: skip
            opened = new_folder(asked, out)
    execute(opened)
