"""`copybandit sft`: a table of copy in, a run folder with a writer out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from copybandit.cli.main import main
from copybandit.cli.sft_command import Asked, execute, new_folder, old_folder
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.sft_copy import SFTRequest
from copybandit.evaluation.sft_table import read_copy
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError
from tests.tiny_lm import brief, tiny_writer

ROWS = [
    f"{brief(i).product.name},{1.5 + i},{brief(i).product.name};blue,garden;gift,try the {brief(i).product.name} now\n"
    for i in range(24)
]


def table(folder: Path, *rows: str, header: str = "name,price,facts,interests,text\n") -> Path:
    path = folder / "copy.csv"
    path.write_text(header + "".join(rows or ROWS), "utf-8")
    return path


def asked(copy: Path, **changes: object) -> Asked:
    usual: dict[str, object] = {
        "copy": copy, "writer": "tiny", "adapter": "none", "rank": 2, "prefix_tokens": 2, "merge": False,
        "epochs": 6, "batch_size": 8, "learning_rate": 1e-2, "seed": 0,
    }  # fmt: skip
    return Asked(**{**usual, **changes})  # type: ignore[arg-type]  # the fields are spelt as they are


@pytest.fixture
def run(tmp_path: Path) -> RunFolder[SFTRequest]:
    """A run of LoRA that has not begun."""
    base = tiny_writer(spread=0.3).save(tmp_path / "base")
    wanted = asked(table(tmp_path), writer=str(base), adapter="lora", merge=True, learning_rate=3e-2)
    return new_folder(wanted, tmp_path / "run")


def test_a_run_folder_holds_what_was_asked_and_what_came_of_it(
    run: RunFolder[SFTRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    execute(run)
    told = capsys.readouterr()
    assert "about" in told.err and "s left" in told.err and "held-out prompts" in told.out
    report = json.loads((run.path / "report.json").read_text())
    assert (
        report["loss_after"] < 0.8 * report["loss_before"] and report["n_train"] + report["n_held_out"] == 24
    )
    rows = run.metrics("sft")
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert {path.name for path in run.path.iterdir()} == {
        "config.yaml", "versions.json", "metrics.jsonl", "report.json", "stages",
    }  # fmt: skip
    stage = run.output("sft")
    adapted, merged = CausalLM.load(str(stage / "writer")), CausalLM.load(str(stage / "merged"))
    assert adapted.adapter is not None and merged.adapter is None
    texts = ["try the mug now"] * 3
    briefs = [brief(i) for i in range(3)]
    np.testing.assert_allclose(merged.log_prob(briefs, texts), adapted.log_prob(briefs, texts), rtol=1e-4)


def test_a_run_goes_on_with_what_it_was_told(run: RunFolder[SFTRequest]) -> None:
    again = old_folder(run.path, [])
    assert again.settings == run.settings
    execute(again)
    weights = run.output("sft") / "writer" / "adapter_model.safetensors"
    written = weights.stat().st_mtime_ns
    execute(old_folder(run.path, []))
    assert weights.stat().st_mtime_ns == written
    with pytest.raises(DataError, match="takes the run folder alone, got --epochs"):
        old_folder(run.path, ["--epochs"])


def test_answers_become_as_long_as_the_longest_text(tmp_path: Path) -> None:
    base = tiny_writer(max_new_tokens=3).save(tmp_path / "base")
    folder = new_folder(asked(table(tmp_path), writer=str(base), epochs=1), tmp_path / "run")
    execute(folder)
    assert CausalLM.load(str(folder.output("sft") / "writer")).max_new_tokens > 3


def test_prompts_are_those_the_writer_will_see(tmp_path: Path) -> None:
    rows = ("mug,2,blue;holds 350 ml,garden;gift,A blue mug.\n", "lamp,3.5,,,A lamp.\n")
    assert read_copy(table(tmp_path, *rows)) == [
        ("garden, gift | mug | blue, holds 350 ml | 2.00 >", "A blue mug."),
        ("- | lamp | - | 3.50 >", "A lamp."),
    ]
    short = table(tmp_path, "mug,2,A mug.\n", header="name,price,text\n")
    assert read_copy(short) == [("- | mug | - | 2.00 >", "A mug.")]


def test_a_row_may_ask_for_any_kind(tmp_path: Path) -> None:
    header = "name,price,facts,interests,content_type,language,voice,placement,question,rating,notes,text\n"
    rows = (
        "保温杯,89,白色；480毫升,露营,description,zh,warm,,,,,这是一只白色保温杯。不妨慢慢看。\n",
        "mug,2,blue,,answer,en,,,What colour?,,,The listing says: blue.\n",
        "mug,2,,,review,,,,,4,Nice,[Draft] The mug gets 4 stars. Nice.\n",
        "mug,2,,,headline,,,banner,,,,A mug.\n",
        "mug,2,,,,,,,,,,A mug.\n",
    )
    prompts = [prompt for prompt, _ in read_copy(table(tmp_path, *rows, header=header))]
    assert prompts == [
        "description zh 600 | warm | 露营 | 保温杯 | 白色, 480毫升 | 89.00 >",
        "answer en 600 | - | - | mug | blue | 2.00 | What colour? >",
        "review en 800 | - | - | mug | - | 2.00 | 4 | Nice >",
        "headline en 60 | - | - | mug | - | 2.00 >",
        "- | mug | - | 2.00 >",
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("mug,2,A mug.,answer,en,,,", "row 1, column 'question': must be given for answer rows"),
        ("mug,2,A mug.,review,en,,,", "row 1, column 'rating': must be given for review rows"),
        ("mug,2,A mug.,review,en,,,6", "column 'rating': must be one of 1, 2, 3, 4, 5, or empty, got '6'"),
        ("mug,2,A mug.,poem,en,,,", "column 'content_type': must be one of headline, subject"),
        ("mug,2,A mug.,tags,fr,,,", "column 'language': must be one of en, zh, or empty, got 'fr'"),
        ("mug,2,A mug.,tags,en,shrill,,", "column 'voice': must be one of plain, warm"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(row: str, words: str, tmp_path: Path) -> None:
    header = "name,price,text,content_type,language,voice,question,rating\n"
    with pytest.raises(DataError, match=words):
        read_copy(table(tmp_path, row + "\n", header=header))


@pytest.mark.parametrize(
    ("row", "arguments", "words"),
    [
        ("mug,0,,,A mug.\n", (), "row 1, column 'price': must be above 0, got '0'"),
        ("mug,2,,,\n", (), "row 1, column 'text': must be given"),
        (",2,,,A mug.\n", (), "row 1, column 'name': must be given"),
        ("mug,2,,,A mug.\n", ("--adapter", "ia3"), "--adapter must be one of none, lora, adalora, prefix"),
        ("mug,2,,,A mug.\n", ("--merge", "--adapter", "prefix"), "folds into the weights, got prefix"),
        ("mug,2,,,A mug.\n", ("--writer", "nobody"), "no such folder"),
        ("mug,2,,,A mug.\n", (), "at least 2 different prompts, got 1"),
        ("mug,2,,,A mug.\n", ("--batch-size", "0"), "batch_size and max_steps must be >= 1"),
        (
            f"mug,2,,,{'long ' * 600}\n",
            (),
            "row 1, column 'text': prompt and text must have at most 512 tokens",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    row: str,
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table(tmp_path, row)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["copybandit", "sft", "copy.csv", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    told = capsys.readouterr()
    assert stop.value.code == 2 and told.out == ""
    assert told.err.startswith("error: ") and words in told.err and told.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["copy.csv"]
