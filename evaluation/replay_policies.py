"""Who plays the replay: ours, what is left of it without one part, and the textbook's policies as peers.

All keep the same uniform share `EPSILON`, the smallest that leaves propensities usable: an absent draw costs a log at most
a weight of arms / EPSILON. The A/B test and ours know the horizon; the others do not need it. The length of the A/B test
and the width of UCB1's bound are those that did best on the half of the components that ours was chosen on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from copybandit.agents.policies import UCB1, BetaThompson, ExploreThenCommit, HorizonIndex, PriorGreedy
from copybandit.agents.rate_prior import RatePrior
from copybandit.evaluation.replay_play import Make, Seats, trial_end
from copybandit.sim.types import Floats

EPSILON = 0.005
NARROW = 0.25
"""Width of a narrow bound, in standard deviations of one click."""


class Side(Enum):
    """What a policy is in the report."""

    OURS = "ours"
    PART = "parts"
    PEER = "peers"


@dataclass(frozen=True, kw_only=True)
class Player:
    """A policy of the replay.

    Attributes:
        name: in the report.
        side: what it is.
        make: a fresh one.
        planned: whether it knows the horizon.
    """

    name: str
    side: Side
    make: Make
    planned: bool = False


def horizon_index(seats: Seats, horizon: int) -> HorizonIndex:
    """Ours: prior mean, strength and spread from the other folds' tests and texts."""
    return _index(seats, seats.prior, horizon)


def index_without_text(seats: Seats, horizon: int) -> HorizonIndex:
    """Ours, deaf to the text."""
    return _index(seats, seats.plain, horizon)


def _index(seats: Seats, prior: RatePrior, horizon: int) -> HorizonIndex:
    return HorizonIndex(
        prior.rates(seats.score),
        horizon=horizon,
        strength=prior.strength,
        spread=prior.spread,
        epsilon=EPSILON,
    )


def thompson_with_text(seats: Seats, horizon: int) -> BetaThompson:
    """Thompson sampling from a Beta prior for each arm with the mean and variance of ours, arms independent."""
    return _thompson(seats.prior, seats.score)


def thompson_fitted(seats: Seats, horizon: int) -> BetaThompson:
    """Thompson sampling from the Beta prior that the other folds' rates suggest, without text."""
    return _thompson(seats.plain, seats.score)


def _thompson(prior: RatePrior, score: Floats) -> BetaThompson:
    """Mean p exp(spread^2 / 2) and squared coefficient of variation exp(spread^2) (1 + 1 / strength) - 1."""
    mean = np.minimum(prior.rates(score) * np.exp(prior.spread**2 / 2), 0.5)
    variation = np.exp(prior.spread**2) * (1 + 1 / prior.strength) - 1
    typical = float(np.median(mean))
    return BetaThompson(mean, strength=(1 / typical - 1) / variation, epsilon=EPSILON)


def thompson(seats: Seats, horizon: int) -> BetaThompson:
    """The textbook's: Beta(1, 1)."""
    return BetaThompson(np.full(len(seats.score), 0.5), strength=2.0, epsilon=EPSILON)


def ab_test(seats: Seats, horizon: int) -> ExploreThenCommit:
    """An even split for part of the horizon, then its winner."""
    return ExploreThenCommit(n_actions=len(seats.score), explore=trial_end(horizon), epsilon=EPSILON)


def ucb1(seats: Seats, horizon: int) -> UCB1:
    """The textbook's, for rewards in [0, 1]."""
    return UCB1(n_actions=len(seats.score), epsilon=EPSILON)


def ucb1_narrow(seats: Seats, horizon: int) -> UCB1:
    """UCB1 with a bound in proportion to one click's standard deviation."""
    width = NARROW * float(np.exp(seats.plain.log_base / 2))
    return UCB1(n_actions=len(seats.score), width=width, epsilon=EPSILON)


def text_favourite(seats: Seats, horizon: int) -> PriorGreedy:
    """What the text model likes best, from the first impression to the last."""
    return PriorGreedy(epsilon=EPSILON)


PLAYERS = (
    Player(name="horizon_index", side=Side.OURS, make=horizon_index, planned=True),
    Player(name="index_without_text", side=Side.PART, make=index_without_text, planned=True),
    Player(name="thompson_with_text", side=Side.PART, make=thompson_with_text),
    Player(name="ab_test", side=Side.PEER, make=ab_test, planned=True),
    Player(name="ucb1", side=Side.PEER, make=ucb1),
    Player(name="ucb1_narrow", side=Side.PEER, make=ucb1_narrow),
    Player(name="thompson", side=Side.PEER, make=thompson),
    Player(name="thompson_fitted", side=Side.PEER, make=thompson_fitted),
    Player(name="text_favourite", side=Side.PEER, make=text_favourite),
)
"""All of them; an even split needs no play, its clicks are known."""
