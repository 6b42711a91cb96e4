"""One pass over a log gives the value of a target policy by any number of estimators, each with its diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.ope_estimators import Estimator, parts
from copybandit.evaluation.ope_gates import (
    ROUNDED_SAMPLE,
    Evidence,
    Finding,
    Written,
    how_written,
    model_finding,
    weight_findings,
)
from copybandit.evaluation.ope_moments import Moments, WeightSums, effective_count
from copybandit.evaluation.ope_rows import BLOCK, Rows, as_chunks
from copybandit.sim.types import DataError

Z95 = 1.959963984540054
"""97.5% point of the standard normal."""
NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class NamedInterval:
    """A 95% interval and the method that made it; not clipped to any range."""

    method: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One estimate of a policy's value, with what is needed to distrust it.

    Attributes:
        estimator: its name.
        value: estimated mean reward per round; nan where a gate refuses it.
        std_err: standard error; nan likewise.
        intervals: 95% intervals by method, the normal one first; nan likewise.
        n: rounds.
        ess: effective sample size of the weights used, sum(g)^2 / sum(g^2), in rounds; n where none are.
        max_weight: largest importance weight, before any shrinkage.
        weight_sum_over_n: mean importance weight, before any shrinkage; 1 in expectation when propensities are right.
        support_misses: rounds where the target policy may show what the log never could.
        effective_rewards: the effective count of weight times reward; n where no weights are used.
        findings: reasons not to trust the number; empty is good.
    """

    estimator: str
    value: float
    std_err: float
    intervals: tuple[NamedInterval, ...]
    n: int
    ess: float
    max_weight: float
    weight_sum_over_n: float
    support_misses: int
    effective_rewards: float
    findings: tuple[Finding, ...]

    @property
    def ci_low(self) -> float:
        """Lower end of the first interval."""
        return self.intervals[0].low

    @property
    def ci_high(self) -> float:
        """Upper end of the first interval."""
        return self.intervals[0].high

    @property
    def refused(self) -> bool:
        """Whether a gate refuses the number."""
        return any(finding.refuses for finding in self.findings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings in words."""
        return tuple(finding.text for finding in self.findings)

    def without_number(self) -> Estimate:
        """The same with value, standard error and intervals nan, the diagnostics kept."""
        blank = tuple(replace(interval, low=NAN, high=NAN) for interval in self.intervals)
        return replace(self, value=NAN, std_err=NAN, intervals=blank)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What one pass has gathered so far.

    Attributes:
        weights: of the importance weights.
        written: of the propensities of the first rows.
        moments: of each estimator, in its order.
    """

    weights: WeightSums
    written: Written
    moments: tuple[Moments, ...]

    def __add__(self, other: Tally) -> Tally:
        """Of both sets of rows; how propensities are written is the worse of both."""
        return Tally(
            weights=self.weights + other.weights,
            written=self.written + other.written,
            moments=tuple(a + b for a, b in zip(self.moments, other.moments, strict=True)),
        )


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused at the end
def evaluate(
    log: Rows | Iterable[Rows], estimators: Sequence[Estimator], *, refuse: bool = True
) -> tuple[Estimate, ...]:
    """Value a policy by several estimators in one pass.

    Args:
        log: the rows, whole or in chunks; no more than one chunk is held.
        estimators: which, see `copybandit.evaluation.ope_estimators`.
        refuse: whether a number that a gate refuses is left out; the findings stand either way.

    Returns:
        One estimate for each, in order.

    Raises:
        DataError: no rows or fewer than 2, no estimator, columns that are needed and absent, no overlap to normalise by.
    """
    total: Tally | None = None
    for rows in as_chunks(log):
        new = tally(rows, estimators, look=total is None or total.weights.n < ROUNDED_SAMPLE)
        total = new if total is None else total + new
    if total is None or not estimators:
        raise DataError(
            f"ope: needs rows and an estimator, got {'no rows' if total is None else 'no estimator'}; give both"
        )
    return tuple(
        conclude(estimator, moments, total, refuse=refuse)
        for estimator, moments in zip(estimators, total.moments, strict=True)
    )


def tally(rows: Rows, estimators: Sequence[Estimator], *, look: bool) -> Tally:
    """Gather what the estimators need of some rows, block by block; tallies of chunks add up.

    Args:
        rows: a chunk.
        estimators: which.
        look: whether to look at how the propensities are written.
    """
    weights: WeightSums | None = None
    moments: list[Moments] = []
    for start in range(0, len(rows), BLOCK):
        cut = slice(start, start + BLOCK)
        w = rows.target_prob[cut] / rows.propensity[cut]
        of_w = WeightSums.of(w)
        size = np.abs(rows.reward[cut])
        new = [Moments.of(parts(rows, estimator, cut, w), size) for estimator in estimators]
        weights = of_w if weights is None else weights + of_w
        moments = [a + b for a, b in zip(moments, new, strict=True)] if moments else new
    assert weights is not None
    return Tally(
        weights=replace(weights, support_misses=rows.support_misses),
        written=how_written(rows.propensity, rows.target_prob) if look else Written(),
        moments=tuple(moments),
    )


def conclude(estimator: Estimator, moments: Moments, total: Tally, *, refuse: bool) -> Estimate:
    """The estimate that the sums of a pass amount to; arguments and errors as of `evaluate`."""
    value, std_err = moments.value_and_std_err(normalised=estimator.normalised)
    n, g = moments.n, float(moments.total[2])
    ess, hits = float(n), float(n)
    findings: tuple[Finding, ...] = (model_finding(),)
    if estimator.weighs:
        ess = effective_count(g, moments.g_squares)
        hits = effective_count(moments.hits, moments.hit_squares)
        kept = g / total.weights.total if total.weights.total > 0 else 1.0
        findings = weight_findings(
            Evidence(
                ess=ess,
                effective_rewards=hits,
                leverage=moments.leverage,
                kept=kept,
                weights=total.weights,
                written=total.written,
            )
        )
    normal = NamedInterval(method="normal", low=value - Z95 * std_err, high=value + Z95 * std_err)
    estimate = Estimate(
        estimator=estimator.name,
        value=value,
        std_err=std_err,
        intervals=(normal,),
        n=n,
        ess=ess,
        max_weight=total.weights.largest,
        weight_sum_over_n=total.weights.mean,
        support_misses=total.weights.support_misses,
        effective_rewards=hits,
        findings=findings,
    )
    return estimate.without_number() if refuse and estimate.refused else estimate
