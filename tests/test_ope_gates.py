"""Gates: a good log passes every one, and each fault of a log is named by the gate that is meant for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.ope_estimate import Estimate, evaluate
from copybandit.evaluation.ope_estimators import DM, DR, IPS, USUAL, clipped
from copybandit.evaluation.ope_gates import ROUNDED_SAMPLE, how_written
from copybandit.evaluation.ope_rows import Rows
from copybandit.evaluation.season_report import told
from copybandit.sim.types import Floats

N = 5_000


def one(
    propensity: Floats,
    target: Floats | None = None,
    rate: float = 0.1,
    *,
    refuse: bool = True,
    misses: int = 0,
) -> Estimate:
    """IPS of a target that is the log's own policy unless given."""
    rng, n = np.random.default_rng(4), len(propensity)
    rows = Rows(
        reward=(rng.random(n) < rate).astype(float),
        propensity=propensity,
        target_prob=propensity if target is None else target,
        support_misses=misses,
    )
    return evaluate(rows, [IPS], refuse=refuse)[0]


def gates(estimate: Estimate) -> list[tuple[str, bool]]:
    return [(finding.gate, finding.refuses) for finding in estimate.findings]


def test_a_good_log_passes_and_has_its_number() -> None:
    found = one(np.full(N, 0.25))
    assert not found.findings and not found.refused and np.isfinite([found.value, found.ci_low]).all()


def test_each_fault_is_named_by_its_gate() -> None:
    fair = np.full(N, 0.25)
    assert gates(one(fair / 4, fair)) == [("weights", True)], "propensities a quarter of what they were"
    lonely = fair.copy()
    lonely[0] = 1e-6
    assert ("ess", True) in gates(one(lonely, fair))
    assert gates(one(fair, rate=0.003)) == [("rewards", True)]
    assert gates(one(fair, misses=10)) == [("support", False)]
    assert gates(one(fair, misses=N)) == [("support", True)]
    # One round in 400 has weight 200, the others 0.5: effective sample 0.5% of 100,000 rounds.
    rng, n = np.random.default_rng(0), 100_000
    heavy = rng.random(n) < 1 / 400
    spread = one(np.where(heavy, 0.005, 1.0), np.where(heavy, 1.0, 0.5), rate=0.9)
    assert gates(spread) == [("ess_share", True)] and 100 < spread.ess < 0.01 * n


def test_a_large_weight_that_went_unrewarded_is_seen() -> None:
    """The number of effective rewards cannot see it: nothing was earned there, but something might have been."""
    rng, n = np.random.default_rng(4), 40_000
    click = rng.random(n) < 0.02
    dull = int(np.flatnonzero(~click)[0])
    propensity, target = np.full(n, 0.5), np.full(n, 0.5)
    propensity[dull], target[dull] = 0.005, 0.5 * 30 * 0.02
    rows = Rows(reward=click.astype(float), propensity=propensity, target_prob=target)
    (found,) = evaluate(rows, [IPS])
    assert gates(found) == [("leverage", True)] and found.effective_rewards > 700
    (shrunk,) = evaluate(rows, [clipped(5.0)])
    assert not shrunk.refused


def test_a_refused_estimate_keeps_its_diagnostics_and_has_no_number_unless_asked() -> None:
    fair = np.full(N, 0.25)
    refused, asked = one(fair / 4, fair), one(fair / 4, fair, refuse=False)
    assert np.isnan([refused.value, refused.std_err, refused.ci_low, refused.ci_high]).all()
    assert np.isfinite([asked.value, asked.std_err, asked.ci_low, asked.ci_high]).all()
    assert refused.findings == asked.findings and refused.refused and asked.refused
    for name in ("n", "ess", "max_weight", "weight_sum_over_n", "effective_rewards"):
        assert getattr(refused, name) == getattr(asked, name)
    row = told(refused, 0.1)
    assert [row[name] for name in ("value", "ci_low", "ci_high", "covered")] == [None] * 4
    assert row["refused"] and row["doubts"] == ["weights"] and row["ess"] == N
    kept = told(one(fair), 0.1)
    assert kept["covered"] == (kept["ci_low"] <= 0.1 <= kept["ci_high"]) and not kept["refused"]


