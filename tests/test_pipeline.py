"""The whole loop on small input: same seed, same report; resume; real formats; bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.pipeline import Pipeline, run
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.select_step import Selection, SelectRow, best_step
from copybandit.evaluation.settings import RunSettings
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Brief
from tests.slices import write_retail, write_upworthy
from tests.small_run import SMALL, small_pipeline

VOLATILE = ("timings_s", "memory_mb")


def _whole(path: Path, **overrides: object) -> Mapping[str, Any]:
    pipeline = small_pipeline(path, **overrides)
    return run(pipeline.settings, pipeline.folder, Silent())


def _stable(path: Path) -> str:
    report = json.loads((path / "report.json").read_text("utf-8"))
    return json.dumps({key: value for key, value in report.items() if key not in VOLATILE}, sort_keys=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run"
    _whole(path)
    return path


def test_report_has_the_keys_that_readers_rely_on(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text("utf-8"))
    assert {"source", "n_shoppers", "n_products", "n_interactions", "semi_synthetic"} <= report["data"].keys()
    assert {"auc_popularity_matched", "auc_popularity_baseline", "calibration_slope"} <= report[
        "interest_model"
    ].keys()
    assert {"pair_accuracy", "pair_accuracy_significant", "calibration_slope"} <= report[
        "response_model"
    ].keys()
    generator = report["generator"]
    for name in ("template", "template+interest", "best constant style", "best non-personal", "sft", "ppo"):
        assert 0 < generator[name]["gold_ctr"] < 1 and 0 < generator[name]["fitted_ctr"] < 1
    for name in ("ppo_gold_lift", "swap", "swap_at_zero_match"):
        assert generator[name]["ci_low"] <= generator[name]["value"] <= generator[name]["ci_high"]
    assert generator["swap_at_zero_match"]["value"] == pytest.approx(0, abs=1e-9)
    bandit = report["bandit"]
    assert set(bandit["policies"]) == {"uniform", "explore_then_commit", "thompson", "linucb"}
    assert bandit["uniform_ctr"] < bandit["oracle_ctr"]
    assert {row["estimator"] for row in report["ope"]["rows"]} == {"ips", "snips", "dm", "dr"}
    assert {row["kind"] for row in report["ledger"]} == {"fitted", "literature", "assumed"}
    tried = {row["term"] for row in report["sensitivity"]}
    assert tried == {"b_match", "b_interest", "style share of wording", "fatigue", "drift", "position_eta"}
    ranged = {row["term"].removesuffix(" (gold)") for row in report["ledger"] if row["range"]}
    assert ranged == tried, "the ledger shows a range only where results were repeated"
    assert set(report["timings_s"]) == {"data", "fit", "sft", "tune", "judge", "bandit"}


def test_copy_may_name_its_own_brand_and_no_other_of_the_shop(finished: Path) -> None:
    pipeline = Pipeline(
        load_settings("quickstart", SMALL),
        RunFolder(path=finished, settings=load_settings("quickstart", SMALL)),
        Silent(),
    )
    shop = pipeline.shop()
    first = shop.products[0]
    other = next(product.brand for product in shop.products if product.brand != first.brand)

    def rules(text: str) -> list[str]:
        return [found.rule for found in pipeline.editor.check(Brief(product=first), text)]

    assert rules(f"Meet the {first.name} by {first.brand}.") == []
    assert rules(f"Meet the {first.name}, better than {other}.")[:1] == ["brand"]
    for product, reference in zip(shop.products, shop.references, strict=True):
        assert pipeline.editor.check(Brief(product=product), reference) == ()


def test_the_select_split_keeps_the_best_step_of_all_restarts(finished: Path) -> None:
    rows = json.loads((finished / "report.json").read_text("utf-8"))["generator"]["select"]
    assert {row["restart"] for row in rows} == {0, 1}
    pipeline = Pipeline(
        settings := load_settings("quickstart", SMALL), RunFolder.resume(finished, settings), Silent()
    )
    kept = CausalLM.load(str(pipeline.folder.output("tune") / "seed-0" / "writer"))
    best = best_step([SelectRow.read(row) for row in rows if row["update"] > 0])
    sft = CausalLM.load(str(pipeline.folder.output("sft") / "writer"))
    reward, limit = pipeline.reward("select"), settings.tune.kl_target
    judge = Selection(untuned=sft, reward=reward, costs=None, max_kl=limit, seed=0)
    again = judge(kept, best.restart, best.update)
    assert again.reward == pytest.approx(best.reward, abs=1e-6)
    assert again.kl == pytest.approx(best.kl, abs=1e-4)
    runs = json.loads((finished / "report.json").read_text("utf-8"))["generator"]["tuning"]
    first, second = ([row["reward"] for row in runs if row["restart"] == k] for k in (0, 1))
    assert len(first) == len(second) and first != second


def test_same_seed_same_report(finished: Path, tmp_path: Path) -> None:
    _whole(tmp_path / "again")
    assert _stable(tmp_path / "again") == _stable(finished)


def test_another_seed_another_report(finished: Path, tmp_path: Path) -> None:
    pipeline = small_pipeline(tmp_path / "other", seed=1)
    pipeline.folder.run_stage("data", pipeline.data)
    ours = (finished / "stages" / "data" / "shop.json").read_text("utf-8")
    assert (tmp_path / "other" / "stages" / "data" / "shop.json").read_text("utf-8") != ours


@pytest.mark.parametrize("last", ["data", "tune"])
def test_resume_goes_on_after_the_last_finished_stage(last: str, finished: Path, tmp_path: Path) -> None:
    stages = ("data", "fit", "sft", "tune", "judge", "bandit")
    first = small_pipeline(tmp_path / "run")
    for name in stages[: stages.index(last) + 1]:
        first.folder.run_stage(name, getattr(first, name))
    stamp = (tmp_path / "run" / "stages" / last / "timing.json").read_bytes()
    again = RunFolder.resume(tmp_path / "run", first.settings)
    run(first.settings, again, Silent())
    assert (tmp_path / "run" / "stages" / last / "timing.json").read_bytes() == stamp
    assert _stable(tmp_path / "run") == _stable(finished)


def test_no_shown_copy_states_a_number_that_its_product_does_not_have(finished: Path) -> None:
    from copybandit.generators.editor import numbers

    pipeline = Pipeline(*_opened(finished), Silent())
    cells = pipeline.cells("judge")
    texts = json.loads((finished / "stages" / "judge" / "texts.json").read_text("utf-8"))
    for rows in texts.values():
        for row in rows:
            for brief, text in zip(cells.briefs, row, strict=True):
                product = brief.product
                said = f"{product.name} {product.title} {' '.join(product.facts)} {product.price:.2f}"
                assert numbers(text) <= numbers(said), (text, product)


def _opened(path: Path) -> tuple[Any, RunFolder[RunSettings]]:
    chosen = load_settings(str(path / "config.yaml"))
    return chosen, RunFolder.resume(path, chosen)


def test_the_loop_closes_on_real_formats(tmp_path: Path) -> None:
    """Online Retail and Upworthy in their owners' formats; the report calls itself semi-synthetic."""
    write_retail(tmp_path / "retail.csv", 300, 120, 0)
    write_upworthy(tmp_path / "tests.csv.gz", 400, 0)
    chosen = load_settings(
        "online-retail",
        {
            **{key: value for key, value in SMALL.items() if key != "data.n_shoppers"},
            "data.retail": str(tmp_path / "retail.csv"),
            "data.ab_tests": str(tmp_path / "tests.csv.gz"),
            "tune.sft_examples": 64,
            "n_segments": 2,
        },
    )
    with RunFolder.create(tmp_path / "run", chosen) as folder:
        report = run(chosen, folder, Silent())
    assert report["data"]["semi_synthetic"] is True
    assert "SEMI-SYNTHETIC" in (tmp_path / "run" / "report.html").read_text("utf-8")
    kinds = {row["term"]: row["kind"] for row in report["ledger"]}
    assert kinds["wording"] == "fitted" and kinds["b_match"] == "assumed"


