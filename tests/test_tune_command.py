"""`copybandit tune` on a small shop: every algorithm in one folder, resumed inside a stage, and bad input in one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.run_folder import RunFolder, stored_settings
from copybandit.evaluation.settings import AlgorithmName
from copybandit.evaluation.simulate import simulate
from copybandit.evaluation.tune_log import scalars
from copybandit.evaluation.tune_options import budget, tuner_settings
from copybandit.evaluation.tune_shop import TuneRequest
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError
from tests.small_run import SMALL

SETS = [item for key, value in SMALL.items() for item in ("--set", f"{key}={value}")]
FAST = ["--set", "tune.episodes=64", "--set", "tune.reference_samples=32", "--set", "tune.restarts=1"]


def command(*options: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from copybandit.cli.main import main; main()", "tune", *options]
    full = {**os.environ, "COLUMNS": "200", **environment}
    return subprocess.run(program, cwd=cwd, capture_output=True, text=True, env=full)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder whose data, fit and sft are done."""
    path = tmp_path_factory.mktemp("shop") / "run"
    settings = load_settings("quickstart", {**SMALL, "tune.episodes": 64, "tune.reference_samples": 32})
    folder = RunFolder.create(path, settings)
    pipeline = Pipeline(settings, folder, _Quiet())
    for name in ("data", "fit", "sft"):
        folder.run_stage(name, getattr(pipeline, name))
    return path


class _Quiet:
    def stage(self, name: str, total: int | None = None) -> None: ...
    def advance(self, n: int = 1) -> None: ...
    def show(self, text: str) -> None: ...
    def note(self, text: str) -> None: ...


