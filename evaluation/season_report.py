"""What the report says of a policy's season, and of its log: its own rows, the held out beside them, other policies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.agents.bandit_run import BanditRun, some
from copybandit.agents.policies import PriorGreedy
from copybandit.evaluation.named_policies import EPSILON
from copybandit.evaluation.ope_crossfit import cross_fit_scale
from copybandit.evaluation.ope_estimate import Z95, Estimate, evaluate
from copybandit.evaluation.ope_estimators import USUAL
from copybandit.evaluation.ope_rows import rows_of_log
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.schema import read_feedback
from copybandit.sim.types import Floats


def summary(done: BanditRun) -> dict[str, Any]:
    """What the report shows of one policy's season; all but ``holdout`` is of the rows that it decided itself."""
    own = done.online()
    daily, curve, log = own.daily(), own.regret_curve(60), own.log
    clicks = float(log.click.sum())
    report = {
        "ctr": float(own.expected_click.mean()),
        "clicked": float(log.click.mean()),
        "conversion": float(log.conversion.sum()) / clicks if clicks else float("nan"),
        "revenue_per_1000": 1000 * float(log.value.mean()),
        "reward_per_1000": 1000 * float(log.reward.mean()),
        "gap_closed": own.gap_closed(),
        "gap_closed_day7": own.gap_closed_day(int(daily.day.max())),
        "gap_closed_by_day": daily.gap_closed.tolist(),
        "regret": curve.regret.tolist(),
        "regret_at": curve.impressions.tolist(),
    }
    return report if done.log.held is None else report | {"holdout": held_out(done.log)}


def held_out(log: LoggedFeedback) -> dict[str, Any]:
    """The held out against the others in clicks and in reward, per impression, by assignment and without weights."""
    assert log.held is not None
    return {
        "share": float(log.held.mean()),
        "shoppers": len(np.unique(log.shopper)),
        "shoppers_held": len(np.unique(log.shopper[log.held])),
        "click": compared(log.click, log),
        "reward": compared(log.reward, log),
    }


def compared(values: Floats, log: LoggedFeedback) -> dict[str, float]:
    """Mean of the others less that of the held out, and the ratio less 1 (lift), with 95% intervals; values are (n,).

    Impressions of one shopper are taken together: a mean's variance is G / (G - 1) sum over G shoppers of the squared sum of
    their residuals / n^2 (Liang & Zeger, Biometrika 1986). The lift's interval is that of the logarithm of the ratio
    (delta method). What too few shoppers or no event leave unknown is NaN.
    """
    assert log.held is not None
    (ours, variance), (theirs, variance_held) = (
        _mean(values[rows], log.shopper[rows]) for rows in (~log.held, log.held)
    )
    half = Z95 * float(np.sqrt(variance + variance_held))
    lift, ends = float("nan"), (float("nan"), float("nan"))
    if ours > 0 and theirs > 0:
        lift = ours / theirs - 1
        spread = Z95 * float(np.sqrt(variance / ours**2 + variance_held / theirs**2))
        ends = (float(np.expm1(np.log1p(lift) - spread)), float(np.expm1(np.log1p(lift) + spread)))
    return {
        "others": ours,
        "others_half": Z95 * float(np.sqrt(variance)),
        "held": theirs,
        "held_half": Z95 * float(np.sqrt(variance_held)),
        "difference": ours - theirs,
        "ci_low": ours - theirs - half,
        "ci_high": ours - theirs + half,
        "lift": lift,
        "lift_low": ends[0],
        "lift_high": ends[1],
    }


def _mean(values: Floats, shopper: Any) -> tuple[float, float]:
    """Mean and its variance, clustered by shopper; NaN where it cannot be told."""
    groups, of = np.unique(shopper, return_inverse=True)
    if len(groups) < 2:
        return float(values.mean()) if len(values) else float("nan"), float("nan")
    mean = float(values.mean())
    residual = np.bincount(of, values - mean)
    share = len(groups) / (len(groups) - 1)
    return mean, share * float(np.square(residual).sum()) / len(values) ** 2


def value_others(done: BanditRun, path: Path) -> list[dict[str, Any]]:
    """Reread a log and value another policy from its own rows; the simulator's truth stands beside each estimate.

    The held out got another policy's choice, by their own lot, and say nothing of either: they are left out.
    """
    log, own, target = read_feedback(path), done.online(), PriorGreedy(epsilon=EPSILON)
    log = log if log.held is None else some(log, ~log.held)
    probs = target.action_probs(own.batch(), np.random.default_rng(0))
    truth = own.policy_value(probs)
    unit = float(
        own.most.mean()
    )  # so that the pseudo-click of the calibration weighs the same whatever the reward's unit
    q = unit * cross_fit_scale(own.prior * own.most[:, None] / unit, replace(log, reward=log.reward / unit))
    estimates = evaluate(rows_of_log(log, probs, q), USUAL)
    return [{"log": done.policy, "policy": target.name, **told(one, truth)} for one in estimates]


def told(estimate: Estimate, truth: float) -> dict[str, Any]:
    """What the report shows of an estimate; one that is refused has its reasons and no number."""
    low, high = estimate.ci_low, estimate.ci_high
    number = {"value": estimate.value, "ci_low": low, "ci_high": high, "covered": low <= truth <= high}
    return {
        "estimator": estimate.estimator,
        **(dict.fromkeys(number) if estimate.refused else number),
        "n": estimate.n,
        "ess": estimate.ess,
        "max_weight": estimate.max_weight,
        "weight_sum_over_n": estimate.weight_sum_over_n,
        "effective_rewards": estimate.effective_rewards,
        "support_misses": estimate.support_misses,
        "truth": truth,
        "refused": estimate.refused,
        "doubts": [finding.gate for finding in estimate.findings],
        "warnings": list(estimate.warnings),
    }
