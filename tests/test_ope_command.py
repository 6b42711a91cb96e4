"""`copybandit ope` on this project's own logs: the truth, what is left out, what is refused, the page, the gates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from copybandit.agents.policies import BetaThompson, LinUCB
from copybandit.agents.policy_files import load_policy, save_policy
from copybandit.agents.relearn import logged_requests
from copybandit.agents.stateful import Stateful
from copybandit.cli.ope_command import Request, execute
from copybandit.evaluation import ope_read_log
from copybandit.evaluation.ope_asked import KNOWN, asked_of
from copybandit.evaluation.ope_judge import judge_log
from copybandit.evaluation.ope_page import render
from copybandit.evaluation.ope_source import open_log
from copybandit.evaluation.ope_target import target_of
from copybandit.evaluation.ope_verdict import Verdict
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.sim.schema import LOG_SCHEMA_1, SCHEMA_KEY
from tests.ope_season import NOW, Season, play


@pytest.fixture(scope="module")
def season(fitted: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Season:
    return play(fitted, tmp_path_factory.mktemp("season"))


def verdict(
    log: Path, policy: str | Path | None, names: tuple[str, ...] = (), columns: str | None = None
) -> Verdict:
    source = open_log(log, columns, np.random.default_rng(0))
    target = target_of(None if policy is None else str(policy), source)
    return judge_log(source, target, asked_of(names), seed=0, progress=Silent())


@pytest.mark.parametrize("name", ["linucb", "thompson", "disjoint_lints"])
def test_the_truth_is_where_the_estimates_say(season: Season, name: str) -> None:
    own = season.run.online()
    probs = load_policy(season.kept[name]).action_probs(
        logged_requests(own.log, season.actions), np.random.default_rng(0)
    )
    truth, logged = own.policy_value(probs), float(own.expected.mean())
    found = {line.estimator: line for line in verdict(season.folder, season.kept[name]).lines}
    for one in ("ips", "snips", "dr", "sndr"):
        told, gain = found[one].estimate, found[one].gain
        assert told is not None and gain is not None
        assert abs(told.value - truth) < 3 * told.std_err
        error = (gain.ci_high - gain.ci_low) / (2 * 1.96)
        assert abs(gain.value - (truth - logged)) < 3 * error
        assert gain.value == pytest.approx(told.value - own.log.reward.mean())


def test_the_logging_policy_gains_nothing_on_itself(season: Season) -> None:
    told = verdict(season.folder, "uniform")
    own = season.run.online().log
    held = len(season.run.log) - len(own)
    assert told.rows == len(own) and [(one.why, one.rows) for one in told.left_out] == [("holdout", held)]
    assert told.logged.value == pytest.approx(own.reward.mean())
    for line in told.lines[:2]:
        assert line.estimate is not None and line.gain is not None
        assert line.estimate.value == pytest.approx(own.reward.mean()) and line.estimate.max_weight == 1
        assert line.gain.value == pytest.approx(0, abs=1e-15) and line.gain.ci_high < 1e-15
        assert [one.method for one in line.estimate.intervals] == ["normal", "bootstrap"]


def test_chunks_and_the_held_out_change_nothing(
    season: Season, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = verdict(season.folder, season.kept["linucb"])
    monkeypatch.setattr(ope_read_log, "CHUNK", 1_234)
    cut = verdict(season.folder, season.kept["linucb"])
    table = pq.read_table(season.folder / "log.parquet")
    held = np.array(table["assignment"].to_pylist()) == "holdout"
    reward = pa.array(np.where(held, 100.0, table["reward"].to_numpy()))
    other = shutil.copytree(season.folder, tmp_path / "other")
    pq.write_table(table.set_column(table.schema.get_field_index("reward"), table.schema.field("reward"), reward),
                   other / "log.parquet")  # fmt: skip
    poisoned = verdict(other, season.kept["linucb"])
    assert whole.figures()["dr.gain.ci_low"] is not None and cut.rows == whole.rows
    for name, value in whole.figures().items():
        for other_way in (cut.figures()[name], poisoned.figures()[name]):
            assert (other_way is None) == (value is None)
            assert value is None or other_way == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_a_long_log_is_never_held(season: Season, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pq.read_table(season.folder / "log.parquet")
    with pq.ParquetWriter(tmp_path / "log.parquet", table.schema) as file:
        for _ in range(4):
            file.write_table(table, row_group_size=2_000)
    monkeypatch.setattr(ope_read_log, "CHUNK", 500)
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for chunk in ope_read_log.log_source(tmp_path / "log.parquet").chunks():
        rows += chunk.read
        most = max(most, pa.total_allocated_bytes() - before)
    assert rows == 4 * len(season.run.log)
    assert most < (tmp_path / "log.parquet").stat().st_size / 4


def test_a_log_of_the_layout_before_answers_whom_it_can(season: Season, tmp_path: Path) -> None:
    old = shutil.copytree(season.folder, tmp_path / "old")
    table = pq.read_table(old / "log.parquet").select(LOG_SCHEMA_1.names)
    pq.write_table(table.replace_schema_metadata(LOG_SCHEMA_1.metadata), old / "log.parquet")
    for policy in ("uniform", str(season.kept["thompson"])):
        now, then = verdict(season.folder, policy, ("ips", "snips")), verdict(old, policy, ("ips", "snips"))
        assert now.figures() == pytest.approx(then.figures(), nan_ok=True)
        assert "no context and state" in then.notes[0]
    line = verdict(old, "uniform", ("dr",)).lines[0]
    assert line.estimate is not None, "rates of variants are its reward model"


def run(capsys: pytest.CaptureFixture[str], **given: object) -> tuple[int, str, str]:
    code = 0
    try:
        execute(Request(**given))  # type: ignore[arg-type]
    except SystemExit as stop:
        code = int(stop.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


def refused(capsys: pytest.CaptureFixture[str], **given: object) -> str:
    code, out, err = run(capsys, **given)
    line = err.strip().splitlines()[-1]
    assert code == 2 and out == "" and line.startswith("error: ") and "Traceback" not in err
    return line


def test_a_table_a_page_and_gates(season: Season, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, object] = {"log": season.folder, "policy": str(season.kept["linucb"])}
    code, out, err = run(capsys, **given, out=tmp_path / "a", gates=("ips.ess>1", "dr.value < 1"))
    assert code == 0 and "gate ips.ess>1: passed" in err and "has learned from 6,000 rows" in out
    assert [name for name in KNOWN if f"\n{name}" not in out] == []
    names = {"ope.json", "ope.html"} | {
        f"{name}.{kind}" for name in ("values", "gains", "weights", "propensities") for kind in ("svg", "png")
    }
    assert {path.name for path in (tmp_path / "a").iterdir()} == names
    code, out, err = run(capsys, **given, out=tmp_path / "b", json=True, gates=("ips.ess>1", "dr.value>1"))
    assert code == 1 and "gate dr.value>1: FAILED" in err
    assert json.loads(out) == json.loads((tmp_path / "b" / "ope.json").read_text("utf-8"))
    assert [gate["passed"] for gate in json.loads(out)["gates"]] == [True, False]
    for name in names - {"ope.json", "ope.html"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    told = verdict(season.folder, season.kept["linucb"])
    page = render(told)
    assert page == render(told) and page.count("<svg") == 4 and "http" not in page.replace("http-equiv", "")
    assert "which exists; pass another --out" in refused(capsys, **given, out=tmp_path / "b")


def test_a_refused_estimate_has_no_number_and_passes_no_gate(
    season: Season, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = shutil.copytree(season.folder, tmp_path / "few")
    pq.write_table(pq.read_table(few / "log.parquet").slice(0, 300), few / "log.parquet")
    code, out, err = run(capsys, log=few, policy="uniform", estimators=("ips",), gates=("ips.value<9",))
    assert code == 1 and "FAILED, got nan" in err
    assert "ips: refused: effective rewards must be at least 100" in out
    page = render(verdict(few, "uniform", ("ips",)))
    assert (
        "Every estimate is refused: this log says nothing of this policy." in page and page.count("<svg") == 2
    )


def test_what_is_biased_shows_no_gain(season: Season, capsys: pytest.CaptureFixture[str]) -> None:
    told = {line.estimator: line for line in verdict(season.folder, season.kept["linucb"]).lines}
    gates = {
        name: {finding.gate for finding in line.estimate.findings}
        for name, line in told.items()
        if line.estimate
    }
    biased = {name for name, found in gates.items() if found & {"shrunk", "model"}}
    assert {"dm", "clipped"} <= biased and "dr" not in biased
    assert {name for name, line in told.items() if line.gain is None} == biased
    code, _, err = run(
        capsys, log=season.folder, policy=str(season.kept["linucb"]), gates=("clipped.gain.ci_low>-9",)
    )
    assert code == 1 and "FAILED, got nan" in err
    alone = verdict(season.folder, season.kept["linucb"], ("dm",))
    assert "Numbers from dm alone, whose bias nothing here tells" in render(alone)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"policy": None}, "--policy must be a checkpoint or one of uniform, prior_greedy, got none"),
        (
            {"policy": "nowhere"},
            "must be the folder of a checkpoint or one of uniform, prior_greedy, got nowhere",
        ),
        ({"log": Path("nowhere")}, "nowhere: no such file or folder"),
        ({"estimators": ("ips", "magic")}, "--estimators must be among ips, snips,"),
        ({"estimators": ("ips", "ips")}, "each once, got 'ips'"),
        ({"gates": ("ips=1",)}, "gate must be NAME.FIELD"),
        ({"gates": ("ips.valu>1",)}, "the figure must be one of "),
        ({"columns": "reward=a"}, "--columns are of a csv or Parquet table, got a folder"),
    ],
)
def test_bad_input_is_one_line(
    season: Season, given: dict[str, object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = {"log": season.folder, "policy": "uniform", "estimators": ("ips",)}
    assert words in refused(capsys, **{**usual, **given})


def changed(season: Season, out: Path, column: str, values: object) -> Path:
    """The season's folder with a column of its log written anew."""
    folder = shutil.copytree(season.folder, out / column)
    table = pq.read_table(folder / "log.parquet")
    field = table.schema.field(column)
    made = pa.array(values, field.type)
    pq.write_table(
        table.set_column(table.schema.get_field_index(column), field, made), folder / "log.parquet"
    )
    return folder


