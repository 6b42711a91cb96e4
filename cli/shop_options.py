"""Options of the commands about the shop: run, simulate, fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from copybandit.cli.given import given

Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; may be repeated."),
]


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
    seed: Seed = None,
    retail: Annotated[
        Path | None, typer.Option(help="Online Retail purchase log: csv, xlsx or parquet.")
    ] = None,
    ab_tests: Annotated[Path | None, typer.Option(help="Upworthy headline tests: csv or csv.gz.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last finished stage.")] = False,
    set_: Sets = None,
) -> None:
    """Close the loop once: data, fit, sft, tune, judge, bandit, ope, report."""
    from copybandit.cli.run_command import Request, execute

    execute(
        Request(
            config=config, out=out, folder=folder, seed=seed, retail=retail, ab_tests=ab_tests, resume=resume,
            sets=tuple(set_ or ()),
        )
    )  # fmt: skip


def simulate(
    out: Annotated[Path, typer.Option(help="Run folder to make, or with --resume to go on with.")],
    config: Annotated[
        str | None, typer.Option(help="A shipped config or a YAML file; quickstart if not given.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="A policy, as in `bandit.policy`: linucb, lints, ...; the config's own if not given."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="parquet or open-bandit.")] = "parquet",
    save_policy: Annotated[
        Path | None, typer.Option(help="Folder to keep the policy in after the season.", show_default=False)
    ] = None,
    policy_from: Annotated[
        Path | None, typer.Option(help="Folder of a kept policy to go on with.", show_default=False)
    ] = None,
    seed: Seed = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Use the stages that are done in the folder.")
    ] = False,
    set_: Sets = None,
) -> None:
    """Log a policy's season in the shop of a config, with exact propensities and the true expected clicks."""
    from copybandit.cli.run_command import Request
    from copybandit.cli.simulate_command import simulate as run_simulation

    request = Request(config=config, out=out, seed=seed, resume=resume, sets=tuple(set_ or ()))
    run_simulation(request, policy, form, save_policy=save_policy, policy_from=policy_from)


def fit(
    context: typer.Context,
    log: Annotated[
        str,
        typer.Argument(
            help="The log: a file, or ta-feng or instacart where installed. With --resume: the run folder."
        ),
    ],
    format_: Annotated[
        str, typer.Option("--format", help="How it is written: events, retail, ta-feng or instacart.")
    ] = "events",
    products: Annotated[Path | None, typer.Option(help="Catalogue of a log of events.")] = None,
    panel: Annotated[
        list[str] | None,
        typer.Option(help="Scanner panel, a file or Catsup, Cracker or Yogurt; may be repeated."),
    ] = None,
    ab_tests: Annotated[Path | None, typer.Option(help="Upworthy headline tests: csv or csv.gz.")] = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="Reads --ab-tests: auto (MiniLM where installed), none, minilm or a model's folder."
        ),
    ] = "auto",
    length: Annotated[
        bool, typer.Option("--length/--no-length", help="Let the length of a text move its clicks.")
    ] = True,
    attack: Annotated[
        bool, typer.Option("--attack", help="Try to fool the wording model of --ab-tests.")
    ] = False,
    grocery: Annotated[
        bool, typer.Option("--grocery", help="Hold the log to the elasticity of groceries.")
    ] = False,
    sequence: Annotated[bool, typer.Option(help="Train the sequence model too.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Run folder to make; runs/fit-LOG-SEED if not given.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last finished stage.")] = False,
) -> None:
    """Fit a shop to your own files and say how far to believe it."""
    from copybandit.cli.errors import one_line
    from copybandit.cli.fit_command import execute, format_of, new_folder, old_folder
    from copybandit.evaluation.fit_inputs import FitRequest

    with one_line("copybandit fit"):
        if resume:
            folder = old_folder(Path(log), given(context, beside=("log", "resume")))
        else:
            request = FitRequest(
                log=log, format=format_of(format_, log), products=products, panels=tuple(panel or ()),
                ab_tests=ab_tests, encoder=encoder, length=length, attack=attack, grocery=grocery, sequence=sequence,
                seed=seed,
            )  # fmt: skip
            folder = new_folder(request, out)
    execute(folder)
