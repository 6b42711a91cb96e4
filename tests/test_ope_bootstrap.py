"""Poisson bootstrap: against standard errors that are known, against drawing every row, and invariants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from copybandit.evaluation.ope_bootstrap import COUNTS, PoissonBootstrap, poisson_ones
from copybandit.sim.types import DataError, Floats
from tests.benchmarks.ope_bootstrap import measure, obp_loop, ours, terms

Rng = np.random.Generator
KINDS: tuple[Literal["percentile", "normal"], ...] = ("percentile", "normal")


def bootstrap(a: Floats, b: Floats | None, seed: int = 0, replicates: int = 400) -> PoissonBootstrap:
    runs = len(np.atleast_2d(a))
    start = PoissonBootstrap.start(runs, replicates=replicates)
    return start.update(a, b, np.random.default_rng(seed))


def test_counts_have_the_moments_of_poisson_one() -> None:
    k, chance = np.arange(len(COUNTS)), np.array(COUNTS) / 256
    assert chance.sum() == 1 and chance @ k == 1 and chance @ np.square(k - 1) == 1
    assert chance @ (k - 1) ** 3 == pytest.approx(1, abs=0.02)
    drawn = np.bincount(poisson_ones(4000, 250, np.random.default_rng(0)).ravel(), minlength=len(COUNTS))
    expected = chance * 1_000_000
    assert len(drawn) == len(COUNTS)
    assert (np.square(drawn - expected) / expected).sum() < 20.5  # 99.9% point with 5 degrees of freedom


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_replicates_spread_as_the_delta_method_says(sparse: bool, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    n, replicates = 20_000, 2000
    w = rng.exponential(1.0, n)
    reward = (rng.random(n) < 0.02).astype(float) if sparse else rng.normal(1.0, 0.5, n)
    a, b = w * reward, w if weighted else None
    state = bootstrap(a, b, replicates=replicates)
    draws = state.replicates(rng)[0]
    bottom = np.ones(n) if b is None else b
    value = a.sum() / bottom.sum()
    std_err = np.sqrt(np.square(a - value * bottom).sum()) / bottom.sum()
    assert draws.std() == pytest.approx(std_err, rel=3 / np.sqrt(2 * replicates))
    assert draws.mean() == pytest.approx(value, abs=4 * std_err / np.sqrt(replicates) + std_err / 50)


def test_rows_left_undrawn_add_to_the_denominator_what_drawing_them_would() -> None:
    rng = np.random.default_rng(2)
    n, replicates = 5000, 4000
    w = rng.exponential(1.0, n)
    a = w * (rng.random(n) < 0.01)
    for b in (None, w):
        quick = bootstrap(a, b, replicates=replicates).replicates(rng)[0]
        drawn = bootstrap(np.where(a == 0, 1e-300, a), b, seed=9, replicates=replicates)
        full = drawn.replicates(rng)[0]
        assert not drawn.rest.any()
        spread = full.std()
        quantiles = (0.025, 0.25, 0.5, 0.75, 0.975)
        np.testing.assert_allclose(
            np.quantile(quick, quantiles), np.quantile(full, quantiles), atol=0.15 * spread
        )
        assert quick.std() == pytest.approx(spread, rel=0.06)


@given(
    a=st.integers(1, 40).flatmap(lambda n: arrays(float, (2, n), elements=st.floats(-5, 5))),
    cut=st.integers(0, 40),
)
def test_batches_give_what_all_rows_at_once_give(a: Floats, cut: int) -> None:
    b = np.abs(a) + 1
    rng = np.random.default_rng(3)
    start = PoissonBootstrap.start(2, replicates=16)
    parted = start.update(a[:, :cut], b[:, :cut], rng).update(a[:, cut:], b[:, cut:], rng)
    whole = start.update(a, b, np.random.default_rng(3))
    for name in ("drawn", "rest", "total"):
        np.testing.assert_allclose(getattr(parted, name), getattr(whole, name), atol=1e-10)
    assert not start.drawn.any() and not start.total.any()


@given(
    a=arrays(float, (2, 50), elements=st.floats(-5, 5)),
    shift=st.floats(-10, 10),
    scale=st.floats(0.1, 10),
    kind=st.sampled_from(KINDS),
)
def test_it_holds_its_estimate_and_follows_shift_and_scale(
    a: Floats, shift: float, scale: float, kind: Literal["percentile", "normal"]
) -> None:
    a = np.where(a == 0, 0.5, a)  # every row drawn, here and below, so that both draw the same
    moved = scale * a + shift
    moved = np.where(moved == 0, 1e-12, moved)
    found = bootstrap(a, None).bounds(np.random.default_rng(5), kind=kind)
    other = bootstrap(moved, None).bounds(np.random.default_rng(5), kind=kind)
    assert (found.low <= a.mean(axis=1) + 1e-12).all() and (found.high >= a.mean(axis=1) - 1e-12).all()
    np.testing.assert_allclose(other.low, scale * found.low + shift, atol=1e-9)
    np.testing.assert_allclose(other.high, scale * found.high + shift, atol=1e-9)


def test_it_shrinks_with_the_root_of_n_and_one_end_lies_closer() -> None:
    rng = np.random.default_rng(6)
    a = rng.exponential(1.0, (20, 400))
    few, many = bootstrap(a, None).bounds(rng), bootstrap(np.tile(a, 9), None).bounds(rng)
    assert many.width.mean() == pytest.approx(few.width.mean() / 3, rel=0.1)
    upper = bootstrap(a, None).bounds(rng, side="upper")
    assert (upper.low == -np.inf).all() and (upper.high < few.high).all()


@pytest.mark.parametrize(
    ("act", "rule"),
    [
        (lambda s, g: PoissonBootstrap.start(0), "at least 2 replicates and 1 run, got 1000 and 0"),
        (lambda s, g: s.update(np.zeros((2, 3)), None, g), r"must be \(1, rows\), got \(2, 3\)"),
        (lambda s, g: s.update(np.zeros(3), np.zeros(4), g), r"got \(1, 3\) and \(1, 4\)"),
        (lambda s, g: s.update(np.array([np.inf]), None, g), "terms must be finite"),
        (lambda s, g: s.update(np.ones(2), -np.ones(2), g), "denominators >= 0"),
        (lambda s, g: s.bounds(g), "denominators must be above 0, got 50 at 0"),
        (
            lambda s, g: s.update(np.ones(99), None, g).bounds(g, kind="bca"),
            "percentile or normal, got 'bca'",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(act: Callable[[PoissonBootstrap, Rng], object], rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        act(PoissonBootstrap.start(replicates=50), np.random.default_rng(0))


@pytest.mark.parametrize("dense", [True, False])
def test_it_agrees_with_the_loop_it_is_timed_against(dense: bool) -> None:
    values = terms(20_000, np.random.default_rng(0), dense=dense)
    low, high = ours(values, 1500, np.random.default_rng(1))
    loop_low, loop_high = obp_loop(values, 1500, np.random.RandomState(2))
    # A quantile of 1,500 draws is known to some 0.07 standard deviations, a fiftieth of the width.
    assert low == pytest.approx(loop_low, abs=0.08 * (high - low))
    assert high == pytest.approx(loop_high, abs=0.08 * (high - low))


def test_the_benchmark_tells_the_keys_that_others_read() -> None:
    found = measure(rows=2000, replicates=40, turns=1)
    assert {"bootstrap_speedup_dense", "bootstrap_speedup_sparse"} <= set(found)
    assert all(np.isfinite(value) and value > 0 for value in found.values())
