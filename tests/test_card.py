"""The card as a whole: its gates, who has read the judge split, and the page that says all of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_struct

from copybandit.evaluation.card import SCHEMA, gate, read_card
from copybandit.evaluation.card_drift import RATIO_NAME
from copybandit.evaluation.card_make import make_card
from copybandit.evaluation.card_page import render
from copybandit.evaluation.card_reading import MARKER, Origin, check_unseen, mark_reading, readings_of
from copybandit.evaluation.card_request import CardRequest
from copybandit.evaluation.card_variety import variety, variety_of
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.storage import load_json
from copybandit.evaluation.tune_shop import TuneRequest
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError
from tests.card_subjects import subject_of, verdicts, written
from tests.small_run import small_pipeline

SHORT: dict[str, object] = {"tune.seeds": [0, 1], "tune.episodes": 64, "tune.reference_samples": 32}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A small shop and two seeds tuned in it."""
    pipeline = small_pipeline(tmp_path_factory.mktemp("tuned") / "run", **SHORT)
    for name in ("data", "fit", "sft", "tune"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    return pipeline


def checkpoints(pipeline: Pipeline) -> tuple[Path, ...]:
    return tuple(pipeline.folder.output("tune") / f"seed-{seed}" / "writer" for seed in (0, 1))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 5))
def test_a_gate_holds_exactly_between_its_ends(value: float, low: float, wide: float) -> None:
    assert gate("g", value, low=low, high=low + wide).passed == (low <= value <= low + wide)
    assert gate("g", float("nan"), low=low).passed is None


def test_one_pattern_everywhere_fails_diversity(fitted: Pipeline) -> None:
    rng = np.random.default_rng(0)
    tiny = CausalLM.load("tiny")
    cells = fitted.cells("select")
    varied = [row[0].text for row in tiny.propose(cells.briefs, 1, rng)]
    flat = written(fitted, "Meet the {name}, the one and only thing to have today.")
    assert verdicts(variety(subject_of(fitted, flat, varied))) == {
        "self-BLEU within a product at most 0.05 above before": False,
        "unique texts at least 0.9 of before": False,
    }
    assert None not in verdicts(variety(subject_of(fitted, varied, varied))).values()
    one = variety_of(cells.briefs, written(fitted, "For {word}: the {name}."), cells.product)
    assert one.patterns < 0.1 and one.unique > one.patterns and one.opening < 1 and one.within > 0.4


def test_readings_are_noted_before_anything_is_measured(fitted: Pipeline) -> None:
    folder = fitted.folder
    assert readings_of(folder) == ()
    assert [one.checkpoints for one in mark_reading(folder, ["a"])] == [("a",)]
    assert [one.checkpoints for one in mark_reading(folder, ["b", "c"])] == [("a",), ("b", "c")]
    assert len(load_json(folder.path / MARKER)) == 2
    (folder.path / MARKER).write_text('{"by": 3}', "utf-8")
    with pytest.raises(DataError, match="must list the readings of the judge split, and does not"):
        readings_of(folder)
    (folder.path / MARKER).unlink()


def test_a_writer_tuned_on_what_is_to_be_judged_is_refused(tuned: Pipeline, tmp_path: Path) -> None:
    """The same products under another split: some that tuning saw are to be judged there."""
    other = small_pipeline(tmp_path / "other", seed=7)
    other.folder.run_stage("data", lambda stage: _copy_shop(tuned, stage))
    path = checkpoints(tuned)[0]
    assert check_unseen(path, tuned.folder, tuned.shop(), "judge") == Origin(run="run", checked=True)
    with pytest.raises(DataError, match="was tuned in run run on products that are to be judged in other"):
        check_unseen(path, other.folder, other.shop(), "judge")
    assert check_unseen(tmp_path, tuned.folder, tuned.shop(), "judge") == Origin(run="", checked=False)


def test_a_writer_of_a_folder_of_tune_is_checked_too(tuned: Pipeline, tmp_path: Path) -> None:
    home = RunFolder.create(tmp_path / "tuning", TuneRequest(run=tuned.settings))
    for name in ("data", "fit"):
        shutil.copytree(tuned.folder.output(name), home.output(name))
    path = home.output("tune-ppo") / "seed-0" / "writer"
    shutil.copytree(checkpoints(tuned)[0], path)
    assert check_unseen(path, tuned.folder, tuned.shop(), "judge") == Origin(run="tuning", checked=True)
    other = small_pipeline(tmp_path / "other", seed=7)
    other.folder.run_stage("data", lambda stage: _copy_shop(tuned, stage))
    with pytest.raises(DataError, match="was tuned in run tuning on products that are to be judged in other"):
        check_unseen(path, other.folder, other.shop(), "judge")
    shutil.rmtree(home.output("data"))
    assert check_unseen(path, other.folder, other.shop(), "judge") == Origin(run="tuning", checked=False)


def _copy_shop(pipeline: Pipeline, stage: Path) -> None:
    for path in pipeline.folder.output("data").iterdir():
        if path.is_file():
            (stage / path.name).write_bytes(path.read_bytes())


@pytest.mark.slow
def test_the_whole_card(tuned: Pipeline, tmp_path: Path) -> None:
    request = CardRequest(checkpoints=checkpoints(tuned), run=tuned.folder.path, products=4)
    card = make_card(request, Silent())
    assert [one.number for one in card.measures] == list(range(1, 13))
    assert len(card.readings) == 1 and card.checkpoints[0].origin == "run"
    figures = {one.name: one for measure in card.measures for one in measure.figures}
    assert figures["KL per text"].value is not None and figures["KL per text"].value > 0
    calls = figures["less best of n at equal reward calls"]
    assert calls.value is not None  # the log of the run told how many
    assert verdicts(card.measures[3])[RATIO_NAME] is True
    page = render(card)
    assert all(one.note for measure in card.measures for one in measure.gates if one.passed is None)
    assert "at least 5 tuning seeds: found 2, allowed at least 5" in page and "What fails" in page
    assert "ORIGIN UNKNOWN" not in page and card.checkpoints[0].checked
    lost = replace_struct(card, checkpoints=(replace_struct(card.checkpoints[0], checked=False),))
    assert "ORIGIN UNKNOWN" in render(lost)
    assert all(f"{one.number}. {one.name}" in page for one in card.measures)
    assert page.count("<svg") == sum(len(one.pictures) for one in card.measures) >= 4
    from copybandit.evaluation.card_page import write_card

    write_card(card, tmp_path)
    raw = (tmp_path / "card.json").read_bytes()
    again = read_card(raw)
    assert render(again) == page == (tmp_path / "card.html").read_text("utf-8")
    with pytest.raises(DataError, match=f"schema must be '{SCHEMA}', got 'other'"):
        read_card(raw.replace(SCHEMA.encode(), b"other"))
    second = make_card(request, Silent())
    assert len(second.readings) == 2 and "NOT A FIRST READING" in render(second)
    assert _untimed(second.measures) == _untimed(card.measures)


def _untimed(measures: Sequence[object]) -> list[str]:
    return [
        str(one)
        for measure in measures
        for one in measure.figures  # type: ignore[attr-defined]
        if one.unit not in ("ms", "tokens/s")
    ]
