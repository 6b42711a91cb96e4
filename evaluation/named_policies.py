"""The policies that settings can name, each with what is believed of a season before it begins.

They come in three groups: by counts alone, on features that variants share, on coefficients of each variant's own.
"""

from __future__ import annotations

import numpy as np

from copybandit.agents.disjoint_model import DisjointOptions
from copybandit.agents.policies import (
    UCB1,
    BetaThompson,
    BootstrapBag,
    DisjointLinTS,
    DisjointLinUCB,
    EpsilonGreedy,
    ExploreThenCommit,
    HorizonIndex,
    LinTS,
    LinUCB,
    LogisticThompson,
    NeuralLinear,
    Softmax,
    SquareCB,
    Uniform,
)
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.stateful import Lasting
from copybandit.sim.shop import EXPOSURE, MATCH, Assortment
from copybandit.sim.types import Floats
from copybandit.sim.world import World

EPSILON = 0.05
"""Uniform share of every learning policy: keeps propensities large enough to value other policies."""
UNEXPLAINED_SD = 0.27
"""What a fitted model leaves of the spread of .30 in log CTR among wordings of one brief, at a correlation near .4."""
SHARED_SD = 0.032
"""Prior of the coefficient of one style or writer column: eight of them together may move a log CTR by about .09."""
OWN, SHARED = UNEXPLAINED_SD**-2, SHARED_SD**-2
"""The same as precisions; a precision of log CTR is also how many clicks a prior is worth."""


def policies(
    goods: Assortment, fitted: World, n_impressions: int, worth: Floats | float = 1.0
) -> list[Lasting]:
    """Every policy that can be named, fresh, in the order of `PolicyName`; all but UCB1 start from what is believed.

    Args:
        goods: what is on show.
        fitted: what the shop believes before the season.
        n_impressions: of the whole season.
        worth: shape (m,), what policies are told of a click of each variant on average, in (0, 1]; see `season_worth`.
    """
    everyone = np.arange(0, len(fitted.taste.shoppers), max(1, len(fitted.taste.shoppers) // 500))
    prior = np.clip(worth * fitted.mean_click(everyone, goods.belief), 1e-6, 1 - 1e-6)
    m, q = goods.actions.shape
    return [*_by_counts(prior, n_impressions / len(goods.products)), *_on_features(m, q), *_on_context(m)]


def named_policy(
    name: str, goods: Assortment, fitted: World, n_impressions: int, worth: Floats | float = 1.0
) -> Lasting:
    """The one of `policies` that has this name."""
    return next(one for one in policies(goods, fitted, n_impressions, worth) if one.name == name)


def _by_counts(prior: Floats, horizon: float) -> list[Lasting]:
    """What looks at nothing but what each variant earned; prior (m,) is of that, horizon a product's impressions."""
    m = len(prior)
    return [
        Uniform(),
        ExploreThenCommit(n_actions=m, epsilon=EPSILON),
        BetaThompson(prior, epsilon=EPSILON),
        EpsilonGreedy(n_actions=m, strength=OWN, epsilon=EPSILON),
        UCB1(n_actions=m, epsilon=EPSILON),
        BootstrapBag(n_actions=m, strength=OWN, epsilon=EPSILON),
        HorizonIndex(prior, horizon=horizon, strength=OWN, epsilon=EPSILON),
    ]


def _on_features(m: int, q: int) -> list[Lasting]:
    """What learns of m variants by q features of their copy."""
    model = LinearOptions(
        n_actions=m, n_features=q, state_channels=(EXPOSURE, MATCH), ridge=SHARED, residual_ridge=OWN
    )
    return [
        LinUCB(epsilon=EPSILON, **model),
        Softmax(epsilon=EPSILON, **model),
        SquareCB(epsilon=EPSILON, **model),
        LinTS(epsilon=EPSILON, **model),
        LogisticThompson(epsilon=EPSILON, **model),
        NeuralLinear(
            n_actions=m,
            n_features=q,
            n_context=1,
            n_linear=q,
            state_channels=(EXPOSURE, MATCH),
            ridge=SHARED,
            residual_ridge=OWN,
            epsilon=EPSILON,
        ),
    ]


def _on_context(m: int) -> list[Lasting]:
    """What learns of each of m variants whom it suits, by the one column of context, interest in the product."""
    model = DisjointOptions(n_actions=m, n_context=1, ridge=OWN)
    return [DisjointLinUCB(epsilon=EPSILON, **model), DisjointLinTS(epsilon=EPSILON, **model)]
