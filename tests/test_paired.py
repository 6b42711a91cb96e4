"""Paired intervals of benchmarks: Student's, and the sentence that one supports."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.paired import at_or_below, mean_of, paired
from copybandit.sim.types import DataError


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=20)
    ours, theirs = shared + 0.1 * rng.normal(size=20), shared + 0.1 * rng.normal(size=20) + 0.2
    known = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    found = paired(ours, theirs)
    np.testing.assert_allclose((found.ci_low, found.ci_high), (known.low, known.high))
    assert found.value == pytest.approx((ours - theirs).mean())
    assert mean_of(ours).ci_high - mean_of(ours).ci_low > found.ci_high - found.ci_low


@pytest.mark.parametrize(
    ("ends", "says"),
    [((-0.3, -0.1), "is below"), ((0.1, 0.3), "is above"), ((-0.1, 0.1), "is not told apart from")],
)
def test_the_sentence_follows_the_interval(ends: tuple[float, float], says: str) -> None:
    gap = Interval(value=sum(ends) / 2, ci_low=ends[0], ci_high=ends[1])
    assert at_or_below(gap, "ours", "theirs").startswith(f"ours {says} theirs: ")


def test_too_little_is_refused() -> None:
    with pytest.raises(DataError, match="at least 2 draws, got 1"):
        mean_of(np.ones(1))
    with pytest.raises(DataError, match=r"the same draws, got \(3,\) and \(2,\)"):
        paired(np.ones(3), np.ones(2))
