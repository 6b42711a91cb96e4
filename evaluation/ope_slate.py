"""Off-policy evaluation of whole slates: what a page of L places would have earned.

With rho_l the ratio pi_e/pi_b of the item at place l given those above it, w_l = rho_1 .. rho_l, m_l the ratio of its
marginal probabilities and r_l the reward at place l:

    SIPS        w_L sum_l r_l                              unbiased always, largest weights
    IIPS        sum_l m_l r_l                              if r_l depends on the item at l alone (Li et al. 2018)
    RIPS        sum_l w_l r_l                              if on the items down to l (McInerney et al. 2020)
    Cascade-DR  sum_l w_l (r_l - q_l) + w_(l-1) v_l        as RIPS, less variance; q any value to go (Kiyohara et al. 2022)
    PI          u sum_l r_l                                if the total is a sum over places and items (Swaminathan 2017)

u = 1 - L + sum_l m_l where the log chose places independently; else it is `pseudo_inverse_weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.ope_estimate import Estimate, Tally, conclude
from copybandit.evaluation.ope_estimators import Estimator
from copybandit.evaluation.ope_gates import how_written
from copybandit.evaluation.ope_moments import Moments, WeightSums
from copybandit.evaluation.ope_rows import ABOVE_ONE, LEAST_PROPENSITY
from copybandit.evaluation.ope_shrink import Plain
from copybandit.sim.types import DataError, Floats, Ints

_SPANS = {
    "propensity": (LEAST_PROPENSITY, "(0, 1]"),
    "target_prob": (0.0, "[0, 1]"),
    "marginal_propensity": (LEAST_PROPENSITY, "(0, 1]"),
    "marginal_target": (0.0, "[0, 1]"),
}


@dataclass(frozen=True, kw_only=True)
class Slates:
    """Logged pages; each column float64 of shape (n, L), place 0 at the top, unless said otherwise.

    Attributes:
        reward: what each place earned.
        propensity: pi_b of the item given those above it, in (0, 1].
        target_prob: pi_e of the same, in [0, 1].
        marginal_propensity: pi_b of the item at its place whatever is above, in (0, 1]; for IIPS and PI.
        marginal_target: pi_e of the same, in [0, 1].
        q: a model's reward of this place and all below, given the items down to it; for Cascade-DR.
        v: q averaged over what the target policy may show at this place.
        pi_weight: shape (n,), weight of the pseudo-inverse estimator where places are not independent.

    Raises:
        DataError: a column has another shape, is not finite or out of range.
    """

    reward: Floats
    propensity: Floats
    target_prob: Floats
    marginal_propensity: Floats | None = None
    marginal_target: Floats | None = None
    q: Floats | None = None
    v: Floats | None = None
    pi_weight: Floats | None = None

    def __post_init__(self) -> None:
        shape = self.reward.shape
        if self.reward.ndim != 2 or not self.reward.size:
            raise DataError(
                f"slates: reward must be (n, L) with rounds and places, got {shape}; one row a page"
            )
        for name, values in vars(self).items():
            if values is None:
                continue
            wanted = shape[:1] if name == "pi_weight" else shape
            if values.shape != wanted or values.dtype != np.float64 or not np.isfinite(values).all():
                raise DataError(
                    f"slates: {name} must be {wanted}, float64 and finite, got {values.dtype} {values.shape}; "
                    "give one number a place"
                )
            least, span = _SPANS.get(name, (-np.inf, ""))
            if values.min() < least or (span and values.max() > 1 + ABOVE_ONE):
                raise DataError(
                    f"slates: {name} must be in {span}, got {values.min()} to {values.max()}; log probabilities"
                )

    def __len__(self) -> int:
        return len(self.reward)


@dataclass(frozen=True, kw_only=True)
class SlateEstimator:
    """One estimator: its name, and the parts v, b and g of each page, shape (3, n), as of `Moments`."""

    name: str
    parts: Callable[[Slates], Floats]


def _sips(slates: Slates) -> Floats:
    w = (slates.target_prob / slates.propensity).prod(axis=1)
    return _parts(w * slates.reward.sum(axis=1), w)


def _iips(slates: Slates) -> Floats:
    m = _marginal_ratio(slates, "iips")
    return _parts((m * slates.reward).sum(axis=1), m.mean(axis=1))


def _rips(slates: Slates) -> Floats:
    w = (slates.target_prob / slates.propensity).cumprod(axis=1)
    return _parts((w * slates.reward).sum(axis=1), w[:, -1])


def _cascade_dr(slates: Slates) -> Floats:
    q, v = _needed(slates, "q", "cascade_dr"), _needed(slates, "v", "cascade_dr")
    w = (slates.target_prob / slates.propensity).cumprod(axis=1)
    correction = (w * (slates.reward - q)).sum(axis=1) + (w[:, :-1] * v[:, 1:]).sum(axis=1)
    return _parts(correction, w[:, -1], v[:, 0])


def _pi(slates: Slates) -> Floats:
    u = slates.pi_weight
    if u is None:
        m = _marginal_ratio(slates, "pi")
        u = 1 + (m - 1).sum(axis=1)
    return _parts(u * slates.reward.sum(axis=1), u)


SIPS = SlateEstimator(name="sips", parts=_sips)
IIPS = SlateEstimator(name="iips", parts=_iips)
RIPS = SlateEstimator(name="rips", parts=_rips)
CASCADE_DR = SlateEstimator(name="cascade_dr", parts=_cascade_dr)
PI = SlateEstimator(name="pi", parts=_pi)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused at the end
def evaluate_slates(
    log: Slates | Iterable[Slates], estimators: Sequence[SlateEstimator], *, refuse: bool = True
) -> tuple[Estimate, ...]:
    """Value a policy by several estimators, mean total reward per page, in one pass.

    Args:
        log: the pages, whole or in chunks.
        estimators: which.
        refuse: as of `copybandit.evaluation.ope_estimate.evaluate`.

    Returns:
        One estimate for each, in order; its weights are those of the whole page, the mean over places for IIPS.

    Raises:
        DataError: no pages or fewer than 2, or columns that are needed and absent.
    """
    totals: list[Tally] = []
    for slates in (log,) if isinstance(log, Slates) else log:
        new = [_tally(slates, estimator) for estimator in estimators]
        totals = [a + b for a, b in zip(totals, new, strict=True)] if totals else new
    if not totals:
        raise DataError("slates: needs pages and an estimator, got none; give both")
    return tuple(
        conclude(Estimator(name=which.name, shrink=Plain()), total.moments[0], total, refuse=refuse)
        for which, total in zip(estimators, totals, strict=True)
    )


def pseudo_inverse_weights(slates: Ints, logging: Floats, target: Floats, n_items: int) -> Floats:
    """Weights of the pseudo-inverse estimator for one context whose slates can be listed.

        u(s) = (sum_s' pi_e(s') 1_s')' pinv(sum_s' pi_b(s') 1_s' 1_s'') 1_s,   1_s the place-item indicators of s

    Args:
        slates: shape (s, L), item at each place of every slate that either policy may show.
        logging: shape (s,), pi_b.
        target: shape (s,), pi_e.
        n_items: items there are.

    Returns:
        Shape (s,); they may be below 0.

    Raises:
        DataError: shapes do not match, an unknown item, or what is no distribution.
    """
    s, places = slates.shape
    if slates.min() < 0 or slates.max() >= n_items:
        raise DataError(
            f"pseudo_inverse_weights: items must be in [0, {n_items}), got {slates.min()} to {slates.max()}; count them"
        )
    for name, values in (("logging", logging), ("target", target)):
        if values.shape != (s,) or not (values >= 0).all() or abs(float(values.sum()) - 1) > 1e-9:
            raise DataError(
                f"pseudo_inverse_weights: {name} must be ({s},), >= 0 and sum to 1, got {values.shape} with a sum of "
                f"{values.sum()}; list every slate once"
            )
    shown = np.zeros((s, places * n_items))
    for place in range(places):
        shown[np.arange(s), place * n_items + slates[:, place]] = 1.0
    gamma = shown.T @ (logging[:, None] * shown)
    return np.asarray(shown @ (np.linalg.pinv(gamma, rcond=1e-12, hermitian=True) @ (target @ shown)))


def _tally(slates: Slates, estimator: SlateEstimator) -> Tally:
    parts = estimator.parts(slates)
    return Tally(
        weights=WeightSums.of(parts[2]),
        written=how_written(slates.propensity.ravel(), slates.target_prob.ravel()),
        moments=(Moments.of(parts, np.abs(slates.reward.sum(axis=1))),),
    )


def _parts(b: Floats, g: Floats, v: Floats | None = None) -> Floats:
    return np.stack([np.zeros(len(b)) if v is None else v, b, g])


def _marginal_ratio(slates: Slates, name: str) -> Floats:
    return _needed(slates, "marginal_target", name) / _needed(slates, "marginal_propensity", name)


def _needed(slates: Slates, column: str, name: str) -> Floats:
    values: Floats | None = getattr(slates, column)
    if values is None:
        raise DataError(f"slates: {name} needs {column}, got none; add it to the slates")
    return values
