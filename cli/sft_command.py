"""`copybandit sft`: from a table of copy to a run folder with a trained writer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rich.console import Console

from copybandit.agents.adapters import AdapterSettings, Choice
from copybandit.agents.sft import SFTSettings
from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.evaluation.run_folder import RunFolder, stored
from copybandit.evaluation.sft_copy import SFTRequest, train_on_copy
from copybandit.evaluation.sft_table import read_copy
from copybandit.sim.types import DataError

RATE, ADAPTER_RATE = 2e-4, 2e-3
"""Learning rates of all weights, and of the few of an adapter."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of `copybandit sft` as they were given."""

    copy: Path
    writer: str
    adapter: str
    rank: int
    prefix_tokens: int
    merge: bool
    epochs: int
    batch_size: int
    learning_rate: float | None
    seed: int

    def request(self) -> SFTRequest:
        """What they mean.

        Raises:
            DataError: an option out of its range, or two that contradict each other.
        """
        rate = self.learning_rate or (RATE if self.adapter == "none" else ADAPTER_RATE)
        adapter = AdapterSettings(
            kind=_choice(self.adapter), rank=self.rank, prefix_tokens=self.prefix_tokens
        )
        settings = SFTSettings(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=rate, adapter=adapter
        )
        # The run may be resumed from another folder, so the paths of what is there are stored whole.
        writer = str(Path(self.writer).absolute()) if Path(self.writer).is_dir() else self.writer
        return SFTRequest(
            copy=self.copy.absolute(), writer=writer, settings=settings, merge=self.merge, seed=self.seed
        )


def _choice(name: str) -> Choice:
    for known in get_args(Choice):
        if name == known:
            return known  # type: ignore[no-any-return]  # an argument of the Literal
    raise DataError(f"--adapter must be one of {', '.join(get_args(Choice))}, got {name!r}; give one of them")


def new_folder(asked: Asked, out: Path | None) -> RunFolder[SFTRequest]:
    """Read the table once, so that a bad one leaves nothing behind, and make the folder.

    Raises:
        DataError: bad input, or the folder exists or cannot be made.
    """
    request = asked.request()
    read_copy(request.copy)
    stem = request.copy.name.partition(".")[0]
    return RunFolder.create(out or Path("runs") / f"sft-{stem}-{request.seed}", request)


def old_folder(path: Path, given: Sequence[str]) -> RunFolder[SFTRequest]:
    """Open a run folder to go on, with what it was told when it began.

    Raises:
        DataError: there is no such run in it, or options were given beside it.
    """
    if given:
        raise DataError(
            f"--resume takes the run folder alone, got {', '.join(given)} too; drop it, or start another run"
        )
    return RunFolder.resume(path, stored(path, SFTRequest))


def execute(folder: RunFolder[SFTRequest]) -> None:
    """Train or go on, show progress, print what was learned and where the writer lies.

    Raises:
        SystemExit: bad input (2), an interrupt (130) or a full disk (1); a line on stderr says which.
    """
    with one_line(f"copybandit sft --resume {shlex.quote(str(folder.path))}"):
        with folder, progress(Console(stderr=True)) as display:
            for line in folder.version_notes():
                display.note(line)
            report = train_on_copy(folder, display)
    print(
        f"loss on held-out prompts: {report['loss_before']:.3f} -> {report['loss_after']:.3f} nats a token "
        f"({report['n_train']} texts learned, {report['n_held_out']} held out)"
    )
    print(f"writer: {folder.output('sft') / 'writer'}")
