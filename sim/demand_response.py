"""What sales of a brand do when its price changes: at once, given habits, and for good, when habits have followed.

Short run: E_b = sum p_i e_ij / sum p_i over trips and over products i, j of the brand, with the elasticities e_ij of
`copybandit.sim.demand`, given the same past: a price that changes for one trip. Long run: the price is another at every
trip of the household, so that what it bought before is another too. The expectation over its lives is simulated: tastes
from the posterior given all its choices, habits from its simulated purchases, `PATHS` lives each, with the same random
numbers for the higher and the lower price, and the probabilities of each trip instead of its one choice (Rao-Blackwell):

    E_b = (log sales at +`STEP` - log sales at -`STEP`) / (2 `STEP`), prices in logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from copybandit.sim.demand import DemandModel, attributes, chosen_index
from copybandit.sim.habits import occasions
from copybandit.sim.logit import belief, choice_probs, log_chosen
from copybandit.sim.panels import Panel
from copybandit.sim.types import Bools, DataError, Floats, Ints

PATHS = 64
"""Simulated lives of each household."""
STEP = 0.05
"""Up and down, in logarithms of the price."""


@dataclass(frozen=True, kw_only=True)
class PriceResponse:
    """Own-price elasticities of B brands, in per cent of sales by per cent of price.

    Attributes:
        brands: names.
        sales: shape (B,), share of each in what is expected to be bought.
        short_run, long_run: shape (B,), see the module.
    """

    brands: tuple[str, ...]
    sales: Floats
    short_run: Floats
    long_run: Floats

    @property
    def mean(self) -> float:
        """Long run, every brand counting alike."""
        return float(self.long_run.mean())


def price_response(
    model: DemandModel, panel: Panel, brand: Sequence[str], rng: np.random.Generator
) -> PriceResponse:
    """Elasticities over the trips of a panel.

    Args:
        model: fitted.
        panel: its trips and prices.
        brand: of each alternative of the panel; products of one brand change price together.
        rng: draws tastes and choices.

    Raises:
        DataError: for a brand too many or too few, or as `DemandModel.choice_probs`.
    """
    if len(brand) != len(panel.alternatives):
        raise DataError(
            f"price response: must have a brand for each of {len(panel.alternatives)} alternatives, got {len(brand)}; "
            "name one for each"
        )
    names = tuple(dict.fromkeys(brand))
    member = np.array(names)[:, None] == np.array(brand)  # (B, J)
    probs = model.choice_probs(panel)[:, : len(brand)]
    sales = member @ probs.sum(axis=0)
    lives = _Lives.draw(model, panel, rng)
    return PriceResponse(
        brands=names,
        sales=sales / sales.sum(),
        short_run=_short_run(model.elasticity(panel), probs, member) / sales,
        long_run=np.array([lives.elasticity(own) for own in member]),
    )


def _short_run(elasticity: Floats, probs: Floats, member: Bools) -> Floats:
    """Sum over trips of p_i e_ij within each brand, shape (B,), from elasticity (n, J, J) and probs (n, J)."""
    pull = np.einsum("ni,nij->ij", probs, np.nan_to_num(elasticity))
    return np.asarray(np.einsum("bi,ij,bj->b", member, pull, member))


@dataclass(frozen=True, kw_only=True)
class _Lives:
    """What simulated lives need, for J alternatives in the order of the panel, H households and n trips.

    Attributes:
        code: shape (n,), household of each trip.
        trips: rows by occasion.
        shelf: shape (n, J, 3), log relative price, display and feature.
        available: shape (n, J).
        tastes: shape (J + 5, H, PATHS), coefficients of each life.
        smoothing: of loyalty.
        outside: whether nothing may be bought.
        seed: of the choices, the same whatever the price.
    """

    code: Ints
    trips: list[Ints]
    shelf: Floats
    available: Bools
    tastes: Floats
    smoothing: float
    outside: bool
    seed: int

    @classmethod
    def draw(cls, model: DemandModel, panel: Panel, rng: np.random.Generator) -> _Lives:
        """Draw the tastes of each household's lives from what its choices tell."""
        code = np.unique(panel.household, return_inverse=True)[1]
        posterior = _posterior(model, panel, code)
        upto = np.cumsum(posterior, axis=1) / posterior.sum(axis=1, keepdims=True)
        row = np.arange(len(upto))[:, None]
        place = np.searchsorted((upto + row).ravel(), row + rng.random((len(upto), PATHS)))
        kind = np.minimum(place - row * upto.shape[1], upto.shape[1] - 1)
        j = len(model.alternatives)
        column = [model.alternatives.index(name) for name in panel.alternatives]
        price = np.where(panel.available, panel.price, model.reference_price) / model.reference_price
        return cls(
            code=code,
            trips=occasions(panel.household),
            shelf=np.stack([np.log(price), panel.display, panel.feature], axis=2),
            available=panel.available,
            tastes=model.tastes.coefficients[[*column, *range(j, j + 5)]][:, kind],
            smoothing=model.smoothing,
            outside=model.outside,
            seed=int(rng.integers(2**62)),
        )

    def elasticity(self, own: Bools) -> float:
        """Of the sales of some alternatives, shape (J,), by their common price."""
        up, down = (float(self.sales(np.where(own, step, 0.0))[own].sum()) for step in (STEP, -STEP))
        return math.log(up / down) / (2 * STEP)

    def sales(self, change: Floats) -> Floats:
        """Expected purchases of each alternative when log prices change by `change`, both of shape (J,)."""
        j, rng = len(change), np.random.default_rng(self.seed)
        shape = (*self.tastes.shape[1:], j)
        last, loyalty, total = np.zeros(shape), np.full(shape, 1 / j), np.zeros(j)
        for rows in self.trips:
            who = self.code[rows]
            utility = self._utility(rows, change, last[who], loyalty[who])
            total += softmax(utility, axis=2)[..., :j].mean(axis=1).sum(axis=0)
            chosen = (utility + rng.gumbel(size=utility.shape)).argmax(axis=2)
            bought = (chosen[..., None] == np.arange(j)).astype(np.float64)
            some = (chosen < j)[..., None]
            last[who] = np.where(some, bought, last[who])
            moved = self.smoothing * loyalty[who] + (1 - self.smoothing) * bought
            loyalty[who] = np.where(some, moved, loyalty[who])
        return total

    def _utility(self, rows: Ints, change: Floats, last: Floats, loyalty: Floats) -> Floats:
        """Of each life's alternatives at some trips, shape (m, PATHS, J), nothing last where the model has it."""
        j = len(change)
        taste = self.tastes[:, self.code[rows], :, None]  # (J + 5, m, PATHS, 1)
        price, display, feature = np.moveaxis(self.shelf[rows][:, None], 3, 0)  # (m, 1, J) each
        own: Floats = np.moveaxis(taste[:j, ..., 0], 0, 2)
        own = own + taste[j] * (price + change) + taste[j + 1] * display + taste[j + 2] * feature
        own = own + taste[j + 3] * last + taste[j + 4] * loyalty
        own = np.where(self.available[rows][:, None], own, -np.inf)
        return np.concatenate([own, np.zeros((*own.shape[:2], 1))], axis=2) if self.outside else own


def _posterior(model: DemandModel, panel: Panel, code: Ints) -> NDArray[np.float64]:
    """Weights of the types of each household given all its choices, shape (H, R)."""
    panel = panel.aligned(model.alternatives)
    chosen = chosen_index(panel, outside=model.outside)
    x, available = attributes(
        panel, outside=model.outside, reference_price=model.reference_price, smoothing=model.smoothing
    )
    coefficients = model.tastes.coefficients
    past = np.zeros((code.max() + 1, coefficients.shape[1]))
    for rows in occasions(panel.household):
        p = choice_probs(x[:, rows], available[:, rows], coefficients)
        past[code[rows]] += log_chosen(p, chosen[rows])
    return belief(past)
