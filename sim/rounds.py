"""Fit the World's terms from logged rounds: position, interest, match and wording in one Poisson regression.

At click rates near 1%  log P(click) = log examine + base + b_I z + b_M m + w(t) + q(p)  up to a percent, with
w(t) = f(t)'b the wording relative to the reference copy, b ~ N(0, effect_sd^2) after each encoder's features are scaled to
the same energy, and q ~ N(0, product_sd^2) what everybody thinks of a product. product_sd is set by the evidence (Laplace's
approximation; MacKay, 1992). effect_sd is set by cross-validation over products: what a wording does for one product alone
is no use for another, and the evidence would count it. The smallest that is within one standard error of the best shrinks
the mean of b; the ensemble is drawn around it, in pairs mirrored at it, with the posterior covariance under the best itself
(doubt_sd), for a prior made small on purpose would make the doubt small, too.

Rows of one text share their features, so each Newton step sums rows by text first: it costs what four columns cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.sim.encoders import Encoder, Joined
from copybandit.sim.synthetic import Rounds
from copybandit.sim.types import Bools, Floats, Ints
from copybandit.sim.wording import LinearWording

SHARED = ("base", "position_eta", "b_interest", "b_match")
EFFECT_SDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
"""Prior standard deviations of the wording that encoders explain, among which held-out products choose."""
PRODUCT_SDS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""The same for what everybody thinks of a product, beyond the fitted interest, among which the evidence chooses."""
FOLDS = 5
"""Parts of the products that are left out in turn."""
_FLAT = 1e-4
"""Prior precision of the shared terms."""


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
        wording: the ensemble; the mean of its members is the posterior mean under `effect_sd`.
        shared: one fitted coefficient for each name in `SHARED`.
        effect_sd: the most cautious that held-out products allow.
        doubt_sd: what they like best.
        product_sd: what the evidence chose.
    """

    wording: LinearWording
    shared: tuple[Fitted, ...]
    effect_sd: float
    doubt_sd: float
    product_sd: float


@dataclass(frozen=True, kw_only=True)
class _Design:
    """Rows of the log, and the texts they show.

    Attributes:
        shared: shape (n, s), columns of the shared terms.
        click: shape (n,).
        text: shape (n,), which text a row shows.
        features: shape (t, d), of the texts.
        product: shape (t,), of the texts.
        n_products: how many products there are.
    """

    shared: Floats
    click: Floats
    text: Ints
    features: Floats
    product: Ints
    n_products: int

    def by_text(self, values: Floats) -> Floats:
        """Sum values of shape (n,) or (n, s) over the rows of each text."""
        columns = values.reshape(len(values), -1).T
        sums = [np.bincount(self.text, column, minlength=len(self.features)) for column in columns]
        stacked = np.stack(sums, axis=1).reshape(len(self.features), *values.shape[1:])
        return np.asarray(stacked, dtype=np.float64)

    def of_products(self, kept: Bools) -> _Design:
        """The rows of some products, chosen by shape (n_products,)."""
        rows = kept[self.product[self.text]]
        return replace(self, shared=self.shared[rows], click=self.click[rows], text=self.text[rows])

    def by_product(self, values: Floats) -> Floats:
        """Sum values of shape (t, d) over the texts of each product, shape (n_products, d)."""
        total = np.zeros((self.n_products, values.shape[1]))
        np.add.at(total, self.product, values)
        return total


@dataclass(frozen=True, kw_only=True)
class _Mode:
    """The posterior's mode and its curvature.

    Attributes:
        beta: shape (s + d,), shared terms and features.
        products: shape (n_products,), effects of the products.
        information: shape (s + d, s + d), of beta with the products' effects integrated out.
        evidence: log evidence up to a constant.
    """

    beta: Floats
    products: Floats
    information: Floats
    evidence: float


def fit_rounds(
    rounds: Rounds,
    rows: np.ndarray,
    interest: Floats,
    match: Floats,
    references: Sequence[str],
    encoders: Sequence[Encoder],
    rng: np.random.Generator,
    pairs: int = 64,
) -> RoundsFit:
    """Fit on the given rows of a log.

    Args:
        rounds: the log.
        rows: shape (n,), rows of the fit split.
        interest: shape (n,), standardised interest of those rows under the fitted taste.
        match: shape (n,), their standardised match.
        references: reference copy of each product; wording is measured against it.
        encoders: fitted encoders; each explains the same share of wording before the log is seen.
        rng: draws the ensemble.
        pairs: half the number of its members.
    """
    log, encoder = rounds.feedback, Joined(encoders=tuple(encoders))
    blocks = [e.encode(rounds.texts) - e.encode(references)[rounds.product] for e in encoders]
    energy = [float((block**2).sum(axis=1).mean()) for block in blocks]
    scale = np.repeat(1 / np.sqrt(np.maximum(energy, 1e-12) * len(blocks)), [e.dimension for e in encoders])
    design = _Design(
        shared=np.stack([np.ones(len(rows)), -np.log(log.position[rows]), interest, match], axis=1),
        click=log.click[rows],
        text=log.item_id[rows],
        features=np.hstack(blocks) * scale,
        product=rounds.product,
        n_products=len(references),
    )
    effect_sd, doubt_sd, product_sd = _chosen_sizes(design, rng)
    mode = _climb(design, _start(design), effect_sd, product_sd)
    s, covariance = len(SHARED), np.linalg.inv(mode.information)
    doubt = np.linalg.inv(_climb(design, mode, doubt_sd, product_sd).information)[s:, s:]
    draws = rng.normal(size=(pairs, len(scale))) @ np.linalg.cholesky(doubt).T
    members = (mode.beta[s:] + np.concatenate([draws, -draws])) * scale
    return RoundsFit(
        wording=LinearWording(encoders=(encoder,), coefficients=(members,)),
        shared=tuple(
            Fitted(value=float(b), low=float(b - 1.96 * e), high=float(b + 1.96 * e))
            for b, e in zip(mode.beta[:s], np.sqrt(np.diag(covariance)), strict=False)
        ),
        effect_sd=effect_sd,
        doubt_sd=doubt_sd,
        product_sd=product_sd,
    )


def _chosen_sizes(design: _Design, rng: np.random.Generator) -> tuple[float, float, float]:
    """effect_sd and doubt_sd by held-out products, and product_sd by the evidence."""
    usual, mode = EFFECT_SDS[len(EFFECT_SDS) // 2], _start(design)
    modes = [_climb(design, mode, usual, product_sd) for product_sd in PRODUCT_SDS]
    product_sd = PRODUCT_SDS[int(np.argmax([mode.evidence for mode in modes]))]
    fold = rng.permutation(design.n_products) % FOLDS
    scores = np.sum([_held_out(design, fold != k, product_sd) for k in range(FOLDS)], axis=0)
    best = int(np.argmax(scores.sum(axis=1)))
    return EFFECT_SDS[_most_cautious(scores)], EFFECT_SDS[best], product_sd


def _most_cautious(scores: Floats) -> int:
    """First row whose total is within one standard error of the best row's, scores of shape (rows, products).

    The one-standard-error rule of Breiman, Friedman, Olshen and Stone (1984), 3.4.3, on differences product by product.
    """
    behind = scores[int(np.argmax(scores.sum(axis=1)))] - scores
    error = np.sqrt(scores.shape[1]) * behind.std(axis=1)
    return int(np.argmax(behind.sum(axis=1) <= error))


def _held_out(design: _Design, kept: Bools, product_sd: float) -> Floats:
    """Log-likelihood of which text got the clicks, for each of `EFFECT_SDS` and each product left out; 0 for the others.

    Given a product's clicks in all, its texts share them as exp(w(t)) times their exposure, whatever the product's appeal.

    Returns:
        Shape (len(EFFECT_SDS), n_products).
    """
    known, left = design.of_products(kept), design.of_products(~kept)
    clicks, s = left.by_text(left.click), design.shared.shape[1]
    mode, found = _start(known), []
    for effect_sd in EFFECT_SDS:
        mode = _climb(known, mode, effect_sd, product_sd)
        exposed = left.by_text(np.exp(left.shared @ mode.beta[:s]))
        mass = exposed * np.exp(design.features @ mode.beta[s:])
        share = mass / np.maximum(left.by_product(mass[:, None])[design.product, 0], 1e-300)
        each = clicks * np.log(np.where(clicks > 0, share, 1.0))
        found.append(left.by_product(each[:, None])[:, 0])
    return np.stack(found)


def _start(design: _Design) -> _Mode:
    beta = np.zeros(design.shared.shape[1] + design.features.shape[1])
    beta[0] = np.log(max(float(design.click.mean()), 1e-9))
    return _Mode(beta=beta, products=np.zeros(design.n_products), information=np.eye(len(beta)), evidence=0.0)


def _climb(design: _Design, mode: _Mode, effect_sd: float, product_sd: float, iterations: int = 20) -> _Mode:
    """Newton's method from another mode to the mode under these prior deviations."""
    s, d = design.shared.shape[1], design.features.shape[1]
    precision = np.r_[np.full(s, _FLAT), np.full(d, effect_sd**-2)]
    for _ in range(iterations):
        mode, moved = _newton(design, mode, precision, product_sd**-2)
        if moved < 1e-6:
            break
    return mode


