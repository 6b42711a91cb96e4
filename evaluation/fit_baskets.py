"""Visits and baskets in `copybandit fit`: fitted to some shoppers, simulated for others, held against what those did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.fit_inputs import ShopLog
from copybandit.sim.baskets import BasketModel, real_marginals
from copybandit.sim.interest import InterestModel
from copybandit.sim.interest_judge import known_part
from copybandit.sim.realism import LogElasticity, MarginalGap, compare_marginals, log_elasticity
from copybandit.sim.split import Split
from copybandit.sim.types import Floats


@dataclass(frozen=True, kw_only=True)
class FittedBaskets:
    """The model that is simulated, and what the log looks like beside it.

    Attributes:
        model: of visits and baskets.
        marginals: simulated against real.
        elasticity: of the log; None where its prices are made up.
    """

    model: BasketModel
    marginals: tuple[MarginalGap, ...]
    elasticity: LogElasticity | None


def fit_baskets(
    shop: ShopLog, split: Split, interest: InterestModel, x: Floats, rng: np.random.Generator
) -> FittedBaskets:
    """Fit baskets to the fit shoppers and hold simulated ones against the judge shoppers'."""
    price = np.array([product.price for product in shop.products])
    model = BasketModel.fit(shop.events, (split.fit, split.select), price, rng, shop.longest_gap)
    known, _ = known_part(shop.events)
    vectors = interest.shopper_vectors(known, x)
    simulated = model.simulate(shop.events, split.judge, (vectors, x), rng)
    real, floor = (real_marginals(shop.events, people) for people in (split.judge, split.fit))
    return FittedBaskets(
        model=model,
        marginals=compare_marginals(real, simulated, floor),
        elasticity=log_elasticity(shop.events) if shop.prices_real else None,
    )
