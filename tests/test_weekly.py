"""The weekly loop on a small shop: it runs, its first week compares a writer with itself, and the report tells it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.report import render
from copybandit.evaluation.storage import load_json
from tests.small_run import small_pipeline

WEEKLY: dict[str, object] = {
    "tune.seeds": [0, 1],
    "bandit.policy": "thompson",
    "weekly.weeks": 2,
    "weekly.n_impressions": 4_000,
    "weekly.episodes": 64,
    "weekly.rho": 0.5,
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = small_pipeline(tmp_path_factory.mktemp("weekly") / "run", **WEEKLY)
    for name in ("data", "fit", "sft", "weekly"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    return pipeline


def test_the_first_week_compares_a_writer_with_itself(played: Pipeline) -> None:
    report = load_json(played.folder.output("weekly") / "report.json")
    first, second = report["weeks"]
    assert report["paths"] == 2
    assert first["gain"] == {"value": 0.0, "ci_low": 0.0, "ci_high": 0.0}
    assert first["agreement"] == first["agreement_frozen"]
    assert second["agreement"] != second["agreement_frozen"]
    for week in report["weeks"]:
        assert 2_000 < week["effective"] <= 4_000
        assert week["doubt_after"] < week["doubt_before"] / np.sqrt(0.7)  # what a week forgets
        assert np.isfinite([week["tuned"]["ci_low"], week["frozen"]["ci_high"], week["slope_after"]]).all()


def test_the_page_tells_the_weeks(played: Pipeline) -> None:
    report = load_json(played.folder.output("weekly") / "report.json")
    page = render({"weekly": report})
    assert "Week by week" in page and "2 paths of it" in page
    assert "Week by week" not in render({})


def test_the_shipped_config_plays_weeks_and_others_do_not(tmp_path: Path) -> None:
    assert load_settings("weekly", {}).weekly.weeks > 1
    assert load_settings("quickstart", {}).weekly.weeks == 0