def _command(*options: str, cwd: Path, name: str = "run") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from copybandit.cli.main import main; main()", name, *options]
    return subprocess.run(
        program, cwd=cwd, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}
    )


def test_a_finished_run_says_so_and_writes_its_report_again(finished: Path, tmp_path: Path) -> None:
    before = _stable(finished)
    (finished / "report.html").unlink()
    done = _command("--resume", str(finished), cwd=tmp_path)
    assert done.returncode == 0 and f"{finished} is finished: no stage is left to do" in done.stderr
    assert (finished / "report.html").is_file() and _stable(finished) == before
    assert not list((finished / "stages" / "tune").rglob("state-*"))


def test_the_log_of_the_bandit_stage_is_learned_from(finished: Path, tmp_path: Path) -> None:
    log = finished / "stages" / "bandit" / "log-linucb.parquet"
    sets = [f"tune.{key}" for key in ("episodes=64", "reference_samples=32", "restarts=1")]
    given = [part for one in sets for part in ("--set", one)]
    options = ("--shop", str(finished), "--judge", "--report-to", "none", "--out", "learned", *given)
    done = _command(*options, "--from-feedback", str(log), cwd=tmp_path, name="tune")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "learned" / "report.json").read_text("utf-8"))
    found = report["feedback"]
    assert found["rows"] == SMALL["bandit.n_impressions"] and found["clicks"] > 0
    assert 0 < found["judged_shown"] <= found["judged"]
    page = (tmp_path / "learned" / "report.html").read_text("utf-8")
    assert f"it showed {found['judged_shown']} of these {found['judged']} products" in page
    again = _command("--resume", "learned", cwd=tmp_path, name="tune")
    assert again.returncode == 0 and "learned is finished: no stage is left to do" in again.stderr
    folder = _command("--shop", str(finished), "--from-feedback", str(log.parent), cwd=tmp_path, name="tune")
    assert folder.returncode == 2 and "log-linucb.parquet, log-uniform.parquet" in folder.stderr


