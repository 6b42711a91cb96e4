"""Everything of a season that is known before the first visit, as tables, so that a step only looks things up.

The odds against a click multiply: P(click) = examine / (1 + against), and each effect is a factor of `against`. A table
of factors needs no exponential in the step, and gives the same numbers in a row, a batch and a shard.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.effects import MAX_DELAY_DAYS, Effects
from copybandit.sim.odds import LowRankOdds, Odds, TableOdds
from copybandit.sim.recall import stock_table
from copybandit.sim.storefront import Floats32, Storefront
from copybandit.sim.types import DataError, Floats, Ints

TICKS = 96
"""Ticks of the clock in a day: quarters of an hour."""
WALK_LIMIT = 32
"""Steps of the walk of interest, up or down, at which it is held."""
TABLE_LIMIT = 2**28
"""Bytes of tables over shoppers, products and copies beyond which odds are worked out at each visit instead."""
MAX_LAG = 63
"""Visits after which a purchase is credited, at most: one bit each."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Calendar of an environment.

    Attributes:
        visits: of a shopper before the episode is truncated.
        days_between_visits: rounded to quarters of an hour; at least 30 / 63 days where purchases are delayed.
        days: length of the season; first visits are spread evenly over it.
        positions: places on the page, drawn evenly.

    Raises:
        DataError: a number is out of range.
    """

    visits: int = 20
    days_between_visits: float = 1.0
    days: float = 28.0
    positions: int = 3

    def __post_init__(self) -> None:
        if min(self.visits, self.positions) < 1 or max(self.visits, self.positions) > 2**16:
            raise DataError(
                f"plan: visits and positions must be in [1, 65536], got {self.visits} and {self.positions}; correct them"
            )
        if not 1 / TICKS <= self.days_between_visits <= 365 or not 1 <= self.days <= 3650:
            raise DataError(
                f"plan: days_between_visits must be in [1/96, 365] and days in [1, 3650], got "
                f"{self.days_between_visits} and {self.days}; correct them"
            )

    @property
    def gap(self) -> int:
        """Ticks from one visit to the next."""
        return round(self.days_between_visits * TICKS)

    @property
    def last_day(self) -> float:
        """Day of the latest visit that can come to pass, and of the one after it."""
        return self.days + (self.visits + 1) * self.gap / TICKS


class Season:
    """The tables of a storefront under effects; immutable, and shared by all environments over it.

    Args:
        front: the shop.
        effects: sizes.
        plan: calendar.
        table_limit: bytes that tables over shopper, product and copy may take; see `Odds`.

    Attributes:
        odds: clicks and purchases of a shopper shown a copy.
        examine: shape (S, positions), chance that the shopper looks at a place.
        slots: shape (G, Q), products of a segment in Q equal slices of its visits.
        tired_copy, tired_cluster: shape (65536,), factor of the odds against a click by what is remembered.
        stock: shape (65536,), remembered exposures; see `copybandit.sim.recall`.
        wave: shape (7 * 96,), factor by tick of the week.
        drift: shape (65,), factor by steps that interest has walked.
        lean: shape (P,), 1 or -1, products that gain or lose by a step.
        lag: shape (65536,), visits from click to purchase by 16 random bits.
        shift_tick: first tick after the shift.
    """

    def __init__(
        self, front: Storefront, effects: Effects, plan: Plan, table_limit: int = TABLE_LIMIT
    ) -> None:
        self.front, self.effects, self.plan = front, effects, plan
        low_rank = LowRankOdds(front, effects)
        s, p, k = front.truth.size
        self.odds: Odds = low_rank if TableOdds.bytes(s, p, k) > table_limit else TableOdds(low_rank)
        self.examine = _examine(effects, plan, low_rank, front)
        self.slots = _slots(front.browse)
        self.stock = stock_table(effects.memory)
        exact = self.stock.astype(np.float64)
        self.tired_copy: Floats = np.exp(effects.fatigue_copy * exact)
        self.tired_cluster: Floats = np.exp(effects.fatigue_cluster * exact)
        self.wave: Floats = np.exp(-effects.season * np.sin(2 * np.pi * np.arange(7 * TICKS) / (7 * TICKS)))
        self.drift: Floats = np.exp(-effects.walk * np.arange(-WALK_LIMIT, WALK_LIMIT + 1.0))
        self.lean: Ints = np.asarray(front.lean, dtype=np.int64)
        self.lag = _lags(effects, plan)
        self.shift_tick = int(np.ceil(effects.shift_day * TICKS))
        self.price = front.price
        self.cluster: Ints = np.ascontiguousarray(front.cluster, dtype=np.int64)
        self.present = np.asarray(front.present, dtype=np.int8)

    def __deepcopy__(self, memo: dict[int, object]) -> Season:
        """Itself: Gymnasium copies the arguments of environments, and tables that nobody changes need no copy."""
        return self

    @property
    def max_lag(self) -> int:
        """Most visits from a click to its purchase."""
        return int(self.lag.max())

    @cached_property
    def first_present(self) -> Ints:
        """A column that may be shown, shape (P,)."""
        return np.asarray(self.front.present.argmax(axis=1))

    @cached_property
    def gaps(self) -> bool:
        """Whether any copy is absent."""
        return not bool(self.front.present.all())


def _slots(browse: Floats) -> NDArray[np.int32]:
    """Products in equal slices of the visits of a segment, so that a draw is one look-up; shape (G, Q).

    Q is 4,096, or 65,536 from 257 products on; a share is met to within 1/Q.
    """
    q = 4096 if browse.shape[1] <= 256 else 65536
    middle = (np.arange(q) + 0.5) / q
    rows = [np.searchsorted(np.cumsum(row), middle * row.sum()) for row in browse]
    return np.asarray(np.minimum(np.stack(rows), browse.shape[1] - 1), dtype=np.int32)


def _examine(effects: Effects, plan: Plan, odds: LowRankOdds, front: Storefront) -> Floats32:
    """Chance that a shopper looks at each place, shape (S, positions).

    "pbm": k**-eta. "cascade": whoever has examined a place goes on unless there is a click or a stop by chance; other
    places hold other listings, which this shopper clicks as often as the segment's browsing makes him on average.
    """
    place = np.arange(plan.positions)
    chance: Floats
    if effects.attention == "even":
        chance = np.ones((1, plan.positions))
    elif effects.attention == "pbm":
        chance = np.power(1.0 + place[None, :], -effects.position_eta)
    else:
        on = (1 - effects.cascade_stop) * (1 - _listing_clicks(odds, front))
        chance = on[:, None] ** place
    return np.broadcast_to(chance, (len(front.segment), plan.positions)).astype(np.float32)


def _listing_clicks(odds: LowRankOdds, front: Storefront) -> Floats:
    """Chance of a click on a listing at the mean log-odds of what the shopper's segment browses, shape (S,)."""
    truth = front.truth
    level = front.browse @ truth.level
    centre = front.browse @ truth.products
    interest = level[front.segment] + (odds.shoppers * centre[front.segment]).sum(axis=1)
    return np.asarray(1 / (1 + odds.passing * np.exp(-(truth.base + interest))))


def _lags(effects: Effects, plan: Plan) -> NDArray[np.uint8]:
    """Visits from a click to the visit at which its purchase is known, by 16 random bits; shape (65536,).

    An exponential delay cut off at 30 days, by inverting its distribution: D = -m log(1 - u (1 - exp(-30 / m))).
    """
    if effects.delay_days == 0:
        return np.zeros(2**16, dtype=np.uint8)
    u = (np.arange(2**16) + 0.5) / 2**16
    mean = effects.delay_days
    delay = -mean * np.log1p(-u * -np.expm1(-MAX_DELAY_DAYS / mean))
    visits = np.ceil(delay * TICKS / plan.gap)
    if visits.max() > MAX_LAG:
        raise DataError(
            f"plan: a purchase must arrive within {MAX_LAG} visits, got {int(visits.max())} at "
            f"{plan.days_between_visits} days between visits; raise days_between_visits or set delay_days to 0"
        )
    return np.asarray(visits, dtype=np.uint8)
