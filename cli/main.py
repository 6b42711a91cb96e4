"""The `copybandit` command. Thin: it reads options, and everything it does is a call into the other folders.

Heavy modules are imported inside the commands, so that `copybandit --help` answers at once. The options of the long
commands stand in `shop_options` and `writer_options`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from copybandit.cli.evaluate_options import evaluate
from copybandit.cli.ope_options import ope
from copybandit.cli.shop_options import fit, run, simulate
from copybandit.cli.tune_options import tune
from copybandit.cli.writer_options import generate, pretrain, sft

app = typer.Typer(
    name="copybandit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Entry point of the console script.

    Torch's threads wait for each other in busy loops unless told otherwise, which makes a shared machine many times
    slower; without any loop a quiet machine is half as fast. OpenMP reads how long to loop when torch is first imported,
    so it is set before anything else.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
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


for command in (run, tune, simulate, generate, pretrain, sft):
    app.command()(command)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Benchmark; the list of them if not given.", show_default=False)
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="File to write.", show_default=False)] = None,
    install_peers: Annotated[
        bool, typer.Option("--install-peers", help="Make the virtual environments of its peers first.")
    ] = False,
) -> None:
    """Run a benchmark of a checkout; options it does not know itself go on to the benchmark."""
    from copybandit.cli.bench_command import bench as run_benchmark

    run_benchmark(name, json, install_peers, context.args)


app.command()(fit)
app.command()(evaluate)
app.command()(ope)


@app.command()
def configs() -> None:
    """List the shipped configs."""
    from copybandit.configs import shipped
    from copybandit.evaluation.load_settings import read_settings

    for name in shipped():
        typer.echo(f"{name:<16} {read_settings(name).description}")
