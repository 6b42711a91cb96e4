"""The `copybandit` command. Thin: it reads options, and everything it does is a call into the other folders.

Heavy modules are imported inside the commands, so that `copybandit --help` answers at once.
"""

from __future__ import annotations

import os
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
def simulate(
    out: Annotated[Path, typer.Option(help="Run folder to make, or with --resume to go on with.")],
    config: Annotated[
        str | None, typer.Option(help="A shipped config or a YAML file; quickstart if not given.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help="uniform, explore_then_commit, thompson or linucb; the config's own if not given."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="parquet or open-bandit.")] = "parquet",
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Use the stages that are done in the folder.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; may be repeated."),
    ] = None,
) -> None:
    """Log a policy's season in the shop of a config, with exact propensities and the true expected clicks."""
    from copybandit.cli.run_command import Request
    from copybandit.cli.simulate_command import simulate as run_simulation

    request = Request(config=config, out=out, seed=seed, resume=resume, sets=tuple(set_ or ()))
    run_simulation(request, policy, form)


@app.command()
def generate(
    context: typer.Context,
    catalogue: Annotated[
        Path,
        typer.Argument(
            help="Products: csv, jsonl or parquet with product_id, name, title, category, price and, where there are any, "
            "brand, facts, question, rating, notes, verified. With --resume also: the run folder."
        ),
    ],
    segments: Annotated[
        Path | None, typer.Option(help="Segments: segment_id, interests (parted by semicolons), size.")
    ] = None,
    interests: Annotated[
        str, typer.Option(help="Words that the readers care for, comma-separated, instead of --segments.")
    ] = "",
    writer: Annotated[
        str, typer.Option("--writer", "--model", help="template, tiny, smollm2, hf:NAME or a folder.")
    ] = "tiny",
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            help="headline, subject, description, reason, tags, answer or review; may be repeated; headline if not given.",
        ),
    ] = None,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    voice: Annotated[
        str, typer.Option(help="plain, warm, playful, expert or luxury; any if not given.")
    ] = "",
    placement: Annotated[str, typer.Option(help="Where the copy will stand, for its length.")] = "",
    question: Annotated[
        str, typer.Option(help="What to answer where a product has no question of its own.")
    ] = "",
    n: Annotated[int, typer.Option(min=1, help="Candidates per product, segment and type.")] = 4,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 always takes the likeliest word of a model.")
    ] = 1.0,
    token_edits: Annotated[
        bool,
        typer.Option("--token-edits", help="Also mend slips of English copy with the trained token editor."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    out: Annotated[
        str | None,
        typer.Option(
            help="Run folder to make; - for standard output with all columns; four columns there if not given."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or parquet.")] = "csv",
    bf16: Annotated[
        bool,
        typer.Option(
            "--bf16", help="Round a model's products where the processor multiplies bfloat16: faster."
        ),
    ] = False,
    editor: Annotated[
        Path | None,
        typer.Option(help="YAML of the editor's steps and rules, as in the section editor of a config."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on: with the run folder alone, or with the same command again."),
    ] = False,
) -> None:
    """Write copy for products; everything that is refused is listed with its reason."""
    from copybandit.cli.errors import one_line
    from copybandit.cli.generate_command import old_folder, request_of, to_folder, to_stdout
    from copybandit.evaluation.run_folder import RunFolder

    with one_line("copybandit generate"):
        if resume and out is None:
            folder = old_folder(catalogue, _given(context, beside=("catalogue", "resume")))
        else:
            request = request_of(
                catalogue=catalogue, segments=segments, interests=interests, writer=writer,
                content_types=type_ or ["headline"], language=language, voice=voice, placement=placement,
                question=question, n=n, temperature=temperature, seed=seed, form=form, bf16=bf16,
                editor=editor, token_edits=token_edits,
            )  # fmt: skip
            if out is None or out == "-":
                to_stdout(request, whole=out == "-")
                return
            folder = RunFolder.resume(Path(out), request) if resume else RunFolder.create(Path(out), request)
    to_folder(folder)


@app.command()
def pretrain(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; the name of what is made if not given.")
    ] = None,
    what: Annotated[str, typer.Option(help="tiny, the writer, or token-editor, which mends slips.")] = "tiny",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps; those of the shipped weights if not given.")
    ] = None,
    third_steps: Annotated[
        int,
        typer.Option(min=0, help="tiny: steps of a lesson in every kind of copy, English and Chinese."),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of corpus and weights.")] = 0,
    ab_tests: Annotated[
        Path | None,
        typer.Option(help="token-editor: choose its thresholds on Upworthy headlines."),
    ] = None,
    drafts: Annotated[
        int,
        typer.Option(min=0, help="token-editor: learn from so many drafts of SmolLM2, too, where installed."),
    ] = 0,
) -> None:
    """Train what ships with the package: the small writer, from nothing but the grammar of copy, or the token editor."""
    from copybandit.cli.writer_commands import pretrain_small

    pretrain_small(what, out, steps, third_steps, seed, ab_tests, drafts)


@app.command()
def sft(
    context: typer.Context,
    copy: Annotated[
        Path,
        typer.Argument(
            help="Table of name, price, text and what was asked for (see the README). With --resume: the run folder."
        ),
    ],
    writer: Annotated[str, typer.Option(help="Who learns: tiny, smollm2, hf:NAME or a folder.")] = "tiny",
    adapter: Annotated[
        str, typer.Option(help="What is trained: none (all weights), lora, adalora or prefix.")
    ] = "none",
    rank: Annotated[int, typer.Option(help="Rank of lora; of adalora on average at the end.")] = 8,
    prefix_tokens: Annotated[
        int, typer.Option(help="Pairs of keys and values in each layer of a prefix.")
    ] = 16,
    merge: Annotated[
        bool, typer.Option("--merge", help="Also fold the adapter into the weights, as stages/sft/merged.")
    ] = False,
    epochs: Annotated[int, typer.Option(help="Passes over the table.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Texts per optimizer step.")] = 32,
    learning_rate: Annotated[
        float | None, typer.Option(help="2e-4 for all weights, 2e-3 for an adapter if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Run folder to make; runs/sft-TABLE-SEED if not given.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on: training that was interrupted begins again.")
    ] = False,
) -> None:
    """Fine-tune a writer on your own copy: all its weights, or an adapter beside them."""
    from copybandit.cli.errors import one_line
    from copybandit.cli.sft_command import Asked, execute, new_folder, old_folder

    with one_line("copybandit sft"):
        if resume:
            folder = old_folder(copy, _given(context, beside=("copy", "resume")))
        else:
            asked = Asked(
                copy=copy, writer=writer, adapter=adapter, rank=rank, prefix_tokens=prefix_tokens, merge=merge,
                epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed,
            )  # fmt: skip
            folder = new_folder(asked, out)
    execute(folder)


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


@app.command()
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
            folder = old_folder(Path(log), _given(context, beside=("log", "resume")))
        else:
            request = FitRequest(
                log=log, format=format_of(format_, log), products=products, panels=tuple(panel or ()),
                ab_tests=ab_tests, encoder=encoder, length=length, attack=attack, grocery=grocery, sequence=sequence,
                seed=seed,
            )  # fmt: skip
            folder = new_folder(request, out)
    execute(folder)


def _given(context: typer.Context, *, beside: tuple[str, ...]) -> list[str]:
    """Options that stand on the command line, other than those named."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name is not None
        and parameter.name not in beside
        and (source := context.get_parameter_source(parameter.name)) is not None
        and source.name == "COMMANDLINE"
    ]


@app.command()
def configs() -> None:
    """List the shipped configs."""
    from copybandit.configs import shipped
    from copybandit.evaluation.load_settings import read_settings

    for name in shipped():
        typer.echo(f"{name:<16} {read_settings(name).description}")
