"""What differs between two run folders: settings by name, figures by place with the interval of their difference."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.diff_page import render, surely
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.run_diff import diff_figures, diff_runs, less
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.storage import save_json
from copybandit.sim.types import DataError

SAMPLE = json.loads((Path(__file__).parent / "report_sample.json").read_text("utf-8"))
FINITE = st.floats(-1e6, 1e6)


def run_folder(path: Path, report: Any, **settings: object) -> Path:
    folder = RunFolder.create(path, load_settings("quickstart", settings))
    save_json(folder.path / "report.json", report)
    return path


def test_equal_runs_differ_in_nothing(tmp_path: Path) -> None:
    found = diff_runs(run_folder(tmp_path / "a", SAMPLE), run_folder(tmp_path / "b", SAMPLE))
    assert not found.settings and not found.versions and not found.figures and found.same > 20
    assert "0 settings, 0 versions and 0 figures differ" in render(found)


def test_what_was_changed_is_named_with_its_interval(tmp_path: Path) -> None:
    other = deepcopy(SAMPLE)
    other["bandit"]["policies"]["linucb"]["ctr"] = 0.02
    lift = SAMPLE["generator"]["ppo_gold_lift"]
    other["generator"]["ppo_gold_lift"] = {key: lift[key] + 1 for key in ("value", "ci_low", "ci_high")}
    del other["generator"]["swap"]
    found = diff_runs(
        run_folder(tmp_path / "a", SAMPLE), run_folder(tmp_path / "b", other, **{"tune.kl_target": 2.5})
    )
    assert [(row.name, row.second) for row in found.settings] == [("tune.kl_target", "2.5")]
    by_name = {row.name: row for row in found.figures}
    linucb = by_name["bandit.policies.linucb.ctr"].difference
    assert linucb is not None and linucb.value == 0.02 - SAMPLE["bandit"]["policies"]["linucb"]["ctr"]
    assert math.isnan(linucb.ci_low) and not surely(by_name["bandit.policies.linucb.ctr"])
    moved = by_name["generator.ppo_gold_lift"].difference
    assert moved is not None and moved.value == pytest.approx(1)
    assert moved.ci_high - moved.ci_low == pytest.approx(
        2 * math.hypot(lift["value"] - lift["ci_low"], lift["ci_high"] - lift["value"])
    )
    assert surely(by_name["generator.ppo_gold_lift"])
    gone = by_name["generator.swap"]
    assert gone.second is None and gone.difference is None
    figures = diff_figures(found)
    assert figures["generator.ppo_gold_lift.difference.ci_low"] == moved.ci_low and figures["settings"] == 1
    assert "generator.ppo_gold_lift" in render(found)


@given(FINITE, FINITE, st.tuples(*[st.floats(0, 1e6)] * 4))
def test_a_difference_turned_round_is_its_mirror(
    a: float, b: float, reach: tuple[float, float, float, float]
) -> None:
    first = Interval(value=a, ci_low=a - reach[0], ci_high=a + reach[1])
    second = Interval(value=b, ci_low=b - reach[2], ci_high=b + reach[3])
    one, other = less(first, second), less(second, first)
    assert one.ci_low <= one.value <= one.ci_high
    assert (one.value, one.ci_low, one.ci_high) == pytest.approx(
        (-other.value, -other.ci_high, -other.ci_low), abs=1e-6
    )


def test_what_is_no_finished_run_is_one_line(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "a", SAMPLE)
    bare = RunFolder.create(tmp_path / "bare", load_settings("quickstart")).path
    for other, words in ((tmp_path, "holds no config.yaml"), (bare, "holds no report.json; go on with")):
        with pytest.raises(DataError, match=words):
            diff_runs(run, other)
    (bare / "report.json").write_text("[]")
    with pytest.raises(DataError, match="must be an object, got a list"):
        diff_runs(bare, run)