@pytest.mark.slow
def test_all_algorithms_in_one_table(shop: Path, tmp_path: Path) -> None:
    done = command(
        "--shop",
        str(shop),
        "--algorithm",
        "all",
        "--judge",
        "--out",
        "cmp",
        "--set",
        "tune.restarts=1",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "cmp"
    report = json.loads((folder / "report.json").read_text("utf-8"))
    names = ["ppo", "grpo", "dpo", "best-of-n", "gan"]
    assert list(report["algorithms"]) == sorted(names) and report["budget"] == 96
    assert [row["name"] for row in report["comparison"]] == ["template", "sft", "sft best of 4", *names]
    for row in report["comparison"][3:]:
        assert 64 <= row["calls"] <= 96, row["name"]
    assert [row["name"] for row in report["judged"]] == [row["name"] for row in report["comparison"]]
    for name in names:
        writer = CausalLM.load(str(folder / "stages" / f"tune-{name}" / "seed-0" / "writer"))
        assert (writer.generator_id, writer.temperature) == (name, 0.8)
        assert name in done.stdout
        assert list((folder / "tensorboard").rglob(f"{name}-seed-0-run-0/events.out.tfevents*"))
    assert f"report: {Path('cmp') / 'report.html'}" in done.stdout
    page = (folder / "report.html").read_text("utf-8")
    assert "Compared on the select split" in page and "<script" not in page and "Judged once" in page
    assert "reward" in done.stderr and "KL" in done.stderr and "select" in done.stderr
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert {row["stage"] for row in rows} == {f"tune-{name}" for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ppo", "best-of-n"])
def test_an_interrupted_run_goes_on_and_comes_to_the_same(name: str, shop: Path, tmp_path: Path) -> None:
    seeds = ("--seed", "0", "--set", "tune.episodes=64", "--set", "tune.restarts=2")
    options = ("--shop", str(shop), "--algorithm", name, "--report-to", "none", *seeds)
    whole = command(*options, "--out", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    start = "from copybandit.cli.main import main; main()"
    program = [sys.executable, "-c", start, "tune", *options, "--out", "cut"]
    with subprocess.Popen(
        program,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    ) as running:
        first = tmp_path / "cut" / "stages" / f".tune-{name}.partial" / "seed-0" / "run-0.json"
        while not first.is_file() and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate()
    assert running.returncode == 130 and "copybandit tune --resume cut" in errors, errors
    done_before = first.stat().st_mtime_ns
    again = command("--resume", "cut", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    kept = tmp_path / "cut" / "stages" / f"tune-{name}" / "seed-0" / "run-0.json"
    assert kept.stat().st_mtime_ns == done_before, "a run that was done is not done again"
    one, two = (
        json.loads((tmp_path / folder / "report.json").read_text("utf-8"))["algorithms"][name]
        for folder in ("whole", "cut")
    )
    assert one["tuning"] == two["tuning"] and one["select"] == two["select"]
    rows = [json.loads(line) for line in (tmp_path / "cut" / "metrics.jsonl").read_text("utf-8").splitlines()]
    keys = [(row["seed"], row["restart"], row["update"]) for row in rows]
    assert len(keys) == len(set(keys)) == len(one["tuning"])


def test_bad_input_gets_one_line_and_leaves_nothing(shop: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    half = tmp_path / "half"
    shutil.copytree(shop, half)
    shutil.rmtree(half / "stages" / "fit")
    cases = {
        "algorithm": (
            ("--algorithm", "magic"),
            "--algorithm must be one of ppo, grpo, dpo, best-of-n, gan or all",
        ),
        "report": (("--report-to", "paper"), "--report-to must be one of tensorboard, wandb, none"),
        "exists": (("--out", str(there)), "exists; pass --resume to go on or --out another"),
        "group": (("--algorithm", "dpo", "--set", "tune.group=5"), "batch_size must be a multiple of group"),
        "other shop": (("--shop", str(shop), "--set", "seed=7"), "seed is 0 there and 7 here"),
        "two": (("--shop", str(shop), "--config", "quickstart"), "drop one of them"),
        "half": (("--shop", str(half)), "its stage fit is not done"),
        "no run": (("--shop", str(there)), "holds no run"),
        "resume": (("--resume",), "pass copybandit tune --resume FOLDER"),
        "writer": (("--shop", str(shop), "--writer", str(there)), "cannot load a causal language model"),
    }
    for name, (options, words) in cases.items():
        out = () if "--out" in options or "--resume" in options else ("--out", str(tmp_path / "made"))
        done = command(*options, *out, cwd=tmp_path)
        lines = [line for line in done.stderr.strip().splitlines() if line.startswith("error:")]
        assert done.returncode == 2 and len(lines) == 1 and words in lines[0], (name, done.stderr)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half", "there"]


def test_weights_and_biases_works_offline_or_is_named_where_it_is_missing(shop: Path, tmp_path: Path) -> None:
    options = (
        "--shop",
        str(shop),
        "--algorithm",
        "best-of-n",
        "--report-to",
        "wandb",
        "--out",
        "made",
        *FAST,
    )
    done = command(*options, cwd=tmp_path, WANDB_MODE="offline")
    if find_spec("wandb") is None:
        assert done.returncode == 2 and 'pip install "copybandit[wandb]"' in done.stderr
        assert not (tmp_path / "made").exists()
        return
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "made" / "wandb").rglob("*.wandb"))


def test_a_checkpoint_with_the_tokenizer_of_another_is_refused(shop: Path, tmp_path: Path) -> None:
    from tests.tiny_lm import tiny_writer

    small = tiny_writer().save(tmp_path / "small")
    tiny = CausalLM.load("tiny")
    tiny.tokenizer.save_pretrained(small)
    done = command("--shop", str(shop), "--writer", str(small), "--out", "made", *FAST, cwd=tmp_path)
    assert done.returncode == 2 and "tokenizer" in done.stderr and not (tmp_path / "made").exists(), (
        done.stderr
    )


@pytest.mark.parametrize("name", ["ppo", "grpo", "dpo", "best-of-n", "gan"])
def test_every_algorithm_has_the_same_budget(name: AlgorithmName) -> None:
    request = TuneRequest(run=load_settings("quickstart"), algorithms=(name,))
    options = request.options(name)
    settings = tuner_settings(options)
    written = settings.updates * settings.batch_size + settings.reference_samples
    assert budget(options) - settings.batch_size < written <= budget(options)
    assert settings.checkpoint_every and settings.updates // settings.checkpoint_every in (8, 9)


def test_a_request_is_stored_and_read_again(tmp_path: Path) -> None:
    request = TuneRequest(run=load_settings("quickstart"), algorithms=("dpo", "gan"), judge=True)
    RunFolder.create(tmp_path / "run", request)
    assert RunFolder.resume(tmp_path / "run", request).settings == request
    with pytest.raises(DataError, match=r"run\.tune\.episodes is 6144"):
        RunFolder.resume(
            tmp_path / "run",
            TuneRequest(run=load_settings("quickstart", {"tune.episodes": 512}), algorithms=("dpo",)),
        )
    with pytest.raises(DataError, match="different algorithms"):
        TuneRequest(run=load_settings("quickstart"), algorithms=("dpo", "dpo"))
    with pytest.raises(DataError):
        stored_settings(tmp_path / "run")


def test_numbers_of_a_row_have_one_name_each() -> None:
    row = {
        "update": 3,
        "seed": 0,
        "restart": 1,
        "kl": 0.5,
        "costs": {"longer": 0.1},
        "components": {"match": 1},
    }
    assert scalars(row) == {"kl": 0.5, "cost/longer": 0.1, "component/match": 1.0}


def test_the_fitted_world_learns_from_logs_before_anything_is_tuned_on_it(shop: Path, tmp_path: Path) -> None:
    settings = stored_settings(shop)
    folder = RunFolder.create(tmp_path / "season", settings)
    for name in ("data", "fit"):
        shutil.copytree(shop / "stages" / name, folder.output(name))
    log = simulate(folder, "thompson", "parquet", _Quiet())
    options = (
        "--shop",
        str(shop),
        "--report-to",
        "none",
        *FAST,
        "--out",
        "learned",
        "--from-feedback",
        str(log),
    )
    done = command(*options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "learned" / "report.json").read_text("utf-8"))
    learned = report["feedback"]
    assert learned["rows"] > 0 and learned["doubt_after"] < learned["doubt_before"]
    assert "Learned from feedback" in (tmp_path / "learned" / "report.html").read_text("utf-8")
    before = json.loads((shop / "stages" / "fit" / "fitted.json").read_text("utf-8"))
    after = json.loads((tmp_path / "learned" / "stages" / "feedback" / "fitted.json").read_text("utf-8"))
    assert before != after
    forgotten = command("--shop", "learned", "--out", "none", cwd=tmp_path)
    assert forgotten.returncode == 2 and "got no --from-feedback here" in forgotten.stderr
    missing = command("--shop", str(shop), "--from-feedback", "nothing", "--out", "none", cwd=tmp_path)
    assert missing.returncode == 2 and "--from-feedback nothing: must be a log" in missing.stderr
    assert not (tmp_path / "none").exists()
