"""Run folders: nothing half-written, nothing done twice, nothing mixed up."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.machine import peak_memory_mb, versions
from copybandit.evaluation.run_folder import RunFolder, stored_settings
from copybandit.evaluation.storage import load_json
from copybandit.sim.types import DataError

SETTINGS = load_settings("quickstart")


def writes(text: str) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        folder.joinpath("out.txt").write_text(text)

    return work


def test_a_new_folder_says_what_it_was_asked(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs" / "a", SETTINGS)
    assert stored_settings(folder.path) == SETTINGS
    assert load_json(folder.path / "versions.json") == versions()
    assert {"python", "numpy", "copybandit"} <= versions().keys()
    assert folder.done() == () and folder.changed_versions() == {}


def test_an_existing_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "precious").write_text("x")
    with pytest.raises(DataError, match=r"a exists; pass --resume to go on or --out another"):
        RunFolder.create(tmp_path / "a", SETTINGS)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["precious"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"cannot be made .*; pass --out another"):
        RunFolder.create(tmp_path / "file" / "run", SETTINGS)


def test_a_done_stage_is_not_done_again(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "a", SETTINGS)
    assert folder.run_stage("fit", writes("1"))
    again = RunFolder.resume(tmp_path / "a", SETTINGS)
    assert not again.run_stage("fit", writes("2"))
    assert (again.output("fit") / "out.txt").read_text() == "1"


def test_a_stage_that_runs_again_makes_the_later_ones_run_again(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "a", SETTINGS)
    folder.run_stage("fit", writes("1"))
    folder.run_stage("sft", writes("1"))
    (folder.output("fit") / "out.txt").unlink()
    (folder.output("fit") / "timing.json").unlink()
    folder.output("fit").rmdir()
    again = RunFolder.resume(tmp_path / "a", SETTINGS)
    assert again.run_stage("fit", writes("2")) and again.run_stage("sft", writes("2"))
    assert (again.output("sft") / "out.txt").read_text() == "2"


def test_timings_are_kept_with_the_stage(tmp_path: Path) -> None:
    ticks = iter([10.0, 12.5])
    folder = RunFolder.create(tmp_path / "a", SETTINGS)
    folder.clock = lambda: next(ticks)
    folder.run_stage("fit", writes("1"))
    timing = RunFolder.resume(tmp_path / "a", SETTINGS).timings()["fit"]
    assert timing["seconds"] == 2.5 and timing["peak_mb"] > 1


def test_memory_is_counted_in_mebibytes() -> None:
    block = bytearray(64 * 1024**2)
    block[::4096] = bytes(len(block) // 4096 or 1)
    assert 64 < peak_memory_mb() < 1024**2


class Interrupted(RuntimeError):
    pass


def fails(folder: Path) -> None:
    folder.joinpath("half").write_text("x")
    raise Interrupted


def test_an_interrupted_stage_leaves_no_half_written_output(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "a", SETTINGS)
    folder.run_stage("fit", writes("1"))
    with pytest.raises(Interrupted), folder:
        folder.run_stage("sft", fails)
    again = RunFolder.resume(tmp_path / "a", SETTINGS)
    assert again.done() == ("fit",) and not again.stage("sft")
    assert again.run_stage("sft", writes("1"))
    assert sorted(p.name for p in again.output("sft").iterdir()) == ["out.txt", "timing.json"]


def test_a_run_that_fails_before_its_first_stage_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Interrupted), RunFolder.create(tmp_path / "a", SETTINGS) as folder:
        folder.run_stage("fit", fails)
    assert not (tmp_path / "a").exists()


def test_a_resumed_run_is_never_removed(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "a", SETTINGS)
    with pytest.raises(Interrupted), RunFolder.resume(tmp_path / "a", SETTINGS) as folder:
        folder.run_stage("fit", fails)
    assert (tmp_path / "a").exists()


def test_rows_of_an_interrupted_stage_are_forgotten(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "a", SETTINGS)
    folder.run_stage("fit", lambda _: folder.log("fit", {"loss": 0.5}))
    folder.log("tune", {"update": 0})
    with (folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "tune", "upd')
    again = RunFolder.resume(tmp_path / "a", SETTINGS)

    def tune(_: Path) -> None:
        for update in range(3):
            again.log("tune", {"update": update})

    again.run_stage("tune", tune)
    assert [row["update"] for row in again.metrics("tune")] == [0, 1, 2]
    assert again.metrics("fit") == [{"stage": "fit", "loss": 0.5}]


@pytest.mark.parametrize(
    ("key", "part"), [("seed", "seed is 0 in the run and 1 now"), ("tune.minibatches", "")]
)
def test_resuming_with_other_settings_names_the_first_that_differs(
    tmp_path: Path, key: str, part: str
) -> None:
    RunFolder.create(tmp_path / "a", SETTINGS)
    with pytest.raises(DataError) as caught:
        RunFolder.resume(tmp_path / "a", load_settings("quickstart", {key: 1}))
    assert f": {key} is " in str(caught.value) and part in str(caught.value) and "--out" in str(caught.value)


def test_resuming_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no run to resume"):
        RunFolder.resume(tmp_path / "absent", SETTINGS)


def test_other_versions_are_noticed(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "a", SETTINGS)
    stored = versions() | {"numpy": "1.0"}
    (folder.path / "versions.json").write_bytes(msgspec.json.encode(stored))
    assert folder.changed_versions() == {"numpy": ("1.0", versions()["numpy"])}


KILLED = """
import os, signal, sys
from pathlib import Path
from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.run_folder import RunFolder

def dies(folder):
    folder.joinpath("half").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)

folder = RunFolder.create(Path(sys.argv[1]), load_settings("quickstart"))
folder.run_stage("fit", lambda out: out.joinpath("whole").write_text("x"))
folder.run_stage("sft", dies)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_goes_on_from_the_last_finished_stage(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False)
    assert killed.returncode == -signal.SIGKILL
    folder = RunFolder.resume(tmp_path / "a", SETTINGS)
    assert folder.done() == ("fit",)
    assert folder.run_stage("sft", writes("1"))
    assert not (folder.output("sft") / "half").exists()
