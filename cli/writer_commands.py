"""`copybandit pretrain`: make what ships with the package, the small writer and the token editor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.sim.types import DataError

WHAT = ("tiny", "token-editor")
DEVICES = ("cpu", "cuda")


def pretrain_small(
    what: str,
    out: Path | None,
    steps: int | None,
    third_steps: int | None,
    seed: int,
    ab_tests: Path | None,
    drafts: int,
    device: str,
    workers: int,
) -> None:
    """Train one of `WHAT`; the shipped files: default options, the token editor's with --ab-tests and --drafts 4000."""
    with one_line("copybandit pretrain"):
        if what not in WHAT:
            raise DataError(f"--what must be one of {', '.join(WHAT)}, got {what!r}; choose one of them")
        folder = out or Path(what)
        if what == "tiny":
            _tiny(folder, steps, third_steps, seed, device, workers)
        else:
            _token_editor(folder, steps, seed, ab_tests, drafts)
    print(f"{what}: {folder}")


def _tiny(
    out: Path, steps: int | None, third_steps: int | None, seed: int, device: str, workers: int
) -> None:
    import torch

    from copybandit.agents.pretrain import PretrainSettings, pretrain

    if device not in DEVICES or (device == "cuda" and not torch.cuda.is_available()):
        raise DataError(
            f"--device must be cpu, or cuda where torch finds a GPU, got {device!r}; give --device cpu"
        )
    with progress(Console(stderr=True)) as display:
        settings = PretrainSettings(seed=seed)
        third = settings.third_steps if third_steps is None else third_steps
        settings = replace(settings, steps=steps or settings.steps, third_steps=third)
        display.stage("pretrain", total=settings.steps + settings.second_steps + third)
        pretrain(settings, out, lambda step, loss: display.advance(1), device, workers)


def _token_editor(out: Path, steps: int | None, seed: int, ab_tests: Path | None, drafts: int) -> None:
    from copybandit.agents.token_editor import TokenEditorSettings, pretrain
    from copybandit.agents.token_sources import Sources, gather

    with progress(Console(stderr=True)) as display:
        display.stage("texts", total=drafts)
        texts = gather(Sources(ab_tests=ab_tests, drafts=drafts, seed=seed), display.advance)
        for line in texts.missing:
            display.note(line)
        settings = TokenEditorSettings(seed=seed)
        settings = replace(settings, steps=steps or settings.steps)
        display.stage("pretrain", total=settings.steps)
        pretrain(texts, settings, out, lambda step, loss: display.advance(1))
