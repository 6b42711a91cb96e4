"""`copybandit pretrain`: make the small writer."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress


def pretrain_tiny(out: Path, steps: int, third_steps: int, seed: int) -> None:
    """Train `tiny` and write its three files; the shipped ones were made with the default options."""
    with one_line("copybandit pretrain"):
        from copybandit.agents.pretrain import PretrainSettings, pretrain

        with progress(Console(stderr=True)) as display:
            settings = PretrainSettings(steps=steps, third_steps=third_steps, seed=seed)
            display.stage("pretrain", total=steps + settings.second_steps + third_steps)
            pretrain(settings, out, lambda step, loss: display.advance(1))
    print(f"tiny: {out}")
