"""The command: what it prints, what it refuses, and how it goes on."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import PlainLines, progress
from copybandit.cli.run_command import Request, execute
from copybandit.configs import shipped
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.report import write_report
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.settings import RunSettings
from copybandit.sim.types import DataError

SAMPLE = Path(__file__).with_name("report_sample.json")


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-c", "from copybandit.cli.main import main; main()", *arguments]
    return subprocess.run(start, capture_output=True, text=True, cwd=cwd, check=False)


class TwoStages:
    """A pipeline of two small stages, which can be made to stop in the second one."""

    def __init__(self, stop: BaseException | None = None, stop_in: str = "second") -> None:
        self.stop, self.stop_in = stop, stop_in
        self.ran: list[str] = []

    def __call__(
        self, settings: RunSettings, folder: RunFolder[RunSettings], display: Progress
    ) -> Mapping[str, Any]:
        for name in ("first", "second"):

            def work(out: Path, name: str = name) -> None:
                display.stage(name, total=4)
                out.joinpath("half").write_text("x")
                if self.stop and name == self.stop_in:
                    raise self.stop
                display.advance(4)
                self.ran.append(name)

            folder.run_stage(name, work)
        report: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
        write_report(folder.path, report)
        return report


def refused(code: int, request: Request, pipeline: TwoStages, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        execute(request, pipeline)
    assert caught.value.code == code
    return capsys.readouterr().err.splitlines()[-1]


def test_the_end_says_where_the_report_is_and_what_matters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(Request(out=tmp_path / "a"), TwoStages())
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "Clicks won by tuning: +4.8% (95% interval +2.1% to +7.4%)",
        "Share of the best choice won by linucb: 71%",
        "Right segment against wrong (swap test): +3.1% (95% interval +1.2% to +5.1%)",
        f"report: {tmp_path / 'a' / 'report.html'}",
    ]
    assert (tmp_path / "a" / "report.html").is_file()


def test_an_interrupt_says_how_to_go_on_and_resuming_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a b"
    line = refused(
        130, Request(out=path, sets=("tune.episodes=128",)), TwoStages(KeyboardInterrupt()), capsys
    )
    assert line == f"interrupted; to go on: copybandit run --resume '{path}'"
    again = TwoStages()
    execute(Request(folder=path, resume=True), again)
    assert again.ran == ["second"]


def test_an_interrupt_in_the_first_stage_can_be_resumed_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(130, Request(out=tmp_path / "a"), TwoStages(KeyboardInterrupt(), "first"), capsys)
    again = TwoStages()
    execute(Request(out=tmp_path / "a", resume=True), again)
    assert again.ran == ["first", "second"]


def test_resume_without_a_folder_finds_the_configs_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(130, Request(seed=3), TwoStages(KeyboardInterrupt()), capsys)
    assert line.endswith("--resume runs/quickstart-3")
    again = TwoStages()
    execute(Request(config="quickstart", seed=3, resume=True), again)
    assert again.ran == ["second"]


def test_resuming_with_another_setting_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(Request(out=tmp_path / "a"), TwoStages())
    line = refused(2, Request(folder=tmp_path / "a", resume=True, seed=5), TwoStages(), capsys)
    assert line.startswith("error: ") and "seed is 0 in the run and 5 now" in line


def test_a_data_file_is_stored_with_its_whole_path_so_that_any_folder_can_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("")
    given = Request(retail=Path("log.csv"), ab_tests=Path("absent.csv")).overrides()
    assert given == {"data.retail": str(tmp_path / "log.csv"), "data.ab_tests": "absent.csv"}


def test_bad_data_found_in_the_first_stage_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = DataError("log.csv line 3: price must be a number,\n got x; correct the row")
    line = refused(2, Request(out=tmp_path / "a"), TwoStages(error, "first"), capsys)
    assert line == "error: log.csv line 3: price must be a number, got x; correct the row"
    assert not (tmp_path / "a").exists()


def test_bad_data_found_later_keeps_what_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(2, Request(out=tmp_path / "a"), TwoStages(DataError("x")), capsys)
    assert [p.name for p in (tmp_path / "a" / "stages").iterdir() if not p.name.startswith(".")] == ["first"]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ModuleNotFoundError("no", name="trl.experimental"), 2, 'run: pip install "copybandit[train]"'),
        (ModuleNotFoundError("no", name="openpyxl"), 2, 'run: pip install "copybandit[data]"'),
        (OSError(28, "No space left on device", "runs/a"), 1, "runs/a: No space left on device; make room"),
    ],
)
def test_what_the_machine_lacks_is_one_line(
    error: Exception, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, one_line("go on"):
        raise error
    assert caught.value.code == code
    text = capsys.readouterr().err
    assert text.startswith("error: ") and words in text and text.count("\n") == 1


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ModuleNotFoundError), one_line("go on"):
        raise ModuleNotFoundError("no", name="copybandit.nothing")
    with pytest.raises(ZeroDivisionError), one_line("go on"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "quikstart"], "one of online-retail, quickstart"),
        (["--config", "broken.yaml"], "broken.yaml line 3: "),
        (["--config", "latin.yaml"], "byte 9 is not UTF-8"),
        (["--set", "tune.epsiodes=3"], "unknown key tune.epsiodes; allowed here: algorithm"),
        (["--set", "nothing"], "--set needs key=value, got 'nothing'"),
        (["--seed", "-1"], "seed must be int >= 0, got -1"),
        (["--config", "online-retail"], "pass --retail FILE"),
        (
            ["--config", "online-retail", "--retail", "no.csv", "--ab-tests", "no.csv"],
            "no.csv does not exist",
        ),
        (["--retail", "broken.yaml"], "world synthetic reads no files"),
        (["--out", "there"], "there exists; pass --resume to go on or --out another"),
        (["--resume"], "runs/quickstart-0 holds no run to resume"),
        (["--resume", "there"], "there holds no run to resume"),
        (["there"], "run takes no folder, got there; pass --out there or --resume"),
        (["--resume", "a", "--out", "b"], "two run folders given, a and b"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path, arguments: list[str], words: str) -> None:
    tmp_path.joinpath("broken.yaml").write_text("name: x\nseed: [\n")
    tmp_path.joinpath("latin.yaml").write_bytes(b"name: caf\xe9\n")
    tmp_path.joinpath("there").mkdir()
    before = sorted(tmp_path.rglob("*"))
    done = command("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and words in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_configs_lists_what_ships(tmp_path: Path) -> None:
    done = command("configs", cwd=tmp_path)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(shipped())


def test_version_is_the_packages(tmp_path: Path) -> None:
    from importlib.metadata import version

    assert command("--version", cwd=tmp_path).stdout == f"copybandit {version('copybandit')}\n"


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    done = command("run", "--nope", cwd=tmp_path)
    assert done.returncode == 2 and "--nope" in done.stderr


def test_lines_where_there_is_no_terminal() -> None:
    ticks = iter(range(0, 100, 2))
    lines: list[str] = []
    with PlainLines(write=lines.append, clock=lambda: float(next(ticks))) as display:
        display.stage("fit", total=8)
        for _ in range(8):
            display.advance()
        display.stage("tune")
        display.advance(3)
        display.note("kept")
    assert lines == [
        "fit: begun",
        "fit: 2 of 8, about 6 s left",
        "fit: 4 of 8, about 4 s left",
        "fit: 6 of 8, about 2 s left",
        "fit: done in 8.0 s",
        "tune: begun",
        "kept",
        "tune: done in 2.0 s",
    ]


def test_bars_on_a_terminal() -> None:
    screen = io.StringIO()
    with progress(Console(file=screen, force_terminal=True, width=100)) as display:
        display.stage("fit", total=8)
        display.advance(8)
        display.stage("tune")
        display.note("[kept] as it is")
        display.stage("judge", total=2)
    text = screen.getvalue()
    assert "fit" in text and "8/8" in text and "[kept] as it is" in text and "left" in text
