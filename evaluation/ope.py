"""Off-policy evaluation: what a target policy would have earned, from another policy's log.

With w = pi_e(a|x) / pi_b(a|x) for the logged action:

    IPS    mean(w r)                          unbiased where pi_b > 0 wherever pi_e > 0
    SNIPS  sum(w r) / sum(w)                  biased by O(1/n), shorter intervals
    DM     mean(v),  v = sum_a pi_e(a|x) q(x,a)   as good as q; its interval knows nothing of q's error
    DR     mean(v + w (r - q))                unbiased if w or q is right (Dudik, Langford, Li, ICML 2011)

Intervals are normal, 95%. An estimate carries its own diagnostics and warnings. None is valid for actions the
log could never have shown, so new copy is judged in simulation, never here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats

Z95 = 1.959963984540054
"""97.5% point of the standard normal."""
MIN_ESS = 100.0
MIN_ESS_SHARE = 0.01
MIN_EFFECTIVE_REWARDS = 50.0
"""Below it the estimate is so skewed that normal intervals cover less than they say."""
WEIGHT_TOLERANCE = 0.05
"""Mean weights nearer to 1 than this are never called wrong."""
WEIGHT_STD_ERRS = 4.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One estimate of a policy's value, with what is needed to distrust it.

    Attributes:
        estimator: ips, snips, dm or dr.
        value: estimated mean reward per round.
        ci_low: lower end of the normal 95% interval; not clipped at 0.
        ci_high: upper end.
        std_err: standard error.
        n: rounds.
        ess: effective sample size, sum(w)^2 / sum(w^2), in rounds.
        max_weight: largest importance weight.
        mean_weight: 1 in expectation when propensities are right.
        support_misses: rounds where the target policy may show what the log never could.
        warnings: reasons not to trust the number; empty is good.
    """

    estimator: str
    value: float
    ci_low: float
    ci_high: float
    std_err: float
    n: int
    ess: float
    max_weight: float
    mean_weight: float
    support_misses: int
    warnings: tuple[str, ...]


def ips(reward: Floats, propensity: Floats, target_prob: Floats, *, support_misses: int = 0) -> Estimate:
    """Inverse propensity score.

    Args:
        reward: shape (n,).
        propensity: shape (n,), probability of the logged action under the behavior policy, in (0, 1].
        target_prob: shape (n,), of the same action under the target policy, in [0, 1].
        support_misses: rounds where the target policy leaves the log's support, if known.

    Returns:
        The estimate.

    Raises:
        DataError: arrays do not match, a number is out of range, or there are fewer than 2 rounds.
    """
    w = _weights(reward, propensity, target_prob)
    return _mean_estimate("ips", w * reward, w, reward, support_misses)


def snips(reward: Floats, propensity: Floats, target_prob: Floats, *, support_misses: int = 0) -> Estimate:
    """Self-normalised IPS, standard error by the delta method; arguments and errors as for `ips`.

    Raises:
        DataError: also when all weights are 0.
    """
    w = _weights(reward, propensity, target_prob)
    total = float(w.sum())
    if total == 0:
        raise DataError(
            "snips: weights must not all be 0, got no overlap of target policy and log; "
            "use a log that covers it"
        )
    value = float((w * reward).sum()) / total
    std_err = float(np.sqrt(np.square(w * (reward - value)).sum())) / total
    return _estimate("snips", value, std_err, w, reward, support_misses)


def dm(v: Floats) -> Estimate:
    """Direct method: the mean of the model's values.

    Args:
        v: shape (n,), the model's reward averaged over the target policy.

    Returns:
        The estimate, always with a warning: its interval leaves out the model's error.

    Raises:
        DataError: numbers are not finite, or there are fewer than 2 rounds.
    """
    _check("v", v, len(v))
    estimate = _mean_estimate("dm", v, np.ones(len(v)), v, 0)
    return replace(estimate, warnings=(*estimate.warnings, "the interval leaves out the error of the model"))


def dr(
    reward: Floats,
    propensity: Floats,
    target_prob: Floats,
    q_logged: Floats,
    v: Floats,
    *,
    support_misses: int = 0,
) -> Estimate:
    """Doubly robust.

    Args:
        reward: shape (n,).
        propensity: shape (n,), as for `ips`.
        target_prob: shape (n,), as for `ips`.
        q_logged: shape (n,), the model's reward of the logged action; not fitted on the same row.
        v: shape (n,), the model's reward averaged over the target policy.
        support_misses: as for `ips`.

    Returns:
        The estimate.

    Raises:
        DataError: as for `ips`.
    """
    w = _weights(reward, propensity, target_prob)
    _check("q_logged", q_logged, len(w))
    _check("v", v, len(w))
    return _mean_estimate("dr", v + w * (reward - q_logged), w, reward, support_misses)


def cross_fit_scale(prior: Floats, log: LoggedFeedback) -> Floats:
    """Reward model q = prior times one calibration factor, cross-fitted on two folds of alternate rows.

    Args:
        prior: shape (n, k), warm-start probability of each candidate.
        log: the rows it belongs to.

    Returns:
        Shape (n, k); no row's own reward enters its q. One pseudo-click keeps the factor above 0.

    Raises:
        DataError: shapes do not match.
    """
    if prior.shape != log.action_probs.shape:
        raise DataError(
            f"cross_fit_scale: prior must be {log.action_probs.shape}, got {prior.shape}; "
            "align it with the log"
        )
    rows = np.arange(len(log))
    expected = prior[rows, log.action]
    factor = np.empty(len(log))
    for fold in (0, 1):
        other = rows % 2 != fold
        factor[rows % 2 == fold] = (log.reward[other].sum() + 1) / (expected[other].sum() + 1)
    return np.asarray(prior * factor[:, None])


