"""Fine-tune a writer on a shop's own copy: a table of what was asked for and the text, one row a text.

    RUN/
        config.yaml  versions.json  metrics.jsonl      what was asked, with what, and the loss of each step
        stages/sft/writer/                             the trained writer, of an adapter the adapter alone
        stages/sft/merged/                             the adapter folded in, where asked for
        report.json                                    losses on prompts never trained on, before and after

Training is one stage. Interrupted, it begins again: with its seed it comes to the same weights, and what a checkpoint would
save is minutes, for which optimizer, order of rows and AdaLoRA's scores would have to be stored exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copybandit.agents.sft import Example, SFTSettings, sft
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.sft_table import read_copy
from copybandit.evaluation.storage import load_json, save_json
from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM


@dataclass(frozen=True, kw_only=True)
class SFTRequest:
    """What to train, on what.

    Attributes:
        copy: table of `copybandit.evaluation.sft_table`.
        writer: ``tiny``, ``smollm2``, ``hf:NAME`` or a folder.
        settings: how long, how hard, and which adapter.
        merge: fold the adapter into the weights as well.
        seed: of everything random.
    """

    copy: Path
    writer: str = "tiny"
    settings: SFTSettings = field(default_factory=SFTSettings)
    merge: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.merge and self.settings.adapter.kind not in ("lora", "adalora"):
            raise DataError(
                f"--merge needs an adapter that folds into the weights, got {self.settings.adapter.kind}; "
                "drop it, or pass --adapter lora or adalora"
            )


def train_on_copy(folder: RunFolder[SFTRequest], progress: Progress) -> dict[str, Any]:
    """Train, unless it is done, and write the report.

    Raises:
        DataError: an unusable table or writer.
    """
    request = folder.settings
    examples = read_copy(request.copy)
    folder.run_stage("sft", lambda stage: _train(folder, examples, stage, progress))
    report: dict[str, Any] = {**load_json(folder.output("sft") / "losses.json"), "timings": folder.timings()}
    save_json(folder.path / "report.json", report)
    return report


def _train(folder: RunFolder[SFTRequest], examples: list[Example], stage: Path, progress: Progress) -> None:
    from copybandit.generators.adapters import merge_adapter
    from copybandit.generators.lm import CausalLM

    request, told = folder.settings, 0
    writer = CausalLM.load(request.writer)
    _make_room(writer, examples, request.copy, progress)

    def on_step(step: int, steps: int) -> None:
        nonlocal told
        if not told:
            progress.stage("sft", total=steps)
        progress.advance(step - told)
        told = step

    result = sft(writer, examples, request.settings, request.seed, stage / "trainer", on_step)
    result.writer.save(stage / "writer")
    if request.merge:
        merge_adapter(result.writer).save(stage / "merged")
    for step, loss in enumerate(result.train_losses, start=1):
        folder.log("sft", {"step": step, "loss": loss})
    names = ("loss_before", "loss_after", "n_train", "n_held_out")
    save_json(stage / "losses.json", {name: getattr(result, name) for name in names})


def _make_room(writer: CausalLM, examples: list[Example], path: Path, progress: Progress) -> None:
    """Let answers be as long as the longest text; refuse the first row that the writer's context cannot hold."""
    heads = writer.prompt_ids([prompt for prompt, _ in examples])
    tails = writer.response_ids([text for _, text in examples])
    context = writer.model.config.max_position_embeddings
    for row, (head, tail) in enumerate(zip(heads, tails, strict=True), start=1):
        if len(head) + len(tail) > context:
            raise DataError(
                f"{path}: row {row}, column 'text': prompt and text must have at most {context} tokens for writer "
                f"{writer.generator_id}, got {len(head)} and {len(tail)}; shorten the text or drop the row"
            )
    longest = max(map(len, tails))
    if longest > writer.max_new_tokens:
        progress.note(f"answers may have {longest} tokens now, as the longest text has")
        writer.max_new_tokens = longest
