"""When an off-policy estimate means nothing, and says so: gates that refuse it or flag it.

A refused estimate has no number unless it is asked for; a flagged one has its number and the reason to doubt it. The
thresholds of the effective sample and of the effective rewards are held by a study of coverage: below them normal
intervals cover less than they say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.ope_moments import WeightSums
from copybandit.sim.types import Floats

MIN_ESS = 100.0
"""Rounds; fewer decide nothing."""
MIN_ESS_SHARE = 0.01
"""Of the rounds; below it few rows decide the estimate."""
MIN_EFFECTIVE_REWARDS = 100.0
"""Below it the estimate is so skewed that normal intervals cover less than they say."""
MAX_LEVERAGE = 0.4
"""Above it one reward more or less, on the row of the largest weight, would have moved the estimate too far."""
WEIGHT_TOLERANCE = 0.05
"""Mean weights nearer to 1 than this are never called wrong."""
WEIGHT_STD_ERRS = 4.0
"""Nor those within so many standard errors."""
MISSED_SHARE = 0.05
"""Of the rounds that may leave the log's support before the estimate is refused."""
SHRUNK_SHARE = 0.01
"""Of the weight that shrinkage may take before its bias is told."""
ROUNDED_FLAG, ROUNDED_REFUSE = 0.01, 0.10
"""Relative error of the mean weight that rounded propensities may cause."""
ROUNDED_VALUES = 10
"""A policy with fewer distinct propensities may well have round ones."""
ROUNDED_DIGITS = range(2, 7)
ROUNDED_SAMPLE = 65_536
"""Rows whose propensities are looked at."""
LARGEST_FLOOR = 1e-5
"""Larger smallest propensities may well be a policy's own floor of exploration."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One reason to distrust an estimate.

    Attributes:
        gate: which: ess, ess_share, rewards, leverage, weights, support, rounded, floored, shrunk, model.
        text: rule, actual value and remedy, on one line.
        refuses: whether the number means nothing.
    """

    gate: str
    text: str
    refuses: bool


@dataclass(frozen=True, kw_only=True)
class Written:
    """How exactly the propensities of a log are written, as seen on its first rows.

    Attributes:
        rounded: relative error of the mean weight that rounding may have caused; 0 where nothing looks rounded.
        floored: share of the weight on rows whose propensity is the smallest and a power of ten of at most 1e-5.
    """

    rounded: float = 0.0
    floored: float = 0.0

    def __add__(self, other: Written) -> Written:
        """The worse of both."""
        return Written(rounded=max(self.rounded, other.rounded), floored=max(self.floored, other.floored))


def how_written(propensity: Floats, target_prob: Floats) -> Written:
    """Look for rounding to 2 to 6 digits and for a floor, among the first rows.

    Args:
        propensity: shape (n,).
        target_prob: shape (n,).
    """
    propensity = propensity[:ROUNDED_SAMPLE]
    w = target_prob[:ROUNDED_SAMPLE] / propensity
    values, total = np.unique(propensity), float(w.sum())
    if len(values) < ROUNDED_VALUES or total == 0:
        return Written()
    least = values[0]
    power = 10.0 ** np.rint(np.log10(least))
    floor = least <= LARGEST_FLOOR and abs(least / power - 1) < 1e-9
    floored = float(w[propensity == least].sum()) / total if floor else 0.0
    for digits in ROUNDED_DIGITS:
        units = values * 10.0**digits
        if np.abs(units - np.rint(units)).max() < 1e-6:
            off = 0.5 * 10.0**-digits * float((w / propensity).sum()) / total
            return Written(rounded=off, floored=floored)
    return Written(floored=floored)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the gates look at.

    Attributes:
        ess: effective sample size of the weights used, in rounds.
        effective_rewards: the same of weights times rewards.
        leverage: as of `Moments`.
        kept: share of the weight that shrinkage left.
        weights: sums of the weights before shrinkage.
        written: how exactly the propensities are written.
    """

    ess: float
    effective_rewards: float
    leverage: float
    kept: float
    weights: WeightSums
    written: Written


def weight_findings(seen: Evidence) -> tuple[Finding, ...]:
    """Everything wrong with an estimate that uses weights; empty is good."""
    found = (*_sample(seen), *_weights(seen.weights), *_propensities(seen.written))
    if seen.kept < 1 - SHRUNK_SHARE:
        text = (
            f"shrinkage should leave at least {1 - SHRUNK_SHARE:.0%} of the weight, got {seen.kept:.1%}; "
            "the interval leaves out its bias, so read it beside the unshrunk estimate"
        )
        found += (Finding(gate="shrunk", text=text, refuses=False),)
    return found


def model_finding() -> Finding:
    """What is always wrong with an estimate that is a model's."""
    text = "the interval should hold the model's error, got a direct method, which leaves it out; use dr"
    return Finding(gate="model", text=text, refuses=False)


