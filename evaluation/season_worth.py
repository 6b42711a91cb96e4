"""From settings to what a season's impressions earn: the formula, what a click is worth, and the words for it."""

from __future__ import annotations

import numpy as np
from msgspec import structs

from copybandit.agents.batch import FEATURE_LIMIT
from copybandit.agents.reward_formula import CLICKS, RewardFormula, RewardTerm
from copybandit.agents.season_reward import SeasonReward, Till, most_at
from copybandit.evaluation.settings import RewardSettings
from copybandit.sim.purchase import purchase_prob, relative_price
from copybandit.sim.shop import Assortment
from copybandit.sim.types import Floats, Product
from copybandit.sim.world import World


def formula_of(weights: RewardSettings) -> RewardFormula:
    """The sum over the events that count."""
    most = {"revenue": FEATURE_LIMIT}
    terms = (
        RewardTerm(kind=kind, weight=weight, most=most.get(kind, 1.0))
        for kind, weight in structs.asdict(weights).items()
        if weight > 0
    )
    return RewardFormula(terms=tuple(terms))


def season_reward(weights: RewardSettings, till: Till) -> SeasonReward:
    """What is optimised in a shop."""
    return SeasonReward(formula=formula_of(weights), till=till)


def largest_reward(weights: RewardSettings, products: tuple[Product, ...]) -> Floats:
    """Largest reward of a request for each product, (n,): policies are told shares of it."""
    return most_at(formula_of(weights), np.array([product.price for product in products]))


def counts_clicks(weights: RewardSettings) -> bool:
    """Whether the reward is the click, and so its mean the click-through rate."""
    return formula_of(weights) == CLICKS


def click_worth(
    weights: RewardSettings, goods: Assortment, fitted: World, catalogue: tuple[Product, ...]
) -> Floats:
    """E[R | click] / most that the shop believes of each variant, for a shopper of average interest; (m,), in (0, 1].

    See `season_reward`; what counts, and not features, starts from it times the click rate.
    """
    product = goods.belief.product
    purchase = purchase_prob(
        fitted.coefficients,
        interest=0.0,
        sensitivity=1.0,
        relative_price=relative_price(catalogue)[product],
        wording=goods.belief.wording.mean(axis=0),
    )
    price = np.array([one.price for one in catalogue])[product]
    sale = weights.purchase + weights.revenue * price
    return np.asarray((weights.click + purchase * sale) / (weights.click + sale))