def test_every_message_says_rule_value_and_remedy_on_one_line() -> None:
    rng = np.random.default_rng(0)
    rounded = np.round(rng.uniform(0.001, 0.02, N), 3).clip(0.001)
    bad = [
        one(np.full(N, 0.25) / 4, np.full(N, 0.25), rate=0.001, misses=N),
        one(rounded, np.full(N, 0.01)),
        one(rng.uniform(0.5, 1, N) ** 60 + 1e-9, np.full(N, 0.5)),
    ]
    texts = [text for estimate in bad for text in estimate.warnings]
    assert len(texts) >= 6
    for text in texts:
        assert ", got " in text and (";" in text or ", so " in text) and "\n" not in text, text


def test_a_direct_method_says_what_its_interval_leaves_out() -> None:
    rng = np.random.default_rng(1)
    half, q = np.full(N, 0.5), rng.random(N)
    rows = Rows(reward=rng.random(N), propensity=half, target_prob=half, q=q, v=q)
    of_model, of_both = evaluate(rows, [DM, DR])
    assert gates(of_model) == [("model", False)] and of_model.ess == N
    assert not of_both.findings


@pytest.mark.parametrize("digits", [3, 4, 5])
def test_rounded_propensities_are_found_and_what_they_may_do_is_bounded(digits: int) -> None:
    rng = np.random.default_rng(2)
    unit = 10.0**-digits
    true = rng.uniform(unit, 20 * unit, N)
    rounded = np.maximum(np.round(true, digits), unit)
    target = np.full(N, unit)
    off = how_written(rounded, target).rounded
    moved = abs((target / rounded).mean() / (target / true.clip(unit)).mean() - 1)
    assert 0.03 < off < 0.5 and moved < off
    assert how_written(true, target).rounded == 0


def test_policies_with_few_or_coarse_exact_propensities_are_not_called_rounded() -> None:
    rng = np.random.default_rng(3)
    few = rng.choice([0.05, 0.9, 0.1, 0.25], N)
    assert how_written(few, few).rounded == 0
    fine = rng.choice(np.arange(100, 1000) / 1000, N)
    assert how_written(fine, fine).rounded < 0.01, "rounded perhaps, but nothing follows from it"


def test_a_floor_that_carries_weight_is_found() -> None:
    true = np.random.default_rng(5).uniform(1e-8, 1e-4, N)
    floored = np.maximum(true, 1e-5)
    assert ("floored", False) in gates(one(floored, true))
    assert ("floored", True) in gates(one(floored, np.full(N, 5e-5)))


def test_a_floor_of_exploration_is_no_fault() -> None:
    rng = np.random.default_rng(6)
    n = 200_000
    propensity = np.maximum(rng.uniform(-0.5, 1, n), 0.001)
    assert not any(gate == "floored" for gate, _ in gates(one(propensity, 0.5 * propensity + 0.0005)))


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 1e6))
def test_no_gate_depends_on_the_unit_of_the_reward(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    reward, p, t = rng.exponential(size=300), rng.uniform(0.01, 1, 300), rng.random(300)
    plain, scaled = (
        evaluate(Rows(reward=r, propensity=p, target_prob=t, q=r / 2, v=r / 3), USUAL, refuse=False)
        for r in (reward, scale * reward)
    )
    for a, b in zip(plain, scaled, strict=True):
        assert gates(a) == gates(b) and b.value == pytest.approx(scale * a.value)


def test_only_the_first_rows_say_how_propensities_are_written() -> None:
    rng = np.random.default_rng(6)
    n = ROUNDED_SAMPLE
    exact = Rows(reward=rng.random(n), propensity=rng.uniform(0.001, 0.02, n), target_prob=np.full(n, 0.008))
    coarse = np.round(rng.uniform(0.001, 0.02, n), 3).clip(0.001)
    rounded = Rows(reward=rng.random(n), propensity=coarse, target_prob=np.full(n, 0.008))
    for log, told_of in (([exact, rounded], False), ([rounded, exact], True)):
        (found,) = evaluate(log, [IPS], refuse=False)
        assert any(gate == "rounded" for gate, _ in gates(found)) == told_of
