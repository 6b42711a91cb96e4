"""P(purchase | click) of a shop: interest, price against the category's median, and a penalty for promising too much.

    logit P = conversion_base + conversion_interest z - price_sensitivity s log(price / median) - overpromise max(w, 0)

with z the standardised interest, s how much the shopper minds the price (median 1), w the wording of the copy.
"""

from __future__ import annotations

import numpy as np

from copybandit.sim.types import Floats, Product
from copybandit.sim.world import Coefficients


def purchase_prob(
    c: Coefficients,
    *,
    interest: Floats | float,
    sensitivity: Floats | float,
    relative_price: Floats,
    wording: Floats,
) -> Floats:
    """P(purchase | click); the arrays broadcast.

    Args:
        c: sizes of the terms, in log-odds.
        interest: z.
        sensitivity: s.
        relative_price: log(price / median).
        wording: w.
    """
    odds = c.conversion_base + c.conversion_interest * interest
    odds = odds - c.price_sensitivity * sensitivity * relative_price
    return np.asarray(1 / (1 + np.exp(-(odds - c.overpromise * np.maximum(wording, 0.0)))))


def relative_price(catalogue: tuple[Product, ...]) -> Floats:
    """log(price / median price of its category) of each product, shape (products,)."""
    prices = np.array([product.price for product in catalogue])
    _, code = np.unique([product.category for product in catalogue], return_inverse=True)
    medians = np.array([np.median(prices[code == index]) for index in range(code.max() + 1)])
    return np.asarray(np.log(prices / medians[code]))
