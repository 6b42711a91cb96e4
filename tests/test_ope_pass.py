"""Sums of a pass: chunks add up to the whole, gains are values less the log's mean, and their intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.ope_estimate import Z95
from copybandit.evaluation.ope_estimators import DM, DR, IPS, SNDR, SNIPS, clipped
from copybandit.evaluation.ope_pass import Gathered, gather
from copybandit.evaluation.ope_rows import Rows
from copybandit.evaluation.ope_shape import PROPENSITY_EDGES, WEIGHT_EDGES, Shape, Spread

ALL = (IPS, SNIPS, DM, DR, SNDR, clipped(2.0))


def drawn(n: int, seed: int) -> Rows:
    """Three actions, two contexts, a target unlike the log, a wrong model."""
    rng = np.random.default_rng(seed)
    x = rng.integers(2, size=n)
    logged = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])[x]
    target = np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])[x]
    rate = np.array([[0.2, 0.3, 0.5], [0.5, 0.2, 0.4]])[x]
    model = np.array([[0.3, 0.3, 0.4], [0.4, 0.3, 0.3]])[x]
    action = (rng.random(n)[:, None] > logged.cumsum(axis=1)[:, :-1]).sum(axis=1)
    rows = np.arange(n)
    return Rows(
        reward=(rng.random(n) < rate[rows, action]).astype(np.float64),
        propensity=logged[rows, action],
        target_prob=target[rows, action],
        q=model[rows, action],
        v=(target * model).sum(axis=1),
    )


TRUTH = 0.5 * (0.2 * 0.2 + 0.3 * 0.3 + 0.5 * 0.5) + 0.5 * (0.6 * 0.5 + 0.2 * 0.2 + 0.2 * 0.4)
LOGGED = 0.5 * (0.6 * 0.2 + 0.3 * 0.3 + 0.1 * 0.5) + 0.5 * (0.2 * 0.5 + 0.3 * 0.2 + 0.5 * 0.4)


def part(rows: Rows, cut: slice) -> Rows:
    assert rows.q is not None and rows.v is not None
    return Rows(reward=rows.reward[cut], propensity=rows.propensity[cut], target_prob=rows.target_prob[cut],
                q=rows.q[cut], v=rows.v[cut])  # fmt: skip


def gain(found: Gathered, place: int) -> tuple[float, float]:
    return found.gains[place].value_and_std_err(normalised=ALL[place].normalised)


@given(st.integers(10, 400), st.integers(0, 99), st.floats(0.1, 0.9))
def test_chunks_add_up_and_gains_are_differences(n: int, seed: int, where: float) -> None:
    rows, cut = drawn(n, seed), max(1, int(where * n))
    whole = gather(rows, ALL, look=False)
    both = gather(part(rows, slice(cut)), ALL, look=False) + gather(
        part(rows, slice(cut, None)), ALL, look=False
    )
    for place, estimator in enumerate(ALL):
        value, _ = whole.tally.moments[place].value_and_std_err(normalised=estimator.normalised)
        assert gain(whole, place)[0] == pytest.approx(value - rows.reward.mean(), abs=1e-12)
        assert gain(both, place) == pytest.approx(gain(whole, place), abs=1e-12)
    assert both.shape.reward.mean == pytest.approx(rows.reward.mean())
    assert both.shape.reward.variance == pytest.approx(rows.reward.var(ddof=1), abs=1e-12)
    for name in ("weight_rows", "weight_mass", "propensity_rows"):
        np.testing.assert_allclose(getattr(both.shape, name), getattr(whole.shape, name))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_every_weight_has_a_bin(weights: list[float]) -> None:
    w = np.array(weights)
    shape = Shape.of(w, np.full(len(w), 1e-9), w)
    assert shape.weight_rows.sum() == shape.propensity_rows[0] == len(w)
    assert shape.weight_mass.sum() == pytest.approx(w.sum())
    inside = (w >= WEIGHT_EDGES[0]) & (w < WEIGHT_EDGES[-1])
    counted, _ = np.histogram(w[inside], WEIGHT_EDGES)
    assert (shape.weight_rows[1:-1] == counted[1:-1]).all()
    assert len(shape.propensity_rows) == len(PROPENSITY_EDGES) - 1


def test_one_value_has_no_variance() -> None:
    assert np.isnan(Spread.of(np.array([3.0])).variance)


@pytest.mark.parametrize("place", [ALL.index(one) for one in (IPS, SNIPS, DR, SNDR)])
def test_the_interval_of_a_gain_holds_the_truth_as_often_as_it_says(place: int) -> None:
    """Of 600 logs of 800 rows 95%, give or take three standard errors of that share and the error of the normal form."""
    hits = 0
    for seed in range(600):
        value, error = gain(gather(drawn(800, seed), ALL, look=False), place)
        hits += abs(value - (TRUTH - LOGGED)) < Z95 * error
    assert 0.95 - 0.03 <= hits / 600 <= 0.95 + 0.03