def _sample(seen: Evidence) -> tuple[Finding, ...]:
    found, n = [], seen.weights.n
    if seen.ess < MIN_ESS:
        text = (
            f"effective sample size must be at least {MIN_ESS:.0f}, got {seen.ess:.1f} of {n} rounds; "
            "log more or value a policy nearer to the log's"
        )
        found.append(Finding(gate="ess", text=text, refuses=True))
    elif seen.ess < MIN_ESS_SHARE * n:
        text = (
            f"effective sample size must be at least {MIN_ESS_SHARE:.0%} of the rounds, got {seen.ess:.1f} of {n}; "
            "few rows decide the estimate, so value a policy nearer to the log's"
        )
        found.append(Finding(gate="ess_share", text=text, refuses=True))
    if seen.effective_rewards < MIN_EFFECTIVE_REWARDS:
        text = (
            f"effective rewards must be at least {MIN_EFFECTIVE_REWARDS:.0f}, got {seen.effective_rewards:.1f}; "
            "the estimate is skewed and its normal interval too short, so log more"
        )
        found.append(Finding(gate="rewards", text=text, refuses=True))
    if seen.leverage > MAX_LEVERAGE:
        text = (
            f"leverage of the largest weight must be at most {MAX_LEVERAGE}, got {seen.leverage:.2f}; "
            "a reward there would decide the estimate, so log more or shrink weights"
        )
        found.append(Finding(gate="leverage", text=text, refuses=True))
    return tuple(found)


def _weights(w: WeightSums) -> tuple[Finding, ...]:
    found = []
    if abs(w.mean - 1) > max(WEIGHT_TOLERANCE, WEIGHT_STD_ERRS * w.std_err):
        text = (
            f"mean weight must be near 1, got {w.mean:.3f}; propensities are wrong or support is missing, "
            "so check what was logged"
        )
        found.append(Finding(gate="weights", text=text, refuses=True))
    if w.support_misses:
        text = (
            f"the target policy must stay within the log's support, got {w.support_misses} of {w.n} rounds outside; "
            "the estimate is biased, so give what it may show a probability in the log"
        )
        refuses = w.support_misses > MISSED_SHARE * w.n
        found.append(Finding(gate="support", text=text, refuses=refuses))
    return tuple(found)


def _propensities(written: Written) -> tuple[Finding, ...]:
    found = []
    if written.rounded > ROUNDED_FLAG:
        text = (
            f"propensities must be written exactly, got rounded ones that may move the mean weight by "
            f"{written.rounded:.1%}; write all digits"
        )
        found.append(Finding(gate="rounded", text=text, refuses=written.rounded > ROUNDED_REFUSE))
    if written.floored > ROUNDED_FLAG:
        text = (
            f"propensities must not be cut off below, got {written.floored:.1%} of the weight on a floor that is a "
            "power of ten; write what was drawn with"
        )
        found.append(Finding(gate="floored", text=text, refuses=written.floored > ROUNDED_REFUSE))
    return tuple(found)