def evaluate_policy_on_log(log: LoggedFeedback, target_probs: Floats, q: Floats) -> tuple[Estimate, ...]:
    """All four estimates of a target policy.

    Args:
        log: logged bandit feedback with full distributions.
        target_probs: shape (n, k), the target policy on the logged requests; 0 where absent.
        q: shape (n, k), reward model, e.g. from `cross_fit_scale`; values where absent are ignored.

    Returns:
        IPS, SNIPS, DM and DR, in this order.

    Raises:
        DataError: ``target_probs`` is no distribution over the logged candidates, or shapes do not match.
    """
    _check_target(log, target_probs, q)
    rows = np.arange(len(log))
    misses = int(((target_probs > 0) & (log.action_probs <= 0)).any(axis=1).sum())
    target = target_probs[rows, log.action]
    v = np.where(log.candidates >= 0, target_probs * q, 0.0).sum(axis=1)
    return (
        ips(log.reward, log.propensity, target, support_misses=misses),
        snips(log.reward, log.propensity, target, support_misses=misses),
        dm(v),
        dr(log.reward, log.propensity, target, q[rows, log.action], v, support_misses=misses),
    )


def _check_target(log: LoggedFeedback, target_probs: Floats, q: Floats) -> None:
    shape = log.action_probs.shape
    if target_probs.shape != shape or q.shape != shape:
        raise DataError(
            f"evaluate_policy_on_log: target_probs and q must be {shape}, got "
            f"{target_probs.shape} and {q.shape}; "
            "align them with the log"
        )
    absent = float(np.abs(target_probs[log.candidates < 0]).max(initial=0.0))
    off = float(np.abs(target_probs.sum(axis=1) - 1).max(initial=0.0))
    if not (absent == 0 and off <= 1e-9 and (target_probs >= 0).all()):
        raise DataError(
            "evaluate_policy_on_log: target_probs must be >= 0, sum to 1 and be 0 where absent, "
            "got rows off by "
            f"{off:.3g} and {absent:.3g} on absent candidates; pass Policy.action_probs of the logged batch"
        )


def _check(name: str, values: Floats, n: int) -> None:
    if values.shape != (n,) or not np.isfinite(values).all():
        raise DataError(
            f"ope: {name} must be ({n},) and finite, got {values.shape}; give one number per round"
        )
    if n < 2:
        raise DataError(f"ope: at least 2 rounds are needed for an interval, got {n}; give a longer log")


def _weights(reward: Floats, propensity: Floats, target_prob: Floats) -> Floats:
    """Importance weights of the logged actions, shape (n,)."""
    n = len(reward)
    for name, values in (("reward", reward), ("propensity", propensity), ("target_prob", target_prob)):
        _check(name, values, n)
    if not ((propensity > 0) & (propensity <= 1 + 1e-9)).all():
        raise DataError(
            f"ope: propensity must be in (0, 1], got {propensity.min()} to {propensity.max()}; "
            "log the probability the action was drawn with"
        )
    if not ((target_prob >= 0) & (target_prob <= 1 + 1e-9)).all():
        raise DataError(
            f"ope: target_prob must be in [0, 1], got {target_prob.min()} to {target_prob.max()}; "
            "pass probabilities of the logged action"
        )
    return np.asarray(target_prob / propensity)


def _mean_estimate(estimator: str, terms: Floats, w: Floats, reward: Floats, misses: int) -> Estimate:
    """Estimate that is a plain mean of independent terms."""
    n = len(terms)
    std_err = float(terms.std(ddof=1)) / float(np.sqrt(n))
    return _estimate(estimator, float(terms.sum()) / n, std_err, w, reward, misses)


def _estimate(
    estimator: str, value: float, std_err: float, w: Floats, reward: Floats, misses: int
) -> Estimate:
    return Estimate(
        estimator=estimator,
        value=value,
        ci_low=value - Z95 * std_err,
        ci_high=value + Z95 * std_err,
        std_err=std_err,
        n=len(w),
        ess=_effective_count(w),
        max_weight=float(w.max()),
        mean_weight=float(w.mean()),
        support_misses=misses,
        warnings=_warnings(w, reward, misses),
    )


def _effective_count(w: Floats) -> float:
    """Number of equal terms that would average as well: sum(w)^2 / sum(w^2), 0 if all are 0."""
    squares = float(np.square(w).sum())
    return float(w.sum()) ** 2 / squares if squares > 0 else 0.0


def _warnings(w: Floats, reward: Floats, misses: int) -> tuple[str, ...]:
    """Why the estimate should not be trusted."""
    found = []
    n, mean, ess, hits = len(w), float(w.mean()), _effective_count(w), _effective_count(w * np.abs(reward))
    if ess < MIN_ESS or ess < MIN_ESS_SHARE * n:
        found.append(f"effective sample size {ess:.1f} of {n} rounds: a few rows decide the estimate")
    if hits < MIN_EFFECTIVE_REWARDS:
        found.append(f"only {hits:.1f} effective rewards: the estimate is skewed, the interval too short")
    if abs(mean - 1) > max(WEIGHT_TOLERANCE, WEIGHT_STD_ERRS * float(w.std()) / float(np.sqrt(n))):
        found.append(f"mean weight {mean:.3f} is far from 1: propensities are wrong or support is missing")
    if misses:
        found.append(f"{misses} rounds where the target policy shows what the log never could: biased")
    return tuple(found)
