"""Smooth functions of clustered sums, and ranks whose intervals hold all at once, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.ranking import LEAST_CLUSTERS, Ranking, rank
from copybandit.evaluation.smooth import Smooth, critical, lift
from copybandit.sim.types import DataError, Floats


def drawn(rng: np.random.Generator, m: int, g: int, mean: Floats) -> tuple[Floats, Floats]:
    """Sums and counts of clusters: a contender's own mean, luck that all share in a cluster, and own noise.

    Few clusters count the same, as seasons do; many differ, as shoppers do.
    """
    count = rng.integers(1, 6, g).astype(np.float64) if g >= LEAST_CLUSTERS else np.full(g, 3.0)
    shared, own = rng.normal(size=g), rng.normal(size=(m, g))
    return count * (mean[:, None] + shared + 0.5 * own), count


def ranked(total: Floats, count: Floats, replicates: int = 400) -> Ranking:
    names = [f"c{i}" for i in range(len(total))]
    return rank(names, total, count, reference=0, replicates=replicates, rng=np.random.default_rng(1))


def test_a_mean_of_equal_clusters_has_students_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = Smooth.mean(3 * values, np.full(4, 3.0))
    reach = critical(4) * values.std(ddof=1) / 2
    assert found.value == values.mean()
    np.testing.assert_allclose(
        [found.interval().ci_low, found.interval().ci_high], [4 - reach, 4 + reach], rtol=1e-12
    )


@given(st.integers(0, 2**32 - 1))
def test_a_ratio_is_pulled_as_leaving_a_cluster_out_says(seed: int) -> None:
    """With many clusters the pull of one is how far the ratio moves without it, to first order."""
    rng = np.random.default_rng(seed)
    g = 400
    count = rng.integers(1, 5, g).astype(np.float64)
    top, below = rng.gamma(2, size=g) * count, rng.gamma(3, size=g) * count
    found = Smooth.mean(top, count) / Smooth.mean(below, count)
    np.testing.assert_allclose(found.value, top.sum() / below.sum())
    left = np.array([(top.sum() - top[i]) / (below.sum() - below[i]) for i in range(g)])
    np.testing.assert_allclose(found.value - left, found.pull, atol=0.03 * np.abs(found.pull).max())


def test_what_cannot_be_had_is_nan_and_not_an_error() -> None:
    none, some = Smooth(value=0.0, pull=np.zeros(3)), Smooth(value=2.0, pull=np.zeros(3))
    assert np.isnan((some / none).value) and np.isnan(lift(some, none).ci_low)
    alone = Smooth.mean(np.array([1.0]), np.array([2.0]))
    assert alone.value == 0.5 and np.isnan(alone.interval().ci_high)
    with pytest.raises(DataError, match="something must be counted"):
        Smooth.mean(np.zeros(2), np.zeros(2))


def test_intervals_of_ratios_cover() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(400):
        total, count = drawn(rng, 2, 60, np.array([6.0, 5.0]))
        one = lift(*(Smooth.mean(row, count) for row in total))
        hits += one.ci_low <= 0.2 <= one.ci_high
    assert 0.92 <= hits / 400 <= 0.98


@given(st.integers(2, 6), st.sampled_from([5, LEAST_CLUSTERS, 80]), st.integers(0, 2**32 - 1))
def test_ranks_lie_within_what_is_open(m: int, g: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    total, count = drawn(rng, m, g, rng.normal(size=m))
    found = ranked(total, count, replicates=100)
    assert [row.rank for row in found.rows] == list(range(1, m + 1))
    assert all(1 <= row.best <= row.rank <= row.worst <= m for row in found.rows)
    means = [row.mean.value for row in found.rows]
    assert means == sorted(means, reverse=True)
    own = next(row for row in found.rows if row.name == found.reference)
    assert own.difference.value == own.difference.ci_low == own.difference.ci_high == 0
    assert found.critical >= critical(g), "many at once need at least what one needs"
    assert (found.method == "Bonferroni") == (g < LEAST_CLUSTERS)


def test_twins_share_their_rank_and_a_giant_stands_alone() -> None:
    total, count = drawn(np.random.default_rng(0), 2, 100, np.array([0.0, 9.0]))
    found = rank(
        ["low", "twin", "high"], total[[0, 0, 1]], count, reference=0, replicates=200, rng=np.random.default_rng(0)
    )  # fmt: skip
    open_ranks = {row.name: (row.best, row.worst) for row in found.rows}
    assert open_ranks == {"high": (1, 1), "low": (2, 3), "twin": (2, 3)}
    same = rank(["a", "b"], total[[0, 0]], count, reference=0, replicates=100, rng=np.random.default_rng(0))
    assert {(row.best, row.worst) for row in same.rows} == {(1, 2)}


@pytest.mark.parametrize("g", [8, 60])
def test_all_intervals_hold_at_once(g: int) -> None:
    """Five equals: the intervals of all differences leave out 0 in about one log of twenty, or fewer by Bonferroni."""
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(300):
        found = ranked(*drawn(rng, 5, g, np.zeros(5)))
        wrong += any((row.best, row.worst) != (1, 5) for row in found.rows)
    assert 0.005 <= wrong / 300 <= 0.085


def test_ranking_needs_names_and_clusters() -> None:
    rng = np.random.default_rng(0)
    for names, shape in ((["a"], (1, 9)), (["a", "a"], (2, 9)), (["a", "b"], (2, 1))):
        with pytest.raises(DataError, match="at least 2 contenders of different names and 2 clusters"):
            rank(names, np.ones(shape), np.ones(shape[1]), reference=0, replicates=10, rng=rng)
