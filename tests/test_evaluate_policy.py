"""`copybandit evaluate` for policies and pairs: seasons, ranks, logs, gates, pages, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copybandit.agents.discounted import Discounted
from copybandit.agents.guarded import Guarded
from copybandit.agents.guardrails import Guardrails
from copybandit.agents.policies import BetaThompson, Uniform
from copybandit.agents.policy_files import load_policy, save_policy
from copybandit.cli.evaluate_command import Asked, execute
from copybandit.evaluation.carried_policy import CarriedPolicy
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.simulate import simulate
from copybandit.generators.lm import CausalLM

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def kept(fitted: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what seasons in the shop have left: two policies, one within a discount, and a writer."""
    folder = tmp_path_factory.mktemp("kept")
    for name in ("linucb", "thompson"):
        simulate(fitted.folder, name, "parquet", Silent(), CarriedPolicy(save=folder / name, now=NOW))
    faded = Discounted(load_policy(folder / "thompson"), half_life_days=3.0)
    save_policy(faded, folder / "faded", rows=7_000, created=NOW)
    CausalLM.load("tiny").save(folder / "writer")
    return folder


def asked(fitted: Pipeline, *checkpoints: Path | str, **given: object) -> Asked:
    options: dict[str, object] = {
        "checkpoints": checkpoints, "run": fitted.folder.path, "config": None, "against": None, "part": None, "budget": None,
        "seed": 0, "products": None, "card": False, "strict": False, "json": False, "out": None, "seasons": 2,
        "impressions": 2_000,
    }  # fmt: skip
    return Asked(**{**options, **given})  # type: ignore[arg-type]


def refused(capsys: pytest.CaptureFixture[str], request: Asked) -> str:
    with pytest.raises(SystemExit) as caught:
        execute(request)
    assert caught.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def told(capsys: pytest.CaptureFixture[str], request: Asked) -> dict[str, Any]:
    execute(request)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def figure(card: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in card["figures"] if one["name"] == name)


