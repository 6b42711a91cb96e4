"""Fit the World's terms from logged rounds: position, interest, match and wording in one Poisson regression.

At click rates near 1% log P(click) = log examine + base + b_I z + b_M m + w(t) up to a percent, so a log-linear model
with a Gaussian prior on the wording coefficients is fitted by iteratively reweighted least squares. The ensemble is made
of encoders times a Bayesian bootstrap over products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.sim.encoders import Encoder
from copybandit.sim.synthetic import Rounds
from copybandit.sim.types import Floats
from copybandit.sim.wording import LinearWording

SHARED = ("base", "position_eta", "b_interest", "b_match")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A coefficient with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class RoundsFit:
    """What logged rounds say.

    Attributes:
        wording: the ensemble.
        shared: one fitted coefficient for each name in `SHARED`.
    """

    wording: LinearWording
    shared: tuple[Fitted, ...]


def fit_rounds(
    rounds: Rounds,
    rows: np.ndarray,
    interest: Floats,
    match: Floats,
    references: Sequence[str],
    encoders: Sequence[Encoder],
    rng: np.random.Generator,
    members: int = 4,
    effect_sd: float = 0.2,
) -> RoundsFit:
    """Fit on the given rows of a log.

    Args:
        rounds: the log.
        rows: shape (n,), rows of the fit split.
        interest: shape (n,), standardised interest of those rows under the fitted taste.
        match: shape (n,), their standardised match.
        references: reference copy of each product; wording is measured against it.
        encoders: fitted encoders.
        rng: draws bootstrap weights.
        members: per encoder; the first has equal weights.
        effect_sd: prior standard deviation of what encoders explain of wording within a brief.
    """
    log = rounds.feedback
    click = log.click[rows]
    shared = np.stack([np.ones(len(rows)), -np.log(log.position[rows]), interest, match], axis=1)
    item, shown = log.product[rows], log.item_id[rows]
    draws = rng.exponential(size=(members, len(references)))
    draws[0] = 1.0
    blocks, estimates = [], []
    for encoder in encoders:
        features = encoder.encode(rounds.texts) - encoder.encode(references)[rounds.product]
        x = np.hstack([shared, features[shown]])
        energy = float((features**2).sum(axis=1).mean())
        penalty = np.r_[np.full(shared.shape[1], 1e-4), np.full(encoder.dimension, energy / effect_sd**2)]
        solved = [poisson_ridge(x, click, draw[item], penalty) for draw in draws]
        blocks.append(np.array([beta[shared.shape[1] :] for beta, _ in solved]))
        estimates.append(solved[0])
    beta, deviation = estimates[0]
    fitted = tuple(
        Fitted(value=float(b), low=float(b - 1.96 * d), high=float(b + 1.96 * d))
        for b, d in zip(beta[: len(SHARED)], deviation, strict=False)
    )
    return RoundsFit(
        wording=LinearWording(encoders=tuple(encoders), coefficients=tuple(blocks)), shared=fitted
    )


def poisson_ridge(
    x: Floats, y: Floats, weight: Floats, penalty: Floats, iterations: int = 12
) -> tuple[Floats, Floats]:
    """Penalised Poisson regression with log link by Newton's method.

    Args:
        x: shape (n, d); its first column is 1.
        y: shape (n,), counts.
        weight: shape (n,).
        penalty: shape (d,), added to the diagonal of the information.
        iterations: at most so many Newton steps.

    Returns:
        Coefficients and standard errors, both of shape (d,).
    """
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(max(float(np.average(y, weights=weight)), 1e-9))
    information = np.diag(penalty)
    for _ in range(iterations):
        mean = np.exp(np.clip(x @ beta, -30, 5)) * weight
        information = (x * mean[:, None]).T @ x + np.diag(penalty)
        anchored = np.r_[0.0, (penalty * beta)[1:]]
        step = np.linalg.solve(information, x.T @ (y * weight - mean) - anchored)
        beta = beta + step
        if np.abs(step).max() < 1e-7:
            break
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))
