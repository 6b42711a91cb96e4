"""How two contenders differ on the same draws: the mean of the differences with Student's interval."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from copybandit.evaluation.intervals import Interval
from copybandit.sim.types import DataError, Floats


def mean_of(values: Floats) -> Interval:
    """Mean of n independent values, shape (n,), with Student's 95% interval.

    Raises:
        DataError: fewer than two.
    """
    n = len(values)
    if n < 2:
        raise DataError(f"interval: needs at least 2 draws, got {n}; repeat with more seeds")
    mean = float(values.mean())
    reach = float(stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n))
    return Interval(value=mean, ci_low=mean - reach, ci_high=mean + reach)


def paired(ours: Floats, theirs: Floats) -> Interval:
    """Mean of ours - theirs over n draws that both saw, each of shape (n,); see `mean_of`.

    Raises:
        DataError: fewer than two draws, or different numbers of them.
    """
    if ours.shape != theirs.shape:
        raise DataError(f"paired: needs the same draws, got {ours.shape} and {theirs.shape}; pair them")
    return mean_of(ours - theirs)


def at_or_below(difference: Interval, what: str, other: str) -> str:
    """Sentence that a difference of costs supports: below, at (the interval holds 0), or above."""
    spread = f"{difference.value:+.4f} [{difference.ci_low:+.4f}, {difference.ci_high:+.4f}]"
    if difference.ci_high < 0:
        return f"{what} is below {other}: {spread}"
    if difference.ci_low > 0:
        return f"{what} is above {other}: {spread}"
    return f"{what} is not told apart from {other}: {spread}"
