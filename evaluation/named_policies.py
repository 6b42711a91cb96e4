"""The policies that settings can name (`policy_kinds`), each with what is believed of a season before it begins."""

from __future__ import annotations

import numpy as np

from copybandit.agents.policy_kinds import KINDS, Believed
from copybandit.agents.stateful import Lasting
from copybandit.sim.shop import EXPOSURE, MATCH, Assortment
from copybandit.sim.types import DataError, Floats
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
    goods: Assortment,
    fitted: World,
    n_impressions: int,
    *,
    worth: Floats | float = 1.0,
    hashed_crosses: int = 0,
) -> list[Lasting]:
    """Every policy that can be named, fresh, in the order of `PolicyName`; all but UCB1 start from what is believed.

    Args:
        goods: what is on show.
        fitted: what the shop believes before the season.
        n_impressions: of the whole season.
        worth: shape (m,), what policies are told of a click of each variant on average, in (0, 1]; see `season_worth`.
        hashed_crosses: features into which interest x copy columns are hashed, for those on shared features.
    """
    known = _believed(goods, fitted, n_impressions, worth, hashed_crosses)
    return [kind.start(known) for kind in KINDS.values() if kind.start is not None]


def named_policy(
    name: str,
    goods: Assortment,
    fitted: World,
    n_impressions: int,
    *,
    worth: Floats | float = 1.0,
    hashed_crosses: int = 0,
) -> Lasting:
    """The one of `policies` that has this name.

    Raises:
        DataError: there is none.
    """
    kind = KINDS.get(name)
    if kind is None or kind.start is None:
        named = [one for one in KINDS if KINDS[one].start is not None]
        raise DataError(f"policy must be one of {', '.join(named)}, got {name!r}; choose one")
    return kind.start(_believed(goods, fitted, n_impressions, worth, hashed_crosses))


def _believed(
    goods: Assortment, fitted: World, n_impressions: int, worth: Floats | float, hashed_crosses: int
) -> Believed:
    """Click rates of the variants by some 500 shoppers, and the priors above; context is the interest in the product."""
    everyone = np.arange(0, len(fitted.taste.shoppers), max(1, len(fitted.taste.shoppers) // 500))
    return Believed(
        prior=np.clip(worth * fitted.mean_click(everyone, goods.belief), 1e-6, 1 - 1e-6),
        n_features=goods.actions.shape[1],
        n_context=1,
        state_channels=(EXPOSURE, MATCH),
        horizon=n_impressions / len(goods.products),
        shared=SHARED,
        own=OWN,
        epsilon=EPSILON,
        hashed_crosses=hashed_crosses,
    )