def test_a_season_leaves_a_policy_that_beats_chance(
    fitted: Pipeline, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    card = told(capsys, asked(fitted, kept / "linucb", json=True, out=out))
    ctr, closed = figure(card, "ctr"), figure(card, "gap_closed")
    assert ctr["lift"]["ci_low"] > 0 and ctr["ours"]["value"] > ctr["theirs"]["value"]
    assert closed["ours"]["value"] > 0.2 and abs(closed["theirs"]["value"]) < 0.1
    assert figure(card, "regret_per_1000")["difference"]["ci_high"] < 0
    assert card["clusters"] == "shoppers" and card["rows_learned"] == 7_000 and not card["learns"]
    assert sum(row["impressions"] for row in card["segments"]) == 4_000
    assert all(len(one["candidates"]) > 1 for one in card["decisions"])
    assert card == json.loads((out / "evaluation.json").read_text("utf-8"))
    page = (out / "evaluation.html").read_text("utf-8")
    assert not re.search(r"""(src|href)=["'](?!#)|@import|https?://(?!www\.w3\.org)""", page), (
        "one file is all of it"
    )
    assert "What may not be concluded" in page and "Shown " in page
    for name in ("lost", "segments", "propensity", "shown", "believed"):
        assert (out / f"{name}.png").stat().st_size > 5_000 and (out / f"{name}.svg").stat().st_size > 3_000
    assert "exists; pass another --out" in refused(capsys, asked(fitted, kept / "linucb", out=out))


def test_the_same_question_gets_the_same_bytes(
    fitted: Pipeline, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = asked(fitted, kept / "thompson", impressions=500)
    execute(request)
    first = capsys.readouterr().out
    page = Path(first.strip().splitlines()[-1].removeprefix("page: "))
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    execute(request)
    assert capsys.readouterr().out == first
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before


def test_a_policy_is_exactly_as_good_as_itself(
    fitted: Pipeline, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = shutil.copytree(kept / "linucb", tmp_path / "twin")
    card = told(capsys, asked(fitted, kept / "linucb", against=str(twin), json=True))
    for one in card["figures"]:
        assert one["difference"] == {"value": 0.0, "ci_low": 0.0, "ci_high": 0.0}, one["name"]


def test_gates_decide_the_exit_status(
    fitted: Pipeline, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(asked(fitted, kept / "linucb", gates=("ctr_lift.ci_low > 0", "ctr<1")))
    assert "gate ctr_lift.ci_low>0: passed" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        execute(asked(fitted, kept / "linucb", gates=("ctr<1", "ctr_lift>9")))
    assert caught.value.code == 1
    assert "gate ctr_lift>9: FAILED" in capsys.readouterr().err
    line = refused(capsys, asked(fitted, kept / "linucb", gates=("wonder>0",), impressions=200))
    assert "the figure must be one of conversion, " in line
    assert "gate must be NAME.FIELD" in refused(capsys, asked(fitted, kept / "linucb", gates=("ctr",)))


def test_learning_policies_are_judged_by_seasons(
    fitted: Pipeline, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = told(capsys, asked(fitted, kept / "faded", learn=True, json=True, against=str(kept / "thompson")))
    assert card["clusters"] == "seasons" and card["learns"] and card["policy"] == "discounted_thompson"
    ctr = figure(card, "ctr")["ours"]
    assert ctr["ci_low"] < ctr["value"] < ctr["ci_high"]
    line = refused(capsys, asked(fitted, kept / "faded", learn=True, seasons=1))
    assert "--seasons must be at least 2 where policies learn" in line


def test_many_are_ranked(
    fitted: Pipeline, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = (kept / "linucb", kept / "thompson", kept / "faded")
    gates, out = ("linucb.rank.worst==1", "best.mean>0"), tmp_path / "out"
    found = told(capsys, asked(fitted, *many, compare=True, json=True, out=out, gates=gates))
    rows = found["ranking"]["rows"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4] and found["ranking"]["reference"] == "uniform"
    assert rows[0]["name"].endswith("linucb") and rows[0]["worst"] == 1
    twins = [row for row in rows if row["name"].endswith(("thompson", "faded"))]
    assert {row["mean"]["value"] for row in twins} == {twins[0]["mean"]["value"]}, (
        "frozen, a discount changes nothing"
    )
    page = (out / "comparison.html").read_text("utf-8")
    assert "beyond chance" in page and (out / "ranks.png").is_file()
    line = refused(capsys, asked(fitted, *many))
    assert "judges one policy at a time, got 3; add --compare" in line


def test_a_pair_learns_on_what_its_writer_writes(
    fitted: Pipeline, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = told(capsys, asked(fitted, f"{kept / 'writer'}+{kept / 'faded'}", json=True))
    assert card["kind"] == "pair" and card["learns"] and card["rows_learned"] == 0
    assert card["policy"] == "discounted_thompson"
    earlier = set(fitted.shop().sample.texts)
    shown = [one["text"] for decision in card["decisions"] for one in decision["candidates"]]
    assert shown and not set(shown) <= earlier
    assert any("began anew" in line for line in card["cautions"])
    rules = Guarded(Uniform(), Guardrails(paused=(0,)))
    save_policy(rules, kept / "ruled", rows=0, created=NOW)
    line = refused(capsys, asked(fitted, f"{kept / 'writer'}+{kept / 'ruled'}"))
    assert "must name no variants, got paused" in line


def test_a_log_values_a_policy_alone_or_beside_its_seasons(
    fitted: Pipeline, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, even, out = simulate(fitted.folder, "uniform", "parquet", Silent()), kept / "even", tmp_path / "out"
    save_policy(Uniform(), even, rows=0, created=NOW)
    alone = told(capsys, asked(fitted, even, run=None, log=log, json=True, gates=("dr.ci_low>0",)))
    dr = next(line for line in alone["lines"] if line["estimator"] == "dr")
    both = told(capsys, asked(fitted, even, log=log, json=True, out=out, gates=("dr.ci_low>0", "ctr>0")))
    assert both["log"]["lines"] == alone["lines"]
    truth, interval = figure(both["seasons"], "ctr")["ours"]["value"], dr["estimate"]["intervals"][0]
    reach = interval["high"] - interval["low"]
    assert interval["low"] - reach < truth < interval["high"] + reach, "other seasons of the same shop"
    with pytest.raises(SystemExit) as caught:
        execute(asked(fitted, kept / "linucb", run=None, log=log, gates=("dr.value>-1",)))
    assert caught.value.code == 1, "too few of its clicks are in the log: what is refused passes no gate"
    assert "effective rewards must be at least" in capsys.readouterr().out
    assert (out / "log" / "ope.html").is_file() and (tmp_path / "out" / "evaluation.html").is_file()
    pair = f"{kept / 'writer'}+{kept / 'linucb'}"
    assert "got a pair, whose new text stands in no log" in refused(capsys, asked(fitted, pair, log=log))
    line = refused(capsys, asked(fitted, kept / "linucb", run=None, log=log, learn=True))
    assert "need a shop; add --run or --config" in line


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"run": None}, "pass --run or --config, got neither"),
        ({"run": Path("nowhere")}, "nowhere holds no run"),
        ({"against": "nowhere"}, "--against must be uniform, prior_greedy or a checkpoint"),
        ({"card": True}, "are for writers, got policies; drop them"),
        ({"part": "judge"}, "--part is for what writers write"),
        ({"strict": True}, "--strict and --out belong to the card"),
        ({"diff": (Path("a"), Path("b"))}, "--diff compares two run folders and needs nothing else"),
    ],
)
def test_bad_options_are_one_line(
    fitted: Pipeline, kept: Path, given: dict[str, object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, asked(fitted, kept / "linucb", **given))
    assert line.startswith("error: ") and words in line


def test_damaged_and_foreign_policies_are_one_line(
    fitted: Pipeline, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut, newer, other = (tmp_path / name for name in ("cut", "newer", "other"))
    for folder in (cut, newer):
        shutil.copytree(kept / "linucb", folder)
    [state] = cut.glob("state-*.safetensors")
    state.write_bytes(state.read_bytes()[:-7])
    manifest = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps(manifest | {"schema": manifest["schema"] + 1}))
    save_policy(BetaThompson(np.full(5, 0.1)), other, rows=0, created=NOW)
    refusals = {
        cut: "the file is damaged",
        newer: "load it with a newer copybandit",
        other: "variants that the shop shows, got one of 5",
    }
    for folder, words in refusals.items():
        line = refused(capsys, asked(fitted, folder))
        assert str(folder) in line and words in line