def _newton(design: _Design, mode: _Mode, precision: Floats, product_precision: float) -> tuple[_Mode, float]:
    """One step, and how far it went; information and evidence are those at the start of the step."""
    s, beta, q = design.shared.shape[1], mode.beta, mode.products
    by_text = design.features @ beta[s:] + q[design.product]
    eta = design.shared @ beta[:s] + by_text[design.text]
    mean = np.exp(np.clip(eta, -30, 5))
    miss, mass = design.by_text(design.click - mean), design.by_text(mean)
    pull = np.r_[design.shared.T @ (design.click - mean), design.features.T @ miss] - precision * beta
    pull_q = design.by_product(miss[:, None])[:, 0] - product_precision * q
    weighted = np.hstack([design.by_text(mean[:, None] * design.shared), mass[:, None] * design.features])
    cross_q = design.by_product(weighted)
    own = design.by_product(mass[:, None])[:, 0] + product_precision
    information = np.zeros((len(beta), len(beta)))
    information[:s, :s] = (design.shared * mean[:, None]).T @ design.shared
    information[:, s:] = weighted.T @ design.features
    information[s:, :s] = information[:s, s:].T
    information += np.diag(precision) - (cross_q / own[:, None]).T @ cross_q
    step = np.linalg.solve(information, pull - cross_q.T @ (pull_q / own))
    step_q = (pull_q - cross_q @ step) / own
    prior = precision @ beta**2 + product_precision * q @ q - np.log(precision).sum()
    volume = np.linalg.slogdet(information)[1] + np.log(own / product_precision).sum()
    evidence = float(design.click @ eta - mean.sum() - 0.5 * (prior + volume))
    found = replace(mode, beta=beta + step, products=q + step_q, information=information, evidence=evidence)
    return found, float(max(np.abs(step).max(), np.abs(step_q).max()))


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
