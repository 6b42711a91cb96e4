"""Interest that knows repeat buying: groceries and supplies are bought again, whatever their words say.

    logit(u, p) = intercept + text_weight * logit_text(u, p) + own_weight * log(1 + share(u, p) / .02),

share = days on which u bought p / days on which u bought anything. logit_text is the factorised model of
`copybandit.sim.interest`. The weights are a logistic regression on shoppers whom that model was not fitted on: what they
bought after the time it was fitted to against products drawn as often as they are bought, given their history before it.
They stay when the text model is fitted again to a longer log. Since the text can like what was bought before too, its
weight falls below 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.sim.calibration import fit_platt
from copybandit.sim.events import EventTable
from copybandit.sim.interest import InterestModel
from copybandit.sim.interest_pairs import purchase_pairs
from copybandit.sim.interest_scorers import Factorised, RepeatShare
from copybandit.sim.types import Bools, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class RepeatInterest:
    """A fitted model of interest and repeat buying, in the terms of the module's formula.

    Attributes:
        text: the factorised model.
        text_weight: of its logit.
        own_weight: of `RepeatShare`, in log-odds.
        intercept: in log-odds.
    """

    text: InterestModel
    text_weight: float
    own_weight: float
    intercept: float

    def score(self, events: EventTable, products: Floats, shopper: Ints, product: Ints) -> Floats:
        """Logits of pairs of shopper and product, each of shape (n,), given histories and product vectors (m, d)."""
        own = RepeatShare().score(events, shopper, product)
        text = self.text.score(events, products, shopper, product)
        return np.asarray(self.intercept + self.text_weight * text + self.own_weight * own)


@dataclass(frozen=True, kw_only=True)
class RepeatScorer:
    """A `RepeatInterest` over a catalogue whose product vectors are `products`, shape (m, d)."""

    model: RepeatInterest
    products: Floats

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """See `copybandit.sim.interest_scorers.Scorer`."""
        return self.model.score(history, self.products, shopper, product)


def fit_repeat(
    text: InterestModel,
    products: Floats,
    parts: tuple[EventTable, EventTable],
    shoppers: Bools,
    rng: np.random.Generator,
) -> RepeatInterest:
    """Weigh the text against own purchases.

    Args:
        text: fitted on other shoppers and the earlier part.
        products: shape (m, d), product vectors.
        parts: the earlier part of a log, which histories come from, and the later part, which purchases come from.
        shoppers: shape (n_shoppers,), whose purchases set the weights.
        rng: draws what was not bought.

    Raises:
        DataError: when these shoppers bought nothing in the later part.
    """
    before, after = parts
    pairs = purchase_pairs(after, shoppers, len(products), rng)
    terms = (Factorised(model=text, products=products), RepeatShare())
    scores = [term.score(before, pairs.shopper, pairs.product) for term in terms]
    weights = fit_platt(np.stack(scores, axis=1), pairs.label)
    text_weight, own_weight = weights.slopes.tolist()
    return RepeatInterest(
        text=text, text_weight=text_weight, own_weight=own_weight, intercept=weights.intercept
    )