def _damaged(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """Bad purchase logs, and what the error must name."""
    good = tmp_path / "good.csv"
    write_retail(good, 60, 40, 0)
    lines = good.read_text("utf-8").splitlines()
    header = lines[0].split(",")
    price = header.index("UnitPrice")
    broken = lines[1].split(",")
    broken[price] = ""
    cases = {
        "empty": (b"", "empty"),
        "column": ("\n".join([lines[0].replace("UnitPrice", "Cost"), *lines[1:]]).encode(), "UnitPrice"),
        "nan": ("\n".join([lines[0], ",".join(broken), *lines[2:]]).encode(), "UnitPrice"),
        "encoding": ("\n".join([lines[0], lines[1]]).encode() + b"\xff\xfe\xff\n", "encod"),
    }
    found = {}
    for name, (content, word) in cases.items():
        path = tmp_path / f"{name}.csv"
        path.write_bytes(content)
        found[name] = (path, word)
    parquet = tmp_path / "whole.parquet"
    write_retail(parquet, 60, 40, 0)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(parquet.read_bytes()[:-200])
    return found | {"truncated": (cut, "cut.parquet")}


def test_bad_input_gets_one_line_and_exit_code_2_and_leaves_nothing(tmp_path: Path) -> None:
    tests = tmp_path / "tests.csv.gz"
    write_upworthy(tests, 50, 0)
    for name, (path, word) in _damaged(tmp_path).items():
        options = (
            "--config",
            "online-retail",
            "--retail",
            str(path),
            "--ab-tests",
            str(tests),
            "--out",
            name,
        )
        done = _command(*options, cwd=tmp_path)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        assert done.returncode == 2, (name, done.stderr)
        assert len(errors) == 1 and path.name in errors[0] and word in errors[0], (name, done.stderr)
        assert not (tmp_path / name).exists(), name


def test_bad_settings_get_one_line_and_exit_code_2(finished: Path, tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("name: mine\nseed: 0\nbandti: {}\n", "utf-8")
    cases = {
        "key": (("--config", str(config), "--out", "a"), "bandti"),
        "absent": (("--config", "online-retail", "--out", "b"), "--retail"),
        "exists": (("--out", str(finished)), "--resume"),
    }
    for name, (options, word) in cases.items():
        done = _command(*options, cwd=tmp_path)
        assert done.returncode == 2 and word in done.stderr, (name, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1, (name, done.stderr)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml"]
