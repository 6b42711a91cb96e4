"""`copybandit fit` goes on after an end that nothing could foresee, with the report of a fit that was never stopped."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from copybandit.evaluation import fit_saved
from copybandit.evaluation.fit_inputs import FitRequest, read_log, read_panels, read_tests
from copybandit.evaluation.run_folder import RunFolder, stored
from copybandit.sim.types import DataError
from tests.slices import write_upworthy
from tests.small_fit import fit_quietly, write_events, write_panel

STAGES = ("read", "interest", "sequence", "judge", "baskets", "policies", "funnel", "demand", "wording")

KILLED = """
import json, os, signal, sys
from pathlib import Path
from copybandit.evaluation.fit_inputs import FitRequest
from copybandit.evaluation.load_settings import read_config
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.shop_fit import fit_files

class Dies(Silent):
    def stage(self, name, total=None):
        if name == sys.argv[3]:
            os.kill(os.getpid(), signal.SIGKILL)

with RunFolder.create(Path(sys.argv[2]), read_config(Path(sys.argv[1]), FitRequest)) as folder:
    fit_files(folder, Dies())
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit that was never interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    log, catalogue = write_events(folder, n_shoppers=300)
    request = FitRequest(
        log=str(log),
        products=catalogue,
        panels=(str(write_panel(folder / "one.csv")), str(write_panel(folder / "two.csv", seed=1))),
        ab_tests=write_upworthy(folder / "tests.csv.gz"),
    )
    fit_quietly(request, folder / "run")
    return folder / "run"


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from copybandit.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "fit", *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


def results(run: Path) -> dict[str, bytes]:
    """What a fit is for: everything outside its stages."""
    files = [p for p in run.rglob("*") if p.is_file() and "stages" not in p.parts]
    return {str(p.relative_to(run)): p.read_bytes() for p in files}


