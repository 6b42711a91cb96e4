"""Off-policy terms for confidence sequences: range and mean, coverage while the logging policy learns, and a peer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.bench_peers import Runner, why_not
from copybandit.evaluation.bounds import Span
from copybandit.evaluation.confseq_betting import BettingSequence
from copybandit.evaluation.confseq_clipped import ClippedSequence
from copybandit.evaluation.confseq_ope import OffPolicyTerms
from copybandit.sim.types import DataError
from tests.benchmarks.confseq import sequences

PEER = Path(__file__).parent / "benchmarks" / "peers" / "vw-estimators"
GOLDEN = {"all": (0.004553, 19.6, 0.141), "men": (0.004534, 10.7, 0.091), "women": (0.006813, 12.6, 0.091)}
"""IPS of random -> bts, the largest weight, and the upper end of vw-estimators."""


@given(
    w_max=st.floats(1, 1000),
    low=st.floats(-3, 3),
    width=st.floats(0.1, 10),
    share=st.floats(0, 1),
    corner=st.tuples(*[st.sampled_from([0.0, 1.0]) | st.floats(0, 1)] * 4),
)
def test_terms_keep_their_span(
    w_max: float, low: float, width: float, share: float, corner: tuple[float, float, float, float]
) -> None:
    known = OffPolicyTerms(w_max=w_max, reward=Span(low=low, high=low + width), cap=share * width)
    reward, weight, q, v = (np.array([x]) for x in corner)
    top = known.capped(np.array([np.inf]))
    z = known.terms(low + width * reward, weight * w_max, low + (top - low) * q, low + (top - low) * v)
    assert (known.span.unit(z) >= 0).all() and known.span.unit(z).shape == (1, 1)


def test_terms_reach_both_ends_of_their_span() -> None:
    known = OffPolicyTerms(w_max=10.0, cap=0.2)
    least = known.terms(np.zeros(1), np.array([10.0]), np.array([0.2]), np.zeros(1))
    most = known.terms(np.ones(1), np.array([10.0]), np.zeros(1), np.array([0.2]))
    assert least[0] == known.span.low == -2.0 and most[0] == known.span.high == 10.2


def test_a_model_of_any_quality_leaves_the_mean_and_a_good_one_narrows_the_interval() -> None:
    rng = np.random.default_rng(0)
    behavior, target = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    mean = np.array([0.2, 0.5, 0.7])
    known = OffPolicyTerms(w_max=3.0, cap=1.0)
    for q in (mean, np.array([0.9, 0.1, 0.0])):  # the expectation over actions, exactly
        z = known.terms(mean, target / behavior, q, np.full(3, target @ q))
        assert behavior @ z == pytest.approx(target @ mean, rel=1e-12)
    action = rng.choice(3, size=(20, 20_000), p=behavior)
    reward = np.clip(mean[action] + 0.05 * rng.standard_normal(action.shape), 0, 1)
    weight = (target / behavior)[action]
    plain, model = OffPolicyTerms(w_max=3.0), known
    ips = BettingSequence.start(plain.span, 20).update(plain.terms(reward, weight)).bounds()
    v = np.full(reward.shape, target @ mean)
    dr = BettingSequence.start(model.span, 20).update(model.terms(reward, weight, mean[action], v)).bounds()
    assert (dr.width < 0.5 * ips.width).all()


def test_it_covers_at_every_look_while_the_logging_policy_learns() -> None:
    # The log's policy leans to the arm that has earned more so far, which makes means of rewards biased.
    rng = np.random.default_rng(1)
    runs, batches, rows, rate = 400, 30, 50, np.array([0.3, 0.3])
    known = OffPolicyTerms(w_max=0.5 / 0.1)
    sequence = BettingSequence.start(known.span, runs)
    earned, missed = np.ones((runs, 2)), np.zeros(runs, dtype=bool)
    for _ in range(batches):
        second = np.clip(earned[:, 1] / earned.sum(axis=1), 0.1, 0.9)
        action = (rng.random((runs, rows)) < second[:, None]).astype(int)
        reward = (rng.random((runs, rows)) < rate[action]).astype(float)
        propensity = np.where(action == 1, second[:, None], 1 - second[:, None])
        sequence = sequence.update(known.terms(reward, 0.5 / propensity))
        missed |= sequence.excludes(0.3)
        earned += np.stack([(reward * (action == arm)).sum(axis=1) for arm in (0, 1)], axis=1)
    assert missed.mean() <= 0.05
    assert (sequence.bounds().width < 0.25).all()


def test_what_cannot_be_used_is_refused() -> None:
    one, known = np.ones(1), OffPolicyTerms(w_max=2.0)
    with pytest.raises(DataError, match=r"w_max must be finite and at least 1.*got 0.5"):
        OffPolicyTerms(w_max=0.5)
    with pytest.raises(DataError, match=r"cap must be in \[0, 1.0\], got 2"):
        OffPolicyTerms(w_max=2.0, cap=2)
    with pytest.raises(DataError, match=r"weight must be \(1,\) and in \[0.0, 2.0\], got \(1,\) from 3.0"):
        known.terms(one, 3 * one)
    with pytest.raises(DataError, match=r"reward must be \(1,\) and in \[0.0, 1.0\]"):
        known.terms(np.array([np.nan]), one)
    with pytest.raises(DataError, match=r"q must be \(1,\) and in \[0.0, 0.0\], got \(1,\) from 1.0"):
        known.terms(one, one, one, one)
    with pytest.raises(DataError, match="pass both or neither"):
        known.terms(one, one, one)


def test_the_clipped_sequence_needs_no_largest_weight_and_forgives_missing_support() -> None:
    rng = np.random.default_rng(5)
    behavior, target, mean = (
        np.array([0.9, 0.099, 0.001, 0.0]),
        np.full(4, 0.25),
        np.array([0.1, 0.4, 0.5, 0.8]),
    )
    action = rng.choice(4, size=(300, 3000), p=behavior)
    reward = 2 + 4 * (rng.random(action.shape) < mean[action]).astype(float)
    weight = target[action] / behavior[action]
    sequence, missed = (
        ClippedSequence.start(300, reward=Span(low=2.0, high=6.0), clip=50.0),
        np.zeros(300, dtype=bool),
    )
    truth = float(2 + 4 * target @ mean)
    for part in range(10):
        rows = slice(300 * part, 300 * (part + 1))
        sequence = sequence.update(reward[:, rows], weight[:, rows])
        missed |= sequence.excludes(truth)
        np.testing.assert_array_equal(sequence.excludes(truth), sequence.bounds().misses(truth))
    assert missed.mean() <= 0.05
    found, lower = sequence.bounds(), sequence.bounds(side="lower")
    assert (found.low > 2.1).all() and (found.high < 5.9).all()
    assert (lower.low >= found.low).all() and (lower.high == 6).all()
    np.testing.assert_allclose(found.estimate, 2 + (weight * (reward - 2)).mean(axis=1))
    whole = ClippedSequence.start(300, reward=Span(low=2.0, high=6.0), clip=50.0).update(reward, weight)
    np.testing.assert_allclose(whole.gains.mass, sequence.gains.mass, atol=1e-9)
    np.testing.assert_allclose(whole.bounds().high, found.high, atol=1e-9)
    with pytest.raises(DataError, match="finite and >= 0"):
        sequence.update(reward, -weight)
    with pytest.raises(DataError, match=r"clip must be finite and at least 1, got 0.5"):
        ClippedSequence.start(clip=0.5)


@pytest.fixture(scope="module")
def peer() -> Iterator[Runner]:
    reason = why_not(PEER, "confseq")
    if reason is not None:
        pytest.skip(f"PEER ABSENT: {reason}")
    runner = Runner(PEER, "confseq")
    yield runner
    runner.close()


@pytest.mark.parametrize("campaign", list(GOLDEN))
def test_six_times_tighter_than_vw_on_open_bandit(campaign: str, peer: Runner) -> None:
    row = peer.ask(campaign)
    reward, weight = np.array(row["reward"]), np.array(row["weight"])
    value, largest, upper = GOLDEN[campaign]
    assert np.mean(weight * reward) == pytest.approx(value, abs=1e-6)
    assert row["w_max"] == pytest.approx(largest, abs=0.05) and row["high"] == pytest.approx(upper, abs=5e-4)
    ours = sequences(reward, weight, row["w_max"])["betting_ips"]
    assert row["high"] - row["low"] >= 6 * (ours["high"] - ours["low"])
    assert row["low"] <= ours["low"] < value < ours["high"] < row["high"]