def test_a_log_that_was_changed_is_refused(
    season: Season, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    n = len(season.run.log)
    cases = (
        ("propensity_score", np.full(n, 0.9), "propensity must be that of action_probs"),
        ("item_id", np.zeros(n, np.int64), "item_id must be the candidate at action"),
        ("action", np.full(n, 77), "item_id must be the candidate at action"),
        ("assignment", ["holdout"] * n, f"must hold rows that a policy decided, got {n} holdout"),
        ("reward", np.full(n, np.nan), "reward must be finite, got nan"),
    )
    for column, values, words in cases:
        assert words in refused(capsys, log=changed(season, tmp_path, column, values), policy="uniform")
    log = tmp_path / "log.parquet"
    for spoil, words in (
        (
            lambda: log.write_bytes((season.folder / "log.parquet").read_bytes()[:-99]),
            "not a whole Parquet file",
        ),
        (
            lambda: pq.write_table(pa.table({"a": [1]}), log),
            "must carry the schema of a log, got another table",
        ),
        (
            lambda: pq.write_table(
                pa.table({"a": [1]}).replace_schema_metadata({SCHEMA_KEY: b"copybandit.log/3"}), log
            ),
            "schema must be copybandit.log/2, got copybandit.log/3",
        ),
    ):
        spoil()
        assert words in refused(capsys, log=log, policy="uniform")
    alone = shutil.copy(season.folder / "log.parquet", tmp_path / "log.parquet")
    assert "needs what the policy knew" in refused(capsys, log=Path(alone), policy=str(season.kept["linucb"]))


def test_a_checkpoint_that_does_not_fit_is_refused(
    season: Season, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    m, q = season.actions.shape
    kept: dict[str, Stateful] = {
        "other_set": BetaThompson(np.full(m + 1, 0.02)),
        "other_width": LinUCB(n_actions=m, n_features=q + 1, n_context=1),
    }
    for name, policy in kept.items():
        save_policy(policy, tmp_path / name, rows=0, created=NOW)
    assert f"must be a policy over the {m} variants" in refused(
        capsys, log=season.folder, policy=str(tmp_path / "other_set")
    )
    assert "cannot be asked about" in refused(capsys, log=season.folder, policy=str(tmp_path / "other_width"))
    torn = shutil.copytree(season.kept["linucb"], tmp_path / "torn")
    (state,) = torn.glob("state-*.safetensors")
    state.write_bytes(state.read_bytes()[:-10])
    assert "the file is damaged, take an earlier checkpoint" in refused(
        capsys, log=season.folder, policy=str(torn)
    )
    later = shutil.copytree(season.kept["linucb"], tmp_path / "later")
    told = json.loads((later / "manifest.json").read_text())
    (later / "manifest.json").write_text(json.dumps({**told, "schema": 99}))
    line = refused(capsys, log=season.folder, policy=str(later))
    assert str(later) in line
