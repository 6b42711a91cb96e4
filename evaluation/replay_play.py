"""Policies play contests, all contests and replays of one fold and size at once.

Impressions come in steps, 10 at first and later at most a fortieth of what was shown: a step's arms are drawn one by one
from the policy's probabilities, and it learns when the step is over. Earned is the expected number of clicks: the sum of
probability times true rate, so that only learning is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.rate_prior import RatePrior
from copybandit.evaluation.replay_tests import Contests, table_of
from copybandit.sim.types import DataError, Floats, Ints

FIRST, PART = 10, 40
"""A step's impressions: this many at first, later this part of those shown so far."""
TEST_SHARE = 0.3
"""Part of a horizon that an A/B test splits evenly."""
WIDE = 7
"""Contests of so many arms or more play together, the smaller ones with absent candidates."""


@dataclass(frozen=True, kw_only=True)
class Seats:
    """n contests, repeats included, of one fold; each arm of each is a variant of its own, m in all.

    Attributes:
        requests: one for each contest; `prior` is the text's.
        shown: one for each variant, to tell policies what was clicked.
        row, column: shape (m,), where each variant stands.
        rate: shape (n, k), true rates, 0 where absent.
        contest: shape (n,), code of the contest.
        score: shape (m,), of each variant by the text model.
        prior, plain: of the fold, with text and without.
    """

    requests: Batch
    shown: Batch
    row: Ints
    column: Ints
    rate: Floats
    contest: Ints
    score: Floats
    prior: RatePrior
    plain: RatePrior


Make = Callable[[Seats, int], Learner]
"""A fresh policy for some seats and a horizon."""


def seats_of(contests: Contests, replays: int) -> Iterator[Seats]:
    """Seat every contest so many times, by fold and size."""
    table = table_of(contests.group)
    size = np.minimum((table >= 0).sum(axis=1), WIDE)
    fold = contests.fold[table[:, 0]]
    for one in np.unique(fold).tolist():
        for arms in np.unique(size[fold == one]).tolist():
            which = np.flatnonzero((fold == one) & (size == arms))
            yield _seats(contests, table, np.repeat(which, replays), one)


def _seats(contests: Contests, table: Ints, which: Ints, fold: int) -> Seats:
    cell = table[which]
    cell = cell[:, (cell >= 0).any(axis=0)]
    row, column = np.nonzero(cell >= 0)
    candidates = np.full(cell.shape, -1)
    candidates[row, column] = np.arange(len(row))
    prior, score = contests.priors[fold], contests.score[cell[row, column]]
    known = np.full(cell.shape, 0.5)
    known[row, column] = prior.rates(score)
    return Seats(
        requests=_batch(candidates, known, len(row)),
        shown=_batch(candidates[row], known[row], len(row)),
        row=row,
        column=column,
        rate=np.where(cell >= 0, contests.rate[cell], 0.0),
        contest=which,
        score=score,
        prior=prior,
        plain=contests.plain[fold],
    )


def _batch(candidates: Ints, prior: Floats, m: int) -> Batch:
    n = len(candidates)
    return Batch(
        context=np.empty((n, 0)),
        actions=np.empty((m, 0)),
        candidates=candidates.astype(np.int32),
        state=prior[:, :, None],
        time=np.zeros(n),
    )


def steps_to(horizons: Sequence[int]) -> list[int]:
    """Impressions shown after each step; each horizon, and where an A/B test of it ends, is the end of one."""
    stops, ends = sorted({*horizons, *(trial_end(horizon) for horizon in horizons)}), [0]
    for stop in stops:
        while ends[-1] < stop:
            ends.append(min(ends[-1] + max(FIRST, ends[-1] // PART), stop))
    return ends[1:]


def trial_end(horizon: int) -> int:
    """Impressions that an A/B test splits evenly."""
    return round(TEST_SHARE * horizon)


def play(make: Make, seats: Seats, horizons: Sequence[int], rng: np.random.Generator) -> Floats:
    """Expected clicks per impression up to each horizon; the policy is told the last.

    Returns:
        Shape (horizons, n).

    Raises:
        DataError: horizons do not rise from 5 or more.
    """
    if not horizons or min(horizons) < 5 or list(horizons) != sorted(set(horizons)):
        raise DataError(f"replay: horizons must rise and be at least 5, got {tuple(horizons)}; correct them")
    policy = make(seats, horizons[-1])
    earned, told, done = np.zeros(len(seats.rate)), [], 0
    for end in steps_to(horizons):
        probs = policy.action_probs(seats.requests, rng)
        earned += (end - done) * (probs * seats.rate).sum(axis=1)
        count = rng.multinomial(end - done, probs)
        click = rng.binomial(count, seats.rate)
        n, c = count[seats.row, seats.column], click[seats.row, seats.column]
        policy.update(seats.shown, seats.column, c / np.maximum(n, 1), n.astype(np.float64))
        done = end
        if end in horizons:
            told.append(earned / end)
    return np.array(told)


def earnings(
    make: Make, contests: Contests, horizons: Sequence[int], *, planned: bool, replays: int, seed: int
) -> Floats:
    """Clicks per impression of each contest, mean over replays, shape (horizons, g).

    Args:
        make: the policy.
        contests: what is replayed.
        horizons: impressions per contest.
        planned: the policy knows its horizon, so each has a run of its own; else one run goes through all.
        replays: of each contest.
        seed: of the draws.
    """
    found = np.zeros((len(horizons), len(contests)))
    for place, seats in enumerate(seats_of(contests, replays)):
        rng = np.random.default_rng((seed, place))
        runs = [[horizon] for horizon in horizons] if planned else [list(horizons)]
        rows = np.concatenate([play(make, seats, run, rng) for run in runs])
        for total, row in zip(found, rows, strict=True):
            total += np.bincount(seats.contest, row / replays, len(contests))
    return found
