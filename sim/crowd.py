"""Many shoppers side by side, each in an episode of its own: visits, answers, what they remember, when they leave.

The state is one array per fact. Every draw is the bits of (key, number of the draw), so that a shopper lives the same life
alone, in a batch and in a shard. What can be known beforehand comes from the tables of a `Season`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.draws import Draws
from copybandit.sim.pending import Pending
from copybandit.sim.recall import Recall
from copybandit.sim.season import TICKS, WALK_LIMIT, Season
from copybandit.sim.types import Bools, Floats, Ints

ALL = slice(None)
Rows = Ints | slice
_BROWSE, _PLACE, _CLICK_LOW, _CLICK_HIGH, _LEAVE, _WALK, _BUY, _DELAY = range(8)
"""What the eight 16-bit parts of a visit's draw decide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What n shoppers did, each array of shape (n,).

    Attributes:
        click: whether the shopper clicked.
        bought: whether the click led to a purchase, which may become known later.
        arrived: bit a stands for a purchase made a visits ago that became known now.
        value: money of what became known.
        left: whether the shopper left for good.
    """

    click: Bools
    bought: Bools
    arrived: NDArray[np.uint64]
    value: Floats
    left: Bools


class Crowd:
    """The shoppers of n environments; `begin`, `arrive` and `show` change them, the rest looks.

    Args:
        season: shared, never changed.
        n: environments.

    Attributes:
        shopper, visit, tick, product, place: shape (n,), who visits, how often already, when, which product, and where on
            the page; place 0 is the first.
        cell: shape (n,), shopper and product as one index; see `copybandit.sim.odds`.
        copies_seen, clusters_seen: shape (n, k), words of `Recall` for the copies of the product.
        waiting: shape (n,), purchases that have not become known.
        bought: shape (n,), whether the last answer of this episode was a purchase.
    """

    def __init__(self, season: Season, n: int) -> None:
        self.season, self.n = season, n
        _, self._n_products, self._k = season.front.truth.size
        self._draws = Draws(n)
        self._recall, self._pending = Recall(n, season.cluster), Pending(n, season.max_lag)
        self.waiting, self.bought = self._pending.waiting, np.zeros(n, dtype=np.bool_)
        self._row_of_columns = np.arange(n) * self._k
        # Indices are intp, since looking up by any other integer makes a copy first.
        self.shopper, self.visit, self.tick, self.product, self.place = np.zeros((5, n), dtype=np.int64)
        self.cell, self._browse_from, self._misses, self._walk, self._after = np.zeros((5, n), dtype=np.int64)
        self._bits = np.zeros((8, n), dtype=np.int64)
        self.copies_seen, self.clusters_seen = np.zeros((2, n, self._k), dtype=np.uint16)

    def seed(self, rows: Ints, keys: NDArray[np.uint64]) -> None:
        """Begin the draws of some environments anew, keys of shape (m,)."""
        self._draws.seed(rows, keys)

    def begin(self, rows: Ints, shopper: Ints | None = None, tick: Ints | None = None) -> None:
        """A new shopper, who remembers nothing, comes to some environments; `arrive` is the first visit.

        Args:
            rows: m environments.
            shopper: who, instead of anybody; shape (m,).
            tick: when, instead of any time of the season; shape (m,).
        """
        words = self._draws.take(rows).astype(np.int64)
        days = round(self.season.plan.days * TICKS)
        anybody, any_time = words[:, 0] * len(self.season.examine) >> 32, words[:, 1] * days >> 32
        self.shopper[rows] = anybody if shopper is None else shopper
        self.tick[rows] = any_time if tick is None else tick
        self._browse_from[rows] = self.season.front.segment[self.shopper[rows]] * self.season.slots.shape[1]
        self.visit[rows] = self._misses[rows] = 0
        self.bought[rows] = False
        self._walk[rows] = WALK_LIMIT
        self._recall.forget(rows)
        self._pending.forget(rows)

    def arrive(self, rows: Rows = ALL) -> None:
        """The next visit: a product by what the shopper's segment browses, a place by chance."""
        season = self.season
        bits = self._draws.take(rows).view("<u2").T.astype(np.int64)
        slot = bits[_BROWSE] * season.slots.shape[1] >> 16
        product = season.slots.take(self._browse_from[rows] + slot).astype(np.int64)
        self._bits[:, rows], self.product[rows] = bits, product
        self.place[rows] = bits[_PLACE] * season.plan.positions >> 16
        self.cell[rows] = self.shopper[rows] * self._n_products + product
        self._after[rows] = self.tick[rows] >= season.shift_tick
        self.copies_seen[rows], self.clusters_seen[rows] = self._recall.words(rows, product)

    def show(self, column: Ints) -> Answer:
        """Show every shopper the copy in a column, shape (n,); draw click, purchase and leaving.

        The chance to leave is leave + leave_miss * (visits in a row without a click) + leave_fatigue * exposures.
        """
        seen = self._row_of_columns + column
        copies, clusters = self.copies_seen.take(seen), self.clusters_seen.take(seen)
        season, bits = self.season, self._bits
        against = season.odds.against(self.cell, self._after, column) * self._weather()
        against *= season.tired_copy.take(copies)
        against *= season.tired_cluster.take(clusters)
        click = (bits[_CLICK_HIGH] << 16 | bits[_CLICK_LOW]) * 2.0**-32 < self._looks() / (1 + against)
        bought = self._buy(click, column)
        self.bought[:] = bought
        arrived, value = self._pending.arrive()
        left = self._leave(click, copies, clusters)
        self._recall.remember(self.product, column)
        self._live_on()
        return Answer(click=click, bought=bought, arrived=arrived, value=value, left=left)

    def _weather(self) -> Floats:
        """Factor of the odds against a click by the week and by where the shopper's interest has drifted, shape (n,)."""
        season = self.season
        drifted = (self._walk - WALK_LIMIT) * season.lean.take(self.product) + WALK_LIMIT
        return np.asarray(season.wave.take(self.tick % len(season.wave)) * season.drift.take(drifted))

    def _looks(self) -> Floats:
        """Chance that the place is examined, shape (n,)."""
        examine = self.season.examine
        chance = examine.take(self.shopper * examine.shape[1] + self.place)
        return np.asarray(chance, dtype=np.float64)

    def _buy(self, click: Bools, column: Ints) -> Bools:
        season, bits = self.season, self._bits
        rows = np.flatnonzero(click)
        against = season.odds.against_buying(self.cell.take(rows), column.take(rows)).astype(np.float64)
        rows = rows[(bits[_BUY].take(rows) + 0.5) * (1 + against) < 2.0**16]
        lag = season.lag.take(bits[_DELAY].take(rows)).astype(np.int64)
        self._pending.add(rows, lag, season.price.take(self.product[rows]))
        bought = np.zeros(self.n, dtype=np.bool_)
        bought[rows] = True
        return bought

    def _leave(self, click: Bools, copies: NDArray[np.uint16], clusters: NDArray[np.uint16]) -> Bools:
        season, effects = self.season, self.season.effects
        self._misses += 1
        self._misses *= ~click
        tired = np.add(season.stock.take(copies), season.stock.take(clusters), dtype=np.float64)
        chance = effects.leave + effects.leave_miss * self._misses + effects.leave_fatigue * tired
        return np.asarray(self._bits[_LEAVE] < chance * 2.0**16)

    def _live_on(self) -> None:
        """Time passes until the next visit, and interest takes a step of -1, 0, 0 or 1."""
        self.visit += 1
        self.tick += self.season.plan.gap
        self._walk += (((self._bits[_WALK] >> 14) + 1) >> 1) - 1
        np.maximum(self._walk, 0, out=self._walk)
        np.minimum(self._walk, 2 * WALK_LIMIT, out=self._walk)

    def expected_click(self) -> Floats:
        """True chance of a click on each copy of the visit at hand, shape (n, k); 0 where absent."""
        season = self.season
        against = season.odds.against_each(self.cell, self._after) * self._weather()[:, None]
        against = against * season.tired_copy.take(self.copies_seen)
        against *= season.tired_cluster.take(self.clusters_seen)
        return np.asarray(self._looks()[:, None] / (1 + against) * season.present.take(self.product, axis=0))

    def expected_purchase(self) -> Floats:
        """True chance that showing each copy leads to a purchase, now or later, shape (n, k); 0 where absent."""
        cell, k = np.repeat(self.cell, self._k), np.tile(np.arange(self._k), self.n)
        against = self.season.odds.against_buying(cell, k).astype(np.float64).reshape(self.n, self._k)
        return self.expected_click() / (1 + against)
