"""Confidence sequences and empirical Bernstein intervals: exact identities, a plain loop of the paper, and invariants."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from copybandit.evaluation.bounds import Bounds, Side, Span, normal_bounds
from copybandit.evaluation.confseq_bernstein import BernsteinSequence
from copybandit.evaluation.confseq_betting import EDGES, PRIOR, SHARES, BettingSequence
from copybandit.evaluation.ope_bernstein import empirical_bernstein
from copybandit.sim.types import DataError, Floats

UNIT = Span(low=0.0, high=1.0)
Interval = Callable[[Floats, Span, Side], Bounds]


def betting(x: Floats, span: Span, side: Side) -> Bounds:
    return BettingSequence.start(span, len(x)).update(x).bounds(side=side)


def bernstein_sequence(x: Floats, span: Span, side: Side) -> Bounds:
    return BernsteinSequence.start(span, len(x), side=side).update(x).bounds()


def fixed_bernstein(x: Floats, span: Span, side: Side) -> Bounds:
    return empirical_bernstein(x.mean(axis=1), x.var(axis=1, ddof=1), x.shape[1], span, side=side)


INTERVALS = pytest.mark.parametrize("interval", [betting, bernstein_sequence, fixed_bernstein])
logs = st.integers(2, 60).flatmap(
    lambda n: arrays(float, (3, n), elements=st.floats(0, 1) | st.sampled_from([0.0, 1.0]))
)
spans = st.builds(lambda low, width: Span(low=low, high=low + width), st.floats(-5, 5), st.floats(0.1, 50))


@INTERVALS
@given(x=logs)
def test_it_holds_its_estimate_and_stays_in_the_span(interval: Interval, x: Floats) -> None:
    found = interval(x, UNIT, "two")
    assert (found.low <= found.estimate).all() and (found.estimate <= found.high).all()
    assert (found.low >= 0).all() and (found.high <= 1).all() and found.width.shape == (3,)


@INTERVALS
@given(x=logs, span=spans)
def test_it_follows_shift_and_scale_and_is_mirrored(interval: Interval, x: Floats, span: Span) -> None:
    unit, scaled = interval(x, UNIT, "two"), interval(span.value(x), span, "two")
    mirrored = interval(1 - x, UNIT, "two")
    for name in ("estimate", "low", "high"):
        np.testing.assert_allclose(
            getattr(scaled, name), span.value(getattr(unit, name)), rtol=0, atol=1e-6 * span.width
        )
    np.testing.assert_allclose(mirrored.low, 1 - unit.high, atol=1e-6)
    np.testing.assert_allclose(mirrored.high, 1 - unit.low, atol=1e-6)


@INTERVALS
@given(x=logs)
def test_more_of_the_same_rows_never_widens_it(interval: Interval, x: Floats) -> None:
    once, often = interval(x, UNIT, "two"), interval(np.tile(x, 8), UNIT, "two")
    assert (often.width <= once.width + 1e-9).all()


@INTERVALS
@given(x=logs)
def test_one_end_alone_lies_closer_and_the_other_is_at_its_extreme(interval: Interval, x: Floats) -> None:
    two, lower, upper = (interval(x, UNIT, side) for side in ("two", "lower", "upper"))
    assert (lower.high == 1).all() and (upper.low == 0).all()
    if interval is not bernstein_sequence:  # its bets differ by side, so ends of single logs may cross
        assert (lower.low >= two.low - 1e-9).all() and (upper.high <= two.high + 1e-9).all()


@given(x=logs, cut=st.integers(0, 60))
def test_batches_give_what_all_rows_at_once_give(x: Floats, cut: int) -> None:
    whole, parted = BettingSequence.start(UNIT, 3), BettingSequence.start(UNIT, 3)
    whole, parted = whole.update(x), parted.update(x[:, :cut]).update(x[:, cut:])
    np.testing.assert_allclose(parted.mass, whole.mass, atol=1e-12)
    first = BernsteinSequence.start(UNIT, 3)
    after, path = first.path(x)
    halves = first.update(x[:, :cut]).update(x[:, cut:])
    np.testing.assert_allclose(halves.sums, after.sums, atol=1e-11)
    assert halves.n == after.n == x.shape[1] and not first.sums.any()
    np.testing.assert_allclose(path.low[:, -1], after.bounds().low, atol=1e-12)
    if 0 < cut < x.shape[1]:
        np.testing.assert_allclose(path.high[:, cut - 1], first.update(x[:, :cut]).bounds().high, atol=1e-11)


@pytest.mark.parametrize(
    ("values", "probs"), [([0.0, 0.5, 1.0], [0.7, 0.2, 0.1]), ([0.0, 1.0], [0.98, 0.02])]
)
def test_wealth_is_a_fair_game_at_the_true_mean(values: list[float], probs: list[float]) -> None:
    # The expectation over all paths of four rows, exactly.
    paths = np.array(list(product(values, repeat=4)))
    chance = np.array(list(product(probs, repeat=4))).prod(axis=1)
    mean = float(np.dot(values, probs))
    sequence = BettingSequence.start(UNIT, len(paths)).update(paths)
    assert chance @ np.exp(sequence.log_wealth_above(mean)) == pytest.approx(1.0, rel=1e-12)
    assert chance @ np.exp(sequence.log_wealth_below(mean)) == pytest.approx(1.0, rel=1e-12)
    # A wrong value makes the gambler rich.
    assert chance @ np.exp(sequence.log_wealth_above(mean / 3)) > 1.05


@pytest.mark.parametrize("kind", ["clicks", "dense", "rare weights"])
def test_counts_at_the_edges_cost_next_to_nothing(kind: str) -> None:
    rng = np.random.default_rng(0)
    n = 4000
    clicks = (rng.random(n) < 0.02).astype(float)
    x = {"clicks": clicks, "dense": rng.beta(2, 3, n), "rare weights": clicks * rng.beta(1, 8, n)}[kind]

    def excess(log_m: float) -> float:
        wealth = [np.log1p(f * (x / np.exp(log_m) - 1)).sum() for f in SHARES]
        return float(np.logaddexp.reduce(np.log(PRIOR) + wealth) - np.log(40))

    exact = float(np.exp(brentq(excess, np.log(x.mean()) - 10, np.log(x.mean()))))
    low = float(BettingSequence.start(UNIT).update(x).bounds().low[0])
    assert low <= exact + 1e-12
    assert exact - low <= 0.01 * (x.mean() - exact)
    if kind == "clicks":
        assert low == pytest.approx(exact, rel=1e-9)


@given(x=logs, at=st.floats(0.001, 0.999))
def test_what_is_excluded_lies_outside_of_the_bounds(x: Floats, at: float) -> None:
    sequence = BettingSequence.start(UNIT, 3).update(x)
    found = sequence.bounds()
    near = (np.abs(found.low - at) < 1e-6) | (np.abs(found.high - at) < 1e-6)
    np.testing.assert_array_equal((sequence.excludes(at) == found.misses(at)) | near, True)


def test_the_bernstein_sequence_is_the_papers_loop() -> None:
    rng = np.random.default_rng(3)
    x, alpha = rng.beta(1, 4, 300), 0.1
    total = squares = bets = bet_x = cost = 0.0
    mean, variance, log2 = 0.5, 0.25, np.log(2 / alpha)
    for t, value in enumerate(x, start=1):
        bet = min(np.sqrt(2 * log2 / (variance * t * np.log(1 + t))), 0.5)
        cost += (value - mean) ** 2 * (-np.log(1 - bet) - bet)
        bets, bet_x, total = bets + bet, bet_x + bet * value, total + value
        mean = (0.5 + total) / (t + 1)
        squares += (value - mean) ** 2
        variance = (0.25 + squares) / (t + 1)
    found = BernsteinSequence.start(UNIT, alpha=alpha).update(x).bounds()
    assert found.low[0] == pytest.approx((bet_x - log2 - cost) / bets, rel=1e-12)
    assert found.high[0] == pytest.approx((bet_x + log2 + cost) / bets, rel=1e-12)


def test_the_fixed_interval_is_the_papers_formula() -> None:
    found = empirical_bernstein(np.array([0.5]), np.array([0.04]), 1001, Span(low=-1.0, high=3.0), alpha=0.1)
    reach = np.sqrt(2 * 0.04 * np.log(40) / 1001) + 7 * 4 * np.log(40) / 3000
    assert found.high[0] == pytest.approx(0.5 + reach) and found.low[0] == pytest.approx(0.5 - reach)


def test_betting_is_tighter_and_the_running_intersection_only_shrinks() -> None:
    rng = np.random.default_rng(5)
    x = rng.beta(2, 2, (50, 4000))
    assert (betting(x, UNIT, "two").width < bernstein_sequence(x, UNIT, "two").width).all()
    sequence, running = BettingSequence.start(UNIT, 50), None
    for part in np.split(x, 20, axis=1):
        sequence = sequence.update(part)
        now = sequence.bounds()
        following = now.within(running) if running else now
        assert running is None or (following.width <= running.width).all()
        running = following
    assert running is not None and running.misses(0.5).mean() <= 0.05


@pytest.mark.parametrize(
    ("act", "rule"),
    [
        (lambda: Span(low=1.0, high=1.0), "must be finite with low < high, got 1.0 to 1.0"),
        (
            lambda: BettingSequence.start(UNIT).update(np.array([0.2, 1.2])),
            "terms must lie in .* got 0.2 to 1.2",
        ),
        (lambda: BettingSequence.start(UNIT).update(np.array([np.nan])), "got nan to nan"),
        (lambda: BettingSequence.start(UNIT, 2).update(np.zeros((3, 4))), "must have 2 runs, got 3"),
        (lambda: BernsteinSequence.start(UNIT, 2).update(np.zeros((3, 4))), "must have 2 runs, got 3"),
        (lambda: BettingSequence.start(UNIT).update(np.zeros((1, 2, 3))), r"must be \(runs, rows\)"),
        (lambda: BettingSequence.start(UNIT).bounds(), "at least 1 row"),
        (lambda: BernsteinSequence.start(UNIT).bounds(), "at least 1 row"),
        (lambda: BernsteinSequence.start(UNIT, alpha=1.0), r"alpha must be in \(0, 1\), got 1.0"),
        (lambda: BettingSequence.start(UNIT).update(np.ones(3)).log_wealth_above(0.0), "strictly in"),
        (lambda: empirical_bernstein(np.array([0.5]), np.array([0.1]), 1, UNIT), "at least 2 rows"),
        (lambda: empirical_bernstein(np.array([0.5]), np.array([-0.1]), 9, UNIT), "variance must be >= 0"),
        (lambda: normal_bounds(np.zeros(1), np.ones(1), side="left"), "got 'left'"),  # type: ignore[arg-type] # on purpose
    ],
)
def test_what_cannot_be_used_is_refused(act: Callable[[], object], rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        act()


def test_a_refused_batch_changes_nothing() -> None:
    sequence = BettingSequence.start(UNIT).update(np.array([0.1, 0.7]))
    before = sequence.mass.copy()
    with pytest.raises(DataError):
        sequence.update(np.array([0.1, 7.0]))
    np.testing.assert_array_equal(sequence.mass, before)
    np.testing.assert_array_equal(sequence.update(np.empty((1, 0))).mass, before)


def test_the_edges_are_symmetric_and_prior_and_shares_are_in_range() -> None:
    np.testing.assert_allclose(EDGES, 1 - EDGES[::-1], atol=1e-15)
    assert (np.diff(EDGES) > 0).all() and PRIOR.sum() == pytest.approx(1.0)
    assert (SHARES > 0).all() and (SHARES < 1).all() and len(SHARES) == len(PRIOR)
