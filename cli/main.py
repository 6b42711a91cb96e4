"""The `copybandit` command. Thin: it reads options, and everything it does is a call into the other folders.

Heavy modules are imported inside the commands, so that `copybandit --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="copybandit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Entry point of the console script."""
    app()


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"copybandit {version('copybandit')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Write marketing copy, tune it on a simulated shop, choose it with a bandit, say what it is worth."""


@app.command()
def run(
    folder: Annotated[
        Path | None, typer.Argument(help="With --resume: the run folder to go on with.", show_default=False)
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="A shipped config (see `copybandit configs`) or a YAML file; quickstart if not given."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder to make; runs/CONFIG-SEED if not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    retail: Annotated[
        Path | None, typer.Option(help="Online Retail purchase log: csv, xlsx or parquet.")
    ] = None,
    ab_tests: Annotated[Path | None, typer.Option(help="Upworthy headline tests: csv or csv.gz.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last finished stage.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; may be repeated."),
    ] = None,
) -> None:
    """Close the loop once: data, fit, sft, tune, judge, bandit, ope, report."""
    from copybandit.cli.run_command import Request, execute

    execute(
        Request(
            config=config, out=out, folder=folder, seed=seed, retail=retail, ab_tests=ab_tests, resume=resume,
            sets=tuple(set_ or ()),
        )
    )  # fmt: skip


@app.command()
def configs() -> None:
    """List the shipped configs."""
    from copybandit.configs import shipped
    from copybandit.evaluation.load_settings import read_settings

    for name in shipped():
        typer.echo(f"{name:<16} {read_settings(name).description}")
