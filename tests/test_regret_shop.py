"""The shop of four scenarios, policies in other processes, and the picture of their regret."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from copybandit.agents.bandit import batch_of, run_bandit
from copybandit.agents.policies import Uniform
from copybandit.evaluation.bench_peers import LISTS, Runner, environment_of
from copybandit.evaluation.regret_chart import Curve, regret_chart
from copybandit.evaluation.regret_policies import EPSILON, GRIDS, NAMES, TUNED, USUAL, our_policy, rows_of
from copybandit.evaluation.regret_shop import SCENARIOS, VARIANTS, Ground, Scenario, Season, make_ground
from copybandit.evaluation.remote_policy import RemotePolicy
from copybandit.sim.types import DataError

IMPRESSIONS, SIZE, PRODUCTS = 1_200, 100, 4
RUNNER = """
import json, sys
for line in sys.stdin:
    job, answer = json.loads(line), {"cpu_s": 0.5}
    if "choose" in job:
        answer["column"] = [0] * 100
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return make_ground(3, PRODUCTS, tmp_path_factory.mktemp("shop") / "run")


def season(ground: Ground, scenario: Scenario) -> Season:
    return Season(ground, scenario, n_impressions=IMPRESSIONS, days=6)


def test_copy_on_show_is_new_and_its_own_products(ground: Ground) -> None:
    assert len(set(ground.texts)) == len(ground.texts) == PRODUCTS * VARIANTS
    np.testing.assert_array_equal(ground.goods.truth.product, np.repeat(np.arange(PRODUCTS), VARIANTS))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_policies_meet_the_same_requests_and_the_same_answers(ground: Ground, scenario: Scenario) -> None:
    first, second = season(ground, scenario), season(ground, scenario)
    rng = np.random.default_rng(0)
    for step in range(IMPRESSIONS // SIZE):
        one, two = first.visits(step, SIZE), second.visits(step, SIZE)
        for name in ("shopper", "product", "position", "time", "candidates", "context"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        best = first.expected_click(one).argmax(axis=1)
        other = np.where(rng.random(SIZE) < 0.5, best, (one.candidates >= 0).argmax(axis=1))
        same = (
            first.expected_click(one)[np.arange(SIZE), best]
            == second.expected_click(two)[np.arange(SIZE), best]
        )
        clicked, again = first.respond(one, best).click, second.respond(two, other).click
        alike = same & (best == other)
        np.testing.assert_array_equal(clicked[alike], again[alike])
        assert alike.any()


def test_copy_arrives_day_by_day_and_stays(ground: Ground) -> None:
    shop, counts = season(ground, "new_copy"), []
    for step in range(IMPRESSIONS // SIZE):
        visits = shop.visits(step, SIZE)
        counts.append((visits.candidates >= 0).sum(axis=1))
        assert (shop.expected_click(visits)[visits.candidates < 0] == 0).all()
        assert (visits.state[visits.candidates < 0] == 0).all()
        shop.respond(visits, (visits.candidates >= 0).argmax(axis=1))
    by_day = np.array(counts).reshape(6, -1)
    assert by_day.min(axis=1).tolist() == by_day.max(axis=1).tolist() == [2, 3, 4, 5, 6, 6]


def test_truth_drifts_from_day_to_day_and_else_stands_still(ground: Ground) -> None:
    for scenario, moves in (("drift", True), ("stationary", False)):
        shop, first = season(ground, scenario), season(ground, scenario)  # type: ignore[arg-type]
        early = first.visits(0, SIZE)
        for step in range(IMPRESSIONS // SIZE):
            late = shop.visits(step, SIZE)
            shop.respond(late, np.zeros(SIZE, dtype=np.int64))
        # Asked for the requests of the first day, the last day's truth answers.
        rested = season(ground, scenario)  # type: ignore[arg-type]
        rested._turn_to(5)
        gap = np.abs(rested.expected_click(early) - first.expected_click(early)).max()
        assert (gap > 0.002) == moves


def test_fatigue_lowers_what_was_seen(ground: Ground) -> None:
    def expected(scenario: Scenario) -> float:
        return float(run_bandit(
            Uniform(), season(ground, scenario), n_impressions=IMPRESSIONS, batch_size=SIZE, rng=np.random.default_rng(0)
        ).expected[-400:].mean())  # fmt: skip

    assert expected("fatigue") < expected("stationary")


@pytest.mark.parametrize("name", NAMES)
def test_every_policy_plays_with_every_row_of_its_grid(ground: Ground, name: str) -> None:
    visits = season(ground, "stationary").visits(0, SIZE)
    batch, ones = batch_of(visits, ground.goods.actions), np.ones(SIZE)
    assert len(rows_of(name)) == (8 if name.endswith(TUNED) else 1)
    for row in rows_of(name):
        policy = our_policy(name, ground, row, IMPRESSIONS)
        assert {key: policy.settings()[key] for key in row} == row
        assert (
            policy.settings().get("epsilon", 1.0) == row.get("epsilon", EPSILON if row else 0.05)
            or name == "uniform"
        )
        probs = policy.action_probs(batch, np.random.default_rng(0))
        policy.update(batch, probs.argmax(axis=1), ones, ones)
        np.testing.assert_allclose(probs.sum(axis=1), 1.0)


def test_a_tuned_policy_is_the_shipped_one_but_for_its_row(ground: Ground) -> None:
    for name, rows in GRIDS.items():
        tuned, shipped = (
            our_policy(one, ground, rows[-1], IMPRESSIONS).settings() for one in (name + TUNED, name)
        )
        changed = {key for key in tuned if not np.array_equal(tuned[key], shipped[key])}
        assert changed <= {*rows[-1], "epsilon"} and "epsilon" in changed, name


def test_contenders_are_known_by_name() -> None:
    assert set(USUAL) < set(NAMES)
    with pytest.raises(DataError, match=r"must be among linucb tuned, .*, got gittins; correct the name"):
        rows_of("gittins")


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    """Another project that always chooses the first column."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    peer = tmp_path / "peers" / "first"
    peer.mkdir(parents=True)
    (peer / "regret.py").write_text(RUNNER, "utf-8")
    (peer / LISTS[0]).write_text("# nothing\n", "utf-8")
    environment = environment_of(peer)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (environment / "installed").touch()
    found = Runner(peer, "regret")
    yield found
    found.close()


def test_another_projects_choices_are_played_and_its_time_is_counted(
    ground: Ground, runner: Runner, tmp_path: Path
) -> None:
    policy = RemotePolicy("first", runner, {"a": 1.0}, 0, (PRODUCTS, VARIANTS), tmp_path)
    shop = season(ground, "stationary")
    done = run_bandit(policy, shop, n_impressions=300, batch_size=100, rng=np.random.default_rng(0))
    assert (done.log.action == 0).all() and (done.log.action_probs[:, 0] == 1).all()
    assert policy.cpu_s == pytest.approx(0.5 * (1 + 3 + 3))
    with pytest.raises(DataError, match=r"must answer with 50 columns in \[0, 6\), got \(100,\)"):
        run_bandit(policy, season(ground, "stationary"), n_impressions=50, rng=np.random.default_rng(0))


def test_the_picture_has_a_panel_for_each_scenario() -> None:
    at = np.linspace(1, 100, 5)
    curves = [
        Curve(scenario=scenario, name=name, at=at, regret=at * 0.1, peer=name == "theirs")
        for scenario in SCENARIOS
        for name in ("ours", "theirs")
    ]
    with Image.open(io.BytesIO(regret_chart(curves))) as picture:
        two = picture.size
    with Image.open(io.BytesIO(regret_chart(curves[:2]))) as picture:
        assert picture.size[0] == two[0] and picture.size[1] < two[1]
    with pytest.raises(DataError, match="at least one curve, got none"):
        regret_chart([])
    with pytest.raises(DataError, match="as many finite regrets"):
        Curve(scenario="x", name="y", at=at, regret=at[:2], peer=False)
