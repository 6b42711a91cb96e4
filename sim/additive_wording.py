"""Wording from A/B tests as a sum of Gaussian processes, one per encoder, whose sizes are learned from the tests.

    log CTR_i = a_group + sum_k x_ki . b_k + u_i + e_i,
    b_k ~ N(0, s_k^2 I),  u_i ~ N(0, own^2),  e_i ~ N(0, 1 / (clicks_i + 1/2))

`a` has a flat prior: only differences within a group count. `u` is what a wording does and no encoder sees, so an arm with
many clicks does not outweigh all others. `own` maximises the restricted likelihood of the log rates without features, each
`s_k` the marginal likelihood with them (MacKay, Neural Computation 4:415, 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize_scalar

from copybandit.sim.blocks import Block
from copybandit.sim.encoders import CharGrams, Encoder, Joined, Lsa, Style
from copybandit.sim.sentence import Sentence
from copybandit.sim.types import DataError, Floats, Ints
from copybandit.sim.wording import Arms, LinearWording, centred, log_ctr

ROUNDS = 30
"""Steps of the search for the sizes, at most."""
START_SD = 0.1
"""Effect sd that the search starts from, in log CTR."""


@dataclass(frozen=True, kw_only=True)
class AdditiveFit:
    """A fitted sum.

    Attributes:
        wording: one encoder of all blocks; its members are draws from the posterior in pairs around the mean, so their
            mean is the posterior mean exactly.
        effect_sd: of each block, standard deviation of its part over texts, in log CTR.
        own_sd: of what no encoder sees.
        evidence: log marginal likelihood, up to a constant that depends on the arms alone.
    """

    wording: LinearWording
    effect_sd: tuple[float, ...]
    own_sd: float
    evidence: float


def usual_encoders(texts: Sequence[str], sentence: Sentence | None) -> tuple[Encoder, ...]:
    """Style and words, with a sentence encoder where there is one, with characters where there is none."""
    own: tuple[Encoder, ...] = (Style.fit(texts), Lsa.fit(texts, 64))
    return (CharGrams(size=512), *own) if sentence is None else (sentence, *own)


def fit_additive(
    arms: Arms,
    encoders: Sequence[Encoder],
    rng: np.random.Generator,
    *,
    pairs: int = 64,
    without_length: bool = False,
) -> AdditiveFit:
    """Fit to arms of A/B tests.

    Args:
        arms: of the fit split only.
        encoders: fitted encoders, one block each.
        rng: draws the members.
        pairs: half the number of members.
        without_length: take out what the number of words and characters says within groups.

    Raises:
        DataError: no group has two arms.
    """
    blocks = tuple(Block.fit(encoder, arms.texts) for encoder in encoders)
    if without_length:
        blocks = tuple(block.without_length(arms.texts, arms.group) for block in blocks)
    gram, pull, own = _moments(arms, blocks)
    owner = np.repeat(np.arange(len(blocks)), [block.dimension for block in blocks])
    variance = _sizes(gram, pull, owner)
    mean, root_precision, evidence = _posterior(gram, pull, variance[owner])
    noise = rng.standard_normal((len(mean), pairs))
    draws = solve_triangular(root_precision, noise, lower=True, trans="T").T
    members = np.stack([mean + draws, mean - draws], axis=1).reshape(2 * pairs, -1)
    return AdditiveFit(
        wording=LinearWording(encoders=(Joined(encoders=blocks),), coefficients=(members,)),
        effect_sd=tuple(np.sqrt(variance).tolist()),
        own_sd=float(np.sqrt(own)),
        evidence=evidence,
    )


def _moments(arms: Arms, blocks: Sequence[Block]) -> tuple[Floats, Floats, float]:
    """Weighted products of features within groups, (d, d), and with log rates, (d,), and the variance `own`^2."""
    y, clicks = log_ctr(arms)
    own = own_variance(y, 1 / clicks, arms.group)
    weight = 1 / (own + 1 / clicks)
    x = centred(np.hstack([block.encode(arms.texts) for block in blocks]), arms.group, weight)
    target = centred(y, arms.group, weight)
    return (x * weight[:, None]).T @ x, x.T @ (weight * target), own


def own_variance(y: Floats, noise: Floats, group: Ints) -> float:
    """Variance within groups beyond the known noise, by restricted maximum likelihood.

    Args:
        y: shape (n,), log rates.
        noise: shape (n,), variance of each.
        group: shape (n,).

    Raises:
        DataError: no group has two rows.
    """
    _, code = np.unique(group, return_inverse=True)
    if len(code) == code.max(initial=-1) + 1:
        raise DataError(
            f"A/B tests: a group of two arms is needed, got {len(code)} groups of one; give whole tests"
        )

    def loss(log_variance: float) -> float:
        weight = 1 / (np.exp(log_variance) + noise)
        left = centred(y, group, weight)
        mass = np.bincount(code, weight)
        return float(-np.log(weight).sum() + np.log(mass).sum() + (weight * left**2).sum())

    found = minimize_scalar(loss, bounds=(np.log(1e-6), np.log(4.0)), method="bounded")
    return float(np.exp(found.x))


def _sizes(gram: Floats, pull: Floats, owner: Ints) -> Floats:
    """Prior variance of each block's coefficients, shape (blocks,), by MacKay's fixed point."""
    variance = np.full(int(owner.max()) + 1, START_SD**2)
    for _ in range(ROUNDS):
        prior = variance[owner]
        precision = cho_factor(gram + np.diag(1 / prior), lower=True)
        mean = cho_solve(precision, pull)
        spread = np.diag(cho_solve(precision, np.eye(len(prior))))
        known = np.bincount(owner, 1 - spread / prior)
        new = np.clip(np.bincount(owner, mean**2) / np.maximum(known, 1e-9), 1e-8, 1.0)
        done = np.abs(np.log(new / variance)).max() < 0.02
        variance = new
        if done:
            break
    return variance


def _posterior(gram: Floats, pull: Floats, prior: Floats) -> tuple[Floats, Floats, float]:
    """Mean of the coefficients, root of their precision and log evidence."""
    root = cholesky(gram + np.diag(1 / prior), lower=True)
    mean = np.asarray(cho_solve((root, True), pull))
    volume = 2 * np.log(np.diag(root)).sum() + np.log(prior).sum()
    return mean, root, float(0.5 * (pull @ mean - volume))
