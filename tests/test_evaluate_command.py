"""`copybandit evaluate`: the quick lift, the card, its exit status, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from copybandit.cli.evaluate_command import Asked, execute
from copybandit.evaluation.card_reading import MARKER
from copybandit.evaluation.load_settings import load_settings, to_yaml
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.run_folder import RunFolder, stored_settings
from copybandit.generators.lm import CausalLM
from tests.small_run import SMALL, small_pipeline


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A small shop whose writer is there; nothing was tuned."""
    pipeline = small_pipeline(tmp_path_factory.mktemp("shop") / "run")
    for name in ("data", "fit", "sft"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    return pipeline


def asked(shop: Pipeline, **given: object) -> Asked:
    options: dict[str, object] = {
        "checkpoints": (shop.folder.output("sft") / "writer",),
        "run": shop.folder.path,
        "config": None,
        "against": "sft",
        "part": None,
        "budget": None,
        "seed": 0,
        "products": None,
        "card": False,
        "strict": False,
        "json": False,
        "out": None,
    }
    return Asked(**{**options, **given})  # type: ignore[arg-type]


def refused(capsys: pytest.CaptureFixture[str], request: Asked) -> str:
    with pytest.raises(SystemExit) as caught:
        execute(request)
    assert caught.value.code == 2
    text = capsys.readouterr().err
    return text.strip().splitlines()[-1]


def test_quick_prints_lifts_and_leaves_the_judge_unread(
    shop: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(asked(shop))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "clicks, gold world",
        "purchases per impression, gold world",
        "clicks, fitted world",
    ]
    assert all("95% interval" in line for line in lines)
    assert not (shop.folder.path / MARKER).exists()
    execute(asked(shop, json=True))
    assert json.loads(capsys.readouterr().out)["number"] == 1


@pytest.mark.slow
def test_an_untuned_writer_fails_its_card_and_strict_says_so(
    shop: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "card"
    with pytest.raises(SystemExit) as caught:
        execute(asked(shop, card=True, strict=True, out=out, products=4))
    assert caught.value.code == 1
    told = capsys.readouterr().out
    assert "probability ratio" in told and "not judged, tuning left no record of ratios" in told
    assert " 1 Gold lift" in told and "FAILED" in told and f"card: {out / 'card.html'}" in told
    card = json.loads((out / "card.json").read_text("utf-8"))
    kl = next(f for m in card["measures"] for f in m["figures"] if f["name"] == "KL per text")
    assert kl["value"] == pytest.approx(0, abs=1e-5)
    assert len(json.loads((shop.folder.path / MARKER).read_text("utf-8"))) == 1
    assert "exists; pass another --out" in refused(capsys, asked(shop, card=True, out=out))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"run": None}, "pass --run or --config, got neither"),
        ({"config": "quickstart"}, "pass --run or --config, got both"),
        ({"strict": True}, "--strict and --out belong to the card; add --card"),
        ({"part": "fit"}, "--part must be one of judge, select, got 'fit'"),
        ({"checkpoints": (Path("nowhere"),)}, "checkpoint nowhere: must be the folder of a saved writer"),
        ({"run": Path("nowhere")}, "nowhere holds no run"),
        ({"against": "nowhere"}, "generator 'nowhere': no such folder"),
    ],
)
def test_bad_input_is_one_line(
    shop: Pipeline, given: dict[str, object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, asked(shop, **given))
    assert line.startswith("error: ") and words in line


def test_one_folder_twice_is_no_second_seed(
    shop: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shop.folder.output("sft") / "writer"
    assert "got one folder twice" in refused(capsys, asked(shop, checkpoints=(path, path / ".." / "writer")))
    twin = shutil.copytree(path, tmp_path / "twin")
    assert f"got the same weights in {path} and {twin}" in refused(
        capsys, asked(shop, checkpoints=(path, twin))
    )


def test_a_folder_that_is_no_writer_is_refused(
    shop: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, asked(shop, checkpoints=(tmp_path,)))
    assert "must be the folder of a saved writer, and holds neither of config.json, adapter.json" in line
    broken = shutil.copytree(shop.folder.output("sft") / "writer", tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"cut off")
    assert str(broken) in refused(capsys, asked(shop, checkpoints=(broken,)))


def config_of(folder: Path, **given: object) -> str:
    """A config file of a small shop."""
    path = folder / "small.yaml"
    path.write_bytes(to_yaml(load_settings("quickstart", {**SMALL, "name": "small", **given})).encode())
    return str(path)


def test_a_config_makes_its_shop_once(
    shop: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "runs" / "small-3"
    given = {"run": None, "config": config_of(tmp_path, seed=3), "products": 4}
    assert "holds neither of" in refused(capsys, asked(shop, checkpoints=(tmp_path,), **given))
    assert not made.exists()  # nothing is made for a writer that is none
    execute(asked(shop, **given))
    first = capsys.readouterr().out
    assert first.startswith("clicks, gold world: +") or first.startswith("clicks, gold world: -")
    assert sorted(RunFolder.resume(made, stored_settings(made)).done()) == ["data", "fit", "sft"]
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file()}
    execute(asked(shop, **given))
    assert capsys.readouterr().out == first
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file()} == before
    config_of(tmp_path, seed=3, n_segments=4)
    line = refused(capsys, asked(shop, **given))
    assert "its shop lies in runs/small-3, which was made otherwise" in line and "--run runs/small-3" in line


def test_a_missing_config_is_one_line(
    shop: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, asked(shop, run=None, config="nowhere.yaml"))
    assert "nowhere.yaml" in line and not (tmp_path / "runs").exists()


def test_a_shop_without_a_judge_split_is_refused_and_counts_as_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chance gave this shop's judge split 16 shoppers: too few for a segment, though fit and select have one."""
    pipeline = small_pipeline(tmp_path / "run", seed=45, n_segments=1, **{"data.n_shoppers": 66})
    for name in ("data", "fit", "sft"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    line = refused(capsys, asked(pipeline, card=True))
    assert "cells: at least one product and a segment of" in line and "give more data" in line
    assert not (tmp_path / "run" / MARKER).exists()


def test_a_writer_of_another_vocabulary_has_no_kl(
    shop: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.tiny_lm import tiny_writer

    path = tiny_writer().save(tmp_path / "other")
    assert "must have the tokenizer" in refused(capsys, asked(shop, checkpoints=(path,)))


def test_a_run_without_its_writer_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = CausalLM.load("tiny").save(tmp_path / "writer")
    pipeline = small_pipeline(tmp_path / "bare")
    line = refused(capsys, asked(pipeline, checkpoints=(written,), run=tmp_path / "bare"))
    assert "data, fit, sft is not" in line


def test_writers_are_ranked_beside_the_untuned_one(
    shop: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy of the untuned writer is as good as it, to the last bit; one without weights is not."""
    import torch

    twin = shutil.copytree(shop.folder.output("sft") / "writer", tmp_path / "twin")
    spoiled = CausalLM.load(str(twin))
    with torch.no_grad():
        for weight in spoiled.model.parameters():
            weight.mul_(0.0)
    noise = spoiled.save(tmp_path / "noise")
    out = tmp_path / "out"
    request = asked(
        shop, checkpoints=(noise, twin), compare=True, json=True, out=out, gates=("twin.difference==0",)
    )
    execute(request)
    found = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in found["ranking"]["rows"]}
    assert rows[str(twin)]["mean"] == rows["sft"]["mean"] and found["kind"] == "writer"
    assert (rows["sft"]["best"], rows["sft"]["worst"]) == (rows[str(twin)]["best"], rows[str(twin)]["worst"])
    assert rows[str(noise)]["mean"] != rows["sft"]["mean"], (
        "the editor lets nothing of it through: references stand in"
    )
    assert "split select" in (out / "comparison.html").read_text("utf-8")
    assert "got both; drop one" in refused(capsys, asked(shop, compare=True, card=True))
    assert "are for policies, got writers" in refused(capsys, asked(shop, learn=True))
    assert "new text stands in no log" in refused(capsys, asked(shop, log=tmp_path))
