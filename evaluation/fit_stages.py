"""What the stages of `copybandit fit` compute on the log: interest judged, the sequence model, baskets.

The parts beside the log (funnel, panels, A/B tests) are in `fit_parts` and `fit_attack`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from copybandit.evaluation.fit_inputs import ShopLog
from copybandit.evaluation.fit_saved import FittedBaskets
from copybandit.sim.baskets import BasketModel, real_marginals
from copybandit.sim.interest import InterestModel
from copybandit.sim.interest_judge import (
    Factorised,
    ItemKnn,
    JudgedInterest,
    OwnPurchases,
    Scorer,
    WithOwnPurchases,
    judge_interest,
    known_part,
)
from copybandit.sim.realism import compare_marginals, log_elasticity
from copybandit.sim.sequence import SequenceModel, SequenceScorer
from copybandit.sim.split import Split
from copybandit.sim.types import DataError, Floats


def train_sequence(
    shop: ShopLog,
    split: Split,
    x: Floats,
    rng: np.random.Generator,
    begin: Callable[[int], Callable[[], None]],
) -> SequenceModel:
    """Train the sequence model on the part of the log that may be known.

    Args:
        shop: the log.
        split: of its shoppers.
        x: shape (m, d), features of the catalogue.
        rng: of everything random.
        begin: told how many passes there are; what it returns is called after each.

    Raises:
        DataError: torch is not installed.
    """
    try:
        from copybandit.agents.sequence_trainer import SequenceSettings, fit_sequence
    except ModuleNotFoundError as error:
        raise DataError(
            f"the sequence model needs {error.name}, which is not installed; "
            "run: pip install 'copybandit[train]', or pass --no-sequence"
        ) from None
    settings = SequenceSettings()
    known, _ = known_part(shop.events)
    return fit_sequence(known, x, split.fit, rng, settings, begin(settings.epochs))


def judge_models(
    shop: ShopLog,
    split: Split,
    interest: InterestModel,
    x: Floats,
    sequence: SequenceModel | None,
    rng: np.random.Generator,
) -> tuple[JudgedInterest, ...]:
    """Every interest model, simple ones too, on later time; `x` holds the catalogue's features, shape (m, d)."""
    known, _ = known_part(shop.events)
    factorised = Factorised(model=interest, products=x)
    scorers: dict[str, Scorer] = {
        "own purchases": OwnPurchases(),
        "item-kNN": ItemKnn.fit(known, split.fit),
        "factorised": factorised,
        "factorised + own purchases": WithOwnPurchases(inner=factorised),
    }
    if sequence is not None:
        scorers["sequence"] = SequenceScorer(model=sequence, x=x)
        scorers["sequence + own purchases"] = WithOwnPurchases(inner=scorers["sequence"])
    return judge_interest(shop.events, split, scorers, rng)


def fit_baskets(
    shop: ShopLog, split: Split, interest: InterestModel, x: Floats, rng: np.random.Generator
) -> FittedBaskets:
    """Fit baskets to the fit shoppers and hold simulated ones against the judge shoppers'."""
    price = np.array([product.price for product in shop.products])
    model = BasketModel.fit(shop.events, split.fit, price)
    known, _ = known_part(shop.events)
    vectors = interest.shopper_vectors(known, x)
    simulated = model.simulate(shop.events, split.judge, (vectors, x), rng)
    real, floor = (real_marginals(shop.events, people) for people in (split.judge, split.fit))
    return FittedBaskets(
        model=model,
        marginals=compare_marginals(real, simulated, floor),
        elasticity=log_elasticity(shop.events) if shop.prices_real else None,
    )
