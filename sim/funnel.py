"""The funnel of a log: of the shoppers who viewed a product, who carted it, who bought it, who sent it back; and how late.

A step is counted over distinct pairs of shopper and product. Shoppers differ, so intervals are Wilson's with the number of
pairs shrunk by the design effect of shoppers (Kish, 1965).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.calibration import wilson
from copybandit.sim.conversion import WINDOW, Clicks
from copybandit.sim.events import ADD_TO_CART, KINDS, PURCHASE, RETURN, VIEW, EventTable
from copybandit.sim.types import Bools, Floats, Ints

STEPS = ((VIEW, ADD_TO_CART), (ADD_TO_CART, PURCHASE), (VIEW, PURCHASE), (PURCHASE, RETURN))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the funnel.

    Attributes:
        start, end: kinds of event.
        rate: share of the pairs with `start` that have `end` too; NaN where no pair has `start`.
        low, high: 95 % interval.
        n: pairs with `start`.
    """

    start: str
    end: str
    rate: float
    low: float
    high: float
    n: int


def funnel(events: EventTable) -> tuple[Step, ...]:
    """Rates of `STEPS`; a step whose start the log never records has n = 0."""
    codes = [_pairs(events, kind) for kind in range(len(KINDS))]
    m = len(events.product_ids)
    return tuple(_step(KINDS[a], KINDS[b], codes[a] // m, np.isin(codes[a], codes[b])) for a, b in STEPS)


def _pairs(events: EventTable, kind: int) -> Ints:
    rows = events.kind == kind
    return np.unique(events.shopper[rows] * len(events.product_ids) + events.product[rows])


def _step(start: str, end: str, shopper: Ints, success: Bools) -> Step:
    n = len(success)
    if not n:
        return Step(start=start, end=end, rate=np.nan, low=0.0, high=1.0, n=0)
    rate = float(success.mean())
    residual = np.bincount(shopper, success - rate)
    variance, simple = float((residual**2).sum()) / n**2, rate * (1 - rate) / n
    effective = n * min(1.0, simple / variance) if variance > 0 else float(n)
    low, high = wilson(np.array([rate]), np.array([effective]))
    return Step(start=start, end=end, rate=rate, low=float(low[0]), high=float(high[0]), n=n)


def click_outcomes(events: EventTable, features: Floats, window: float = WINDOW) -> tuple[Clicks, Ints, Ints]:
    """First views of a product by a shopper, and the first purchase of it within `window` days after.

    Args:
        events: a log with views; its last event is now.
        features: shape (n, d), features of each row of `events`.
        window: days.

    Returns:
        The clicks, and the shopper and the product of each, both of shape (clicks,).
    """
    m = len(events.product_ids)
    code = events.shopper * m + events.product
    # One integer for pair and place in time, so that a single search finds the first purchase after each view.
    moments, place = np.unique(events.time, return_inverse=True)
    key = code * len(moments) + place
    views = np.flatnonzero(events.kind == VIEW)
    views = views[np.argsort(key[views], kind="stable")]
    views = views[np.unique(code[views], return_index=True)[1]]
    buys = np.flatnonzero(events.kind == PURCHASE)
    buys = buys[np.argsort(key[buys], kind="stable")]
    found = np.append(buys, -1)[np.searchsorted(key[buys], key[views])]
    same = (found >= 0) & (code[found] == code[views])
    delay = np.where(same, _days(events.time[found] - events.time[views]), np.inf)
    converted = delay <= window
    age = np.minimum(_days(events.time.max() - events.time[views]), window) if len(views) else delay
    clicks = Clicks(
        x=features[views], converted=converted, days=np.where(converted, delay, age), window=window
    )
    return clicks, events.shopper[views], events.product[views]


def _days(span: NDArray[np.timedelta64]) -> Floats:
    return np.asarray(span.astype("timedelta64[us]").astype(np.float64) / 86_400e6)
