"""Coverage on simulated logs with known truth: a small version of `copybandit bench interval_coverage`."""

from __future__ import annotations

import numpy as np
import pytest

from copybandit.evaluation.bounds import Span
from copybandit.evaluation.coverage_logs import REGIMES, Regime, population
from copybandit.evaluation.coverage_study import Cell, StudyGate
from copybandit.evaluation.coverage_track import StudySettings
from copybandit.sim.types import DataError
from tests.benchmarks.interval_coverage import kept, run, told

SMALL = StudySettings(logs=400, chunk=100, looks=10, replicates=400)
BY_NAME = {regime.name: regime for regime in REGIMES}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "clicks_10"])
def test_intervals_hold_where_rewards_are_many(name: str) -> None:
    result = run(BY_NAME[name], SMALL, seed=0)
    cells = {f"{cell.estimator}/{cell.interval}": cell for cell in result.cells}
    for estimator in ("ips", "dr"):
        for interval in ("normal", "boot_percentile", "boot_normal"):
            cell = cells[f"{estimator}/{interval}"]
            assert abs(cell.coverage - 0.95) <= cell.slack, (estimator, interval, cell.coverage)
        for interval in ("bernstein", "cs_bernstein", "cs_betting"):
            assert cells[f"{estimator}/{interval}"].coverage >= 0.95
        # Looked at ten times instead of once, the normal interval breaks its word.
        assert cells[f"{estimator}/normal_peeked"].verdict == "undercovers"
        assert cells[f"{estimator}/cs_betting"].width < cells[f"{estimator}/cs_bernstein"].width
    assert cells["ips/cs_clipped"].coverage >= 0.95
    assert result.refused(StudyGate()).mean() <= 0.05 and kept(told(result, StudyGate()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rare", "rare_bts", "dense_bts"])
def test_where_the_normal_interval_undercovers_the_gate_refuses(name: str) -> None:
    result = run(BY_NAME[name], SMALL, seed=0)
    cells = {f"{cell.estimator}/{cell.interval}": cell for cell in result.cells}
    assert cells["ips/normal"].verdict == "undercovers"
    assert result.refused(StudyGate()).mean() >= 0.95
    assert cells["ips/cs_clipped"].coverage >= 0.95
    if name != "rare":  # weights up to thousands: knowing the largest is worth less than not needing it
        assert cells["ips/cs_clipped"].width < cells["ips/cs_betting"].width
    for estimator in ("ips", "dr"):
        for interval in ("bernstein", "cs_bernstein", "cs_betting"):
            assert cells[f"{estimator}/{interval}"].coverage >= 0.95


@pytest.mark.parametrize("name", ["dense", "rare_bts"])
def test_the_truth_is_what_many_rows_average_to(name: str) -> None:
    world = population(BY_NAME[name], np.random.default_rng(0))
    batch = world.draw(1, 400_000, world.q, np.random.default_rng(1))
    z = batch.v + batch.weight * (batch.reward - batch.q)
    for terms, truth in ((batch.weight * batch.reward, world.value), (z, world.value), (batch.weight, 1.0)):
        assert terms.mean() == pytest.approx(truth, abs=4 * terms.std() / np.sqrt(terms.size))
    assert world.prob.sum() == pytest.approx(1) and world.target.sum() == pytest.approx(1)
    assert world.prob @ world.weight == pytest.approx(1) and batch.weight.max() <= world.weight.max()
    assert world.prob @ (world.weight * world.mean) == pytest.approx(world.value)
    assert Span(low=0.0, high=1.0).unit(batch.reward).shape == (1, 400_000)


def test_verdicts_follow_three_standard_errors() -> None:
    def verdict(interval: str, misses: int) -> str:
        missed = np.arange(400) < misses
        cell = Cell(regime="r", estimator="ips", interval=interval, missed=missed, width=1.0, alpha=0.05)
        return cell.verdict

    # Nominal is 20 misses of 400, three standard errors are 13.08.
    assert [verdict("normal", misses) for misses in (6, 7, 33, 34)] == [
        "overcovers", "holds", "holds", "undercovers",
    ]  # fmt: skip
    assert verdict("cs_betting", 0) == "holds" and verdict("cs_betting", 34) == "undercovers"


def test_what_cannot_be_studied_is_refused() -> None:
    with pytest.raises(DataError, match="logs a multiple of chunk"):
        StudySettings(logs=300, chunk=200)
    with pytest.raises(DataError, match="Regime none: needs 2 rows"):
        Regime(name="none", rows=1, actions=2, low=0.1, high=0.2, reward="click", logging=0.0, target=0.0)
