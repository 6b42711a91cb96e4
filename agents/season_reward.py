"""What a season earns, and how its policies are told: weights for a click, a purchase and a unit of revenue.

    R    = a click + b purchase + c revenue
    E[R] = P(click) (a + P(purchase | click) (b + c price))
    most = a + b + c price,  the largest R of a request

A policy is told R / most, in [0, 1], with the warm start E[R] / most of what the shop believes. All candidates of a request
share its product, so `most` too, and the candidate that earns most is the same. Clicks alone are told as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from copybandit.agents.reward_formula import CLICKS, RewardFormula
from copybandit.sim.types import DataError, Floats
from copybandit.sim.visits import Response, Visits

EVENTS = ("click", "purchase", "revenue")
"""Kinds of events that a simulated shop answers with; the value of revenue is money, of the others 1."""


class Till(Protocol):
    """A shop that knows what is bought after a click."""

    @property
    def price(self) -> Floats:
        """Of all products, shape (products,), above 0."""
        ...

    def purchase(self, visits: Visits) -> Floats:
        """True P(purchase | click) of each candidate, shape (n, k); what stands where absent is ignored."""
        ...

    def believed_purchase(self, visits: Visits) -> Floats:
        """The same as the shop believes, from what it can see."""
        ...


def earned(formula: RewardFormula, response: Response) -> Floats:
    """R of each row, shape (n,)."""
    of = {"click": response.click, "purchase": response.conversion, "revenue": response.value}
    values = [of[kind] for kind in formula.kinds]
    kind, owner = np.nonzero(np.stack(values))
    value = np.stack(values)[kind, owner]
    at, names = np.zeros(len(owner)), [""] * len(owner)
    return formula.rewards(len(response.click), owner, kind, value, at, names)


def most_at(formula: RewardFormula, price: Floats) -> Floats:
    """Largest R of a request at each price, shape (n,) as the prices."""
    one = np.ones(len(price))
    return earned(formula, Response(click=one, conversion=one, value=price))


@dataclass(frozen=True, kw_only=True)
class SeasonReward:
    """What is optimised.

    Attributes:
        formula: sum over `EVENTS`, weights >= 0 and one of them above 0, nothing without an event.
        till: needed where purchases or revenue count.

    Raises:
        DataError: the formula is another one, or there is no till.
    """

    formula: RewardFormula = CLICKS
    till: Till | None = None

    def __post_init__(self) -> None:
        told, weight = self.formula, self.formula.weight
        usable = told.aggregation == "sum" and told.default == 0 and set(told.kinds) <= set(EVENTS)
        if not usable or weight.min() < 0 or weight.max() == 0:
            raise DataError(
                f"season: reward must be a sum over {', '.join(EVENTS)} with weights >= 0, one of them above 0, got "
                f"{told.aggregation} over {dict(zip(told.kinds, weight.tolist(), strict=True))} with default "
                f"{told.default:g}; correct the formula"
            )
        if self._sells and self.till is None:
            raise DataError(
                f"season: a reward of {', '.join(told.kinds)} needs a till, got None; give the shop"
            )

    def earned(self, response: Response) -> Floats:
        """R of each row, shape (n,)."""
        return earned(self.formula, response)

    def most(self, visits: Visits) -> Floats:
        """Largest R of each request, shape (n,)."""
        one = np.ones(len(visits.product))
        return most_at(self.formula, one if self.till is None else self.till.price[visits.product])

    def warm_start(self, visits: Visits) -> Visits:
        """The same requests, their warm start E[R] / most instead of P(click)."""
        if self.till is None or not self._sells:
            return visits
        state = visits.state.copy()
        share = self._per_click(visits, self.till.believed_purchase(visits)) / self.most(visits)[:, None]
        state[..., 0] *= share
        return replace(visits, state=state)

    def expected(self, visits: Visits, click: Floats) -> Floats:
        """True E[R] of each candidate out of true click probabilities; both (n, k)."""
        if self.till is None or not self._sells:
            return np.asarray(click * self.most(visits)[:, None])
        return np.asarray(click * self._per_click(visits, self.till.purchase(visits)))

    def _per_click(self, visits: Visits, purchase: Floats) -> Floats:
        """E[R | click], shape (n, k): between what a click alone and what everything is worth."""
        one = np.ones(len(visits.product))
        alone = self.earned(Response(click=one, conversion=0 * one, value=0 * one))
        return np.asarray(alone[:, None] + purchase * (self.most(visits) - alone)[:, None])

    @property
    def _sells(self) -> bool:
        return set(self.formula.kinds) != {"click"}
