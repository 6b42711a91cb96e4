"""A shop whose requests carry one more channel of state: how tired the shopper is of each candidate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from copybandit.agents.bandit import Shop
from copybandit.agents.exposure_stock import ExposureStock
from copybandit.sim.types import Floats, Ints
from copybandit.sim.visits import Response, Visits


class StockedShop:
    """Any shop, with the exposures kept beside it; the stock is the last channel of `Visits.state`.

    Args:
        shop: answers; it is changed.
        stock: remembers what was shown; it is changed.
    """

    def __init__(self, shop: Shop, stock: ExposureStock) -> None:
        self.shop, self.stock = shop, stock

    @property
    def actions(self) -> Floats:
        """Features of all variants, shape (m, q)."""
        return self.shop.actions

    def visits(self, step: int, size: int) -> Visits:
        """The next requests, with their stocks as of now."""
        visits = self.shop.visits(step, size)
        stock = self.stock.stock(visits.shopper, visits.candidates.astype(np.int64), visits.time)
        return replace(visits, state=np.concatenate([visits.state, stock[:, :, None]], axis=2))

    def expected_click(self, visits: Visits) -> Floats:
        """The shop's own truth."""
        return self.shop.expected_click(visits)

    def respond(self, visits: Visits, column: Ints) -> Response:
        """Shows the chosen columns and remembers them."""
        response = self.shop.respond(visits, column)
        shown = visits.candidates[np.arange(len(column)), column].astype(np.int64)
        self.stock.remember(visits.shopper, shown, visits.time)
        return response