def test_a_run_folder_holds_what_every_long_command_leaves(whole: Path) -> None:
    names = {p.name for p in whole.iterdir()}
    assert names == {
        "config.yaml", "versions.json", "metrics.jsonl", "stages", "models", "report.json", "report.html"
    }  # fmt: skip
    assert RunFolder.resume(whole, stored(whole, FitRequest)).done() == tuple(sorted(STAGES))
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert list(dict.fromkeys(row["stage"] for row in rows)) == [
        name for name in STAGES if name not in ("read", "sequence")
    ]
    report = json.loads((whole / "report.json").read_text(encoding="utf-8"))
    judged = [row["report.auc"] for row in rows if row["stage"] == "judge"]
    assert judged == [row["report"]["auc"] for row in report["interest"]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.slow
@pytest.mark.parametrize("stage", ["interest", "funnel", "report"])
def test_a_killed_fit_resumes_to_the_same_bytes(stage: str, whole: Path, tmp_path: Path) -> None:
    told = [
        sys.executable,
        "-W",
        "error",
        "-c",
        KILLED,
        str(whole / "config.yaml"),
        str(tmp_path / "run"),
        stage,
    ]
    killed = subprocess.run(told, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = {p.name for p in (tmp_path / "run" / "stages").iterdir() if not p.name.startswith(".")}
    assert done == set(STAGES[: STAGES.index(stage)] if stage in STAGES else STAGES)
    assert not (tmp_path / "run" / "report.json").exists()
    stamps = {name: (tmp_path / "run" / "stages" / name / "timing.json").read_bytes() for name in done}
    resumed = command("--resume", "run", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "report: run/report.html" in resumed.stdout
    begun = [line.partition(":")[0] for line in resumed.stderr.splitlines() if line.endswith(": begun")]
    assert begun == [*(name for name in STAGES if name not in done), "report"]
    for name, stamp in stamps.items():
        assert (tmp_path / "run" / "stages" / name / "timing.json").read_bytes() == stamp
    assert results(tmp_path / "run") == results(whole)


def test_an_interrupt_says_how_to_go_on(whole: Path, tmp_path: Path) -> None:
    code = (
        "from copybandit.cli.main import main\n"
        "from copybandit.evaluation import shop_fit\n"
        "def stop(*a, **k): raise KeyboardInterrupt\n"
        "shop_fit.rank_policies = stop\n"
        "main()"
    )
    request = stored(whole, FitRequest)
    told = ["fit", request.log, "--products", str(request.products), "--no-sequence", "--out", "my run"]
    stopped = subprocess.run(
        [sys.executable, "-c", code, *told], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert stopped.returncode == 130
    assert stopped.stderr.splitlines()[-1] == "interrupted; to go on: copybandit fit --resume 'my run'"
    assert command("--resume", "my run", cwd=tmp_path).returncode == 0


def test_a_resumed_fit_needs_the_users_files_no_more(whole: Path, tmp_path: Path) -> None:
    log, catalogue = write_events(tmp_path, n_shoppers=300)
    request = FitRequest(log=str(log), products=catalogue, sequence=False)
    report = fit_quietly(request, tmp_path / "run")
    log.unlink()
    catalogue.unlink()
    shutil.rmtree(tmp_path / "run" / "stages" / "policies")
    (tmp_path / "run" / "report.json").unlink()
    resumed = command("--resume", "run", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8")) == report


def test_what_was_read_comes_back_bit_by_bit(whole: Path, tmp_path: Path) -> None:
    request = stored(whole, FitRequest)
    shop, panels, tests = read_log(request), read_panels(request), read_tests(request)
    fit_saved.keep_inputs(tmp_path, shop, panels, tests)
    again = fit_saved.kept_shop(tmp_path)
    assert (again.products, again.dropped, again.prices_real, again.grocery) == (
        shop.products, shop.dropped, shop.prices_real, shop.grocery
    )  # fmt: skip
    pairs: list[tuple[object, object]] = [
        (shop.events, again.events),
        (tests, fit_saved.kept_tests(tmp_path)),
    ]
    for (name, panel), (other, twin) in zip(panels, fit_saved.kept_panels(tmp_path), strict=True):
        assert name == other
        pairs.append((panel, twin))
    for one, two in pairs:
        assert type(one) is type(two)
        for field in type(one).__dataclass_fields__:  # type: ignore[attr-defined]  # every one is a record
            np.testing.assert_array_equal(getattr(one, field), getattr(two, field))


def damage(run: Path, what: str) -> None:
    stage = run / "stages" / "interest"
    if what == "no config":
        (run / "config.yaml").unlink()
    elif what == "foreign config":
        (run / "config.yaml").write_text("name: quickstart\nseed: 0\n", encoding="utf-8")
    elif what == "cut config":
        (run / "config.yaml").write_bytes((run / "config.yaml").read_bytes()[:-9] + b": [")
    elif what == "no versions":
        (run / "versions.json").unlink()
    elif what == "cut record":
        (stage / "interest.json").write_bytes((stage / "interest.json").read_bytes()[:40])
    elif what == "other record":
        for suffix in (".json", ".safetensors"):
            shutil.copy(run / "models" / f"baskets{suffix}", stage / f"interest{suffix}")
    elif what == "cut log":
        path = run / "stages" / "read" / "events.arrow"
        path.write_bytes(path.read_bytes()[:100])
    elif what == "cut products":
        path = run / "stages" / "read" / "shop.json"
        path.write_bytes(b"{}")
    elif what == "metrics":
        (run / "metrics.jsonl").write_bytes(b"\xff\xfe\n")
        shutil.rmtree(run / "stages" / "wording")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no config", "holds no run to resume; start one without --resume or pass --out another"),
        ("foreign config", "must hold a run of this command, got a config that does not fit"),
        ("cut config", "must hold a run of this command, got a config that does not fit"),
        ("no versions", "versions.json: cannot be read"),
        ("cut record", "cannot read the saved FittedInterest"),
        ("other record", "must hold a FittedInterest, got BasketModel"),
        ("cut log", "events.arrow: not an Arrow file"),
        ("cut products", "shop.json: must hold a log's products, got"),
        ("metrics", "metrics.jsonl: every line must be JSON"),
    ],
)
def test_a_damaged_or_foreign_folder_gets_one_line(
    what: str, message: str, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    damage(tmp_path / "run", what)
    ran = command("--resume", "run", cwd=tmp_path)
    errors = [line for line in ran.stderr.splitlines() if not line.endswith(": begun")]
    assert ran.returncode == 2 and len(errors) == 1, ran.stderr
    assert errors[0].startswith("error: ") and message in errors[0] and ";" in errors[0], ran.stderr


def test_resume_takes_the_folder_alone(whole: Path, tmp_path: Path) -> None:
    ran = command("--resume", str(whole), "--seed", "1", "--no-sequence", cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.strip() == (
        "error: --resume takes the run folder alone, got --sequence, --seed too; drop it, or start another fit"
    )


def test_a_record_brings_only_classes_that_were_asked_for(whole: Path) -> None:
    from copybandit.sim.interest_judge import JudgedInterest
    from copybandit.sim.store import load_record, record_classes

    classes = record_classes(fit_saved.Judged)
    assert {cls.__name__ for cls in classes} >= {
        "Judged",
        "JudgedInterest",
        "CalibrationReport",
        "Reliability",
    }
    path = whole / "stages" / "judge" / "judge"
    assert load_record(path, fit_saved.Judged, classes).rows[0].model == "popularity"
    with pytest.raises(DataError, match="cannot read the saved Judged"):
        load_record(path, fit_saved.Judged, classes - {JudgedInterest})
