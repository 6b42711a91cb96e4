"""What an online log says before anything is fitted to it: the weight of each row, and the terms that are taken as known.

A row's weight is the share that the policy gave the variant on average, over the rows where it was a candidate, divided by
the chance it had in this row (stabilised weights: Robins, Hernan and Brumback, Epidemiology 11:550, 2000), at most
`max_weight`. So weighted, what is shown has nothing to do with what the policy knew of a visit; unweighted, that would pass
for wording. A policy that mostly shows one variant to everybody loses little of its log, unlike under weights to an
even choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.sim.exposures import Exposures
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.synthetic import Rounds
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.world import World

WEEK = 7 * 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of n rows.

    Attributes:
        value: shape (n,), scaled so that they sum to the effective sample size.
        effective: effective sample size, (sum w)^2 / sum w^2 (Kish, 1965).
        clipped: rows whose weight was cut.
        smallest: smallest propensity.
        one_sided: share of rows where a candidate had no chance, so that nothing weights it back.
    """

    value: Floats
    effective: float
    clipped: int
    smallest: float
    one_sided: float


def weights_of(log: LoggedFeedback, max_weight: float, *, weighted: bool = True) -> Weights:
    """Weights of a log's rows; all 1 where not `weighted`.

    Raises:
        DataError: no row, probabilities that do not sum to 1, or a policy that never drew.
    """
    if not len(log):
        raise DataError("feedback: a log must hold at least one row, got 0; give the online log")
    total = log.action_probs.sum(axis=1)
    if not np.allclose(total, 1, atol=1e-6):
        row = int(np.argmax(np.abs(total - 1)))
        raise DataError(
            f"feedback row {row}: action_probs must sum to 1, got {total[row]}; log all that was drawn from"
        )
    present, own = log.candidates >= 0, log.propensity
    several = present.sum(axis=1) > 1
    if several.any() and (own[several] >= 1).all():
        raise DataError(
            "feedback: some propensity must be below 1, got 1 everywhere; a policy that never draws says nothing of what it "
            "did not show, give it a uniform share"
        )
    raw = _usual(log, present) / own if weighted else np.ones(len(log))
    cut = np.minimum(raw, max_weight)
    square = float((cut**2).sum())
    return Weights(
        value=cut * (cut.sum() / square),
        effective=float(cut.sum() ** 2 / square),
        clipped=int((raw > max_weight).sum()),
        smallest=float(own.min()),
        one_sided=float((present & (log.action_probs <= 0)).any(axis=1).mean()),
    )


def _usual(log: LoggedFeedback, present: Bools) -> Floats:
    """Mean propensity of each row's variant over all rows where it was a candidate, shape (n,)."""
    item, chance = log.candidates[present], log.action_probs[present]
    mean = np.bincount(item, chance) / np.maximum(np.bincount(item), 1)
    return np.asarray(mean[log.item_id])


@dataclass(frozen=True, kw_only=True)
class Known:
    """Terms of n rows, each of shape (n,) unless told otherwise.

    Attributes:
        click: 0 or 1.
        offset: log-odds without match, wording and product: base, interest and fatigue as the world has them.
        examine: probability that the place was looked at.
        match: per unit of its coefficient.
        season: shape (n, 2), sine and cosine of the time of the week.
        text: which text was shown.
    """

    click: Floats
    offset: Floats
    examine: Floats
    match: Floats
    season: Floats
    text: Ints


def known_terms(world: World, rounds: Rounds, label: Ints | None = None) -> Known:
    """What the fitted world says of every row but for what will be fitted.

    Args:
        world: fitted.
        rounds: the log and the texts it shows; shoppers and products are those of the world.
        label: shape (n_shoppers,), segment of each shopper: match is then the leaning of the segment, which is known better
            than one shopper's taste (Wald, 1940). None takes each shopper's own.

    Raises:
        DataError: a shopper, product or text that the world does not know.
    """
    log, c = rounds.feedback, world.coefficients
    _check_range(log.shopper, len(world.taste.shoppers), "shopper", "of the world's shoppers")
    _check_range(log.product, len(world.references), "product", "of the world's products")
    _check_range(log.item_id, len(rounds.texts), "item_id", "of the texts")
    topic = world.encode(rounds.texts, rounds.product).topic
    day = (log.timestamp.astype("datetime64[us]").astype(np.int64) % WEEK) * (2 * np.pi / WEEK)
    stock = stocks(log, rounds.product, len(world.taste.shoppers), c.fatigue_memory)
    return Known(
        click=log.click,
        offset=c.base + c.b_interest * world.taste.interest(log.shopper, log.product) - c.fatigue * stock,
        examine=log.position.astype(np.float64) ** -c.position_eta,
        match=(_leaning(world, label)[log.shopper] * topic[log.item_id]).sum(axis=1),
        season=np.stack([np.sin(day), np.cos(day)], axis=1),
        text=log.item_id,
    )


def _check_range(values: Ints, n: int, column: str, what: str) -> None:
    if len(values) and not (values.min() >= 0 and values.max() < n):
        wrong = values.max() if values.min() >= 0 else values.min()
        raise DataError(
            f"feedback: {column} must be in [0, {n}), one {what}, got {wrong}; give the log of this shop"
        )


def _leaning(world: World, label: Ints | None) -> Floats:
    """How each shopper, or each shopper's segment, leans away from the average, shape (n_shoppers, d)."""
    own = world.taste.shoppers - world.taste.mean_shopper
    if label is None:
        return own
    means = np.stack([own[label == k].mean(axis=0) for k in range(int(label.max()) + 1)])
    return np.asarray(means[label])


def stocks(log: LoggedFeedback, product_of: Ints, n_shoppers: int, memory: float) -> Floats:
    """Exposure of each row's shopper to what the row shows, as far as the log remembers, shape (n,).

    Rows must be in order of time; a log that begins in mid-season knows nothing of earlier exposures.
    """
    seen = Exposures(n_shoppers, product_of, memory)
    order = np.argsort(log.shopper, kind="stable")
    ordered = log.shopper[order]
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    found = np.zeros(len(order))
    by_turn = np.argsort(turn, kind="stable")
    for rows in np.split(by_turn, np.cumsum(np.bincount(turn))[:-1]):
        found[rows] = seen.stock(log.shopper[rows], log.item_id[rows, None])[:, 0]
        seen.remember(log.shopper[rows], log.item_id[rows])
    return found
