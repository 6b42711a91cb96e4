"""Options of the commands about who writes: generate, pretrain, sft."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from copybandit.cli.given import given


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
            folder = old_folder(catalogue, given(context, beside=("catalogue", "resume")))
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


def pretrain(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; the name of what is made if not given.")
    ] = None,
    what: Annotated[str, typer.Option(help="tiny, the writer, or token-editor, which mends slips.")] = "tiny",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps; those of the shipped weights if not given.")
    ] = None,
    third_steps: Annotated[
        int | None,
        typer.Option(min=0, help="tiny: steps of the lesson in every kind of copy, English and Chinese."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of corpus and weights.")] = 0,
    ab_tests: Annotated[
        Path | None,
        typer.Option(help="token-editor: choose its thresholds on Upworthy headlines."),
    ] = None,
    drafts: Annotated[
        int,
        typer.Option(min=0, help="token-editor: learn from so many drafts of SmolLM2, too, where installed."),
    ] = 0,
    device: Annotated[str, typer.Option(help="tiny: where to train: cpu or cuda.")] = "cpu",
    workers: Annotated[
        int, typer.Option(min=0, help="tiny: processes that draw texts; any number draws the same.")
    ] = 0,
) -> None:
    """Train what ships with the package: the small writer, from nothing but the grammar of copy, or the token editor."""
    from copybandit.cli.writer_commands import pretrain_small

    pretrain_small(what, out, steps, third_steps, seed, ab_tests, drafts, device, workers)


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
            folder = old_folder(copy, given(context, beside=("copy", "resume")))
        else:
            asked = Asked(
                copy=copy, writer=writer, adapter=adapter, rank=rank, prefix_tokens=prefix_tokens, merge=merge,
                epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed,
            )  # fmt: skip
            folder = new_folder(asked, out)
    execute(folder)
