"""One shopper in plain numbers: what `copybandit.sim.crowd` does for many at once, word for word and bit for bit.

Arrays of one would cost several times as much as the numbers in them. It is also the more readable of the two forms;
the tests hold them against each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from copybandit.sim.draws import words_of
from copybandit.sim.exposures import SLOTS
from copybandit.sim.season import TICKS, WALK_LIMIT, Season
from copybandit.sim.types import Floats, Ints

_AHEAD = 256
"""Draws made at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OneAnswer:
    """What one shopper did; the attributes are those of `copybandit.sim.crowd.Answer`."""

    click: bool
    bought: bool
    arrived: int
    value: float
    left: bool


class Visitor:
    """The shopper of one environment; `begin`, `arrive` and `show` change it, the rest looks.

    Args:
        season: shared, never changed.

    Attributes:
        shopper, visit, tick, product, place: who visits, how often already, when, which product, and where on the page.
        cell: shape (1,), shopper and product as one index; see `copybandit.sim.odds`.
        copies_seen, clusters_seen: k words of `Recall` for the copies of the product.
        bought: whether the last answer of this episode was a purchase.
    """

    def __init__(self, season: Season) -> None:
        self.season = season
        _, self._n_products, self._k = season.front.truth.size
        self._clusters: list[list[int]] = season.cluster.tolist()
        self._draws: Iterator[list[int]] = iter(())
        self.bought = False
        self.shopper = self.visit = self.tick = self.product = self.place = 0
        self.cell: Ints = np.zeros(1, dtype=np.int64)
        self.copies_seen, self.clusters_seen = [0] * self._k, [0] * self._k

    def seed(self, key: int) -> None:
        """Begin the draws anew."""
        self._draws = _draws(key)

    def begin(self, shopper: int | None = None, tick: int | None = None) -> None:
        """A new shopper, who remembers nothing; `arrive` is the first visit.

        Args:
            shopper: who, instead of anybody.
            tick: when, instead of any time of the season.
        """
        words, season = next(self._draws), self.season
        days = round(season.plan.days * TICKS)
        self.shopper = words[0] * len(season.examine) >> 32 if shopper is None else shopper
        self.tick = words[1] * days >> 32 if tick is None else tick
        self._segment = season.front.segment.item(self.shopper)
        self.visit, self._misses, self._walk, self.bought = 0, 0, WALK_LIMIT, False
        self._shown: deque[tuple[int, int, int]] = deque(maxlen=SLOTS)
        self._pending: list[tuple[int, int, float]] = []

    def arrive(self) -> None:
        """The next visit: a product by what the shopper's segment browses, a place by chance."""
        season, words = self.season, next(self._draws)
        slot = (words[0] & 0xFFFF) * season.slots.shape[1] >> 16
        self._bits, self.product = words, season.slots.item(self._segment, slot)
        self.place = (words[0] >> 16) * season.plan.positions >> 16
        self.cell = np.array([self.shopper * self._n_products + self.product])
        self._after = int(self.tick >= season.shift_tick)
        copies, clusters = [0] * self._k, dict.fromkeys(self._clusters[self.product], 0)
        for age, (product, column, cluster) in enumerate(self._shown):
            if cluster in clusters:
                clusters[cluster] |= 1 << age
            if product == self.product:
                copies[column] |= 1 << age
        self.copies_seen = copies
        self.clusters_seen = [clusters[cluster] for cluster in self._clusters[self.product]]

    def show(self, column: int) -> OneAnswer:
        """Show the copy in a column; draw click, purchase and leaving. See `Crowd.show`."""
        season, after, shown = self.season, np.array([self._after]), np.array([column])
        copies, clusters = self.copies_seen[column], self.clusters_seen[column]
        against = season.odds.against(self.cell, after, shown).item() * self._weather()
        against *= season.tired_copy.item(copies)
        against *= season.tired_cluster.item(clusters)
        click = self._bits[1] * 2.0**-32 < self._looks() / (1 + against)
        self.bought = bought = click and self._buy(shown)
        arrived, value = self._arrivals()
        self._misses = 0 if click else self._misses + 1
        left = self._leaves(copies, clusters)
        self._shown.appendleft((self.product, column, self._clusters[self.product][column]))
        self._live_on()
        return OneAnswer(click=click, bought=bought, arrived=arrived, value=value, left=left)

    def _weather(self) -> float:
        season = self.season
        drifted = (self._walk - WALK_LIMIT) * season.lean.item(self.product) + WALK_LIMIT
        return season.wave.item(self.tick % len(season.wave)) * season.drift.item(drifted)

    def _looks(self) -> float:
        return self.season.examine.item(self.shopper, self.place)

    def _buy(self, shown: Ints) -> bool:
        season = self.season
        against = season.odds.against_buying(self.cell, shown).item()
        bought = ((self._bits[3] & 0xFFFF) + 0.5) * (1 + against) < 2.0**16
        if bought:
            lag = season.lag.item(self._bits[3] >> 16)
            self._pending.append((self.visit + lag, lag, season.price.item(self.product)))
        return bought

    def _arrivals(self) -> tuple[int, float]:
        """Bits of the ages of the purchases that become known now, and their value."""
        arrived, value = 0, 0.0
        for due, lag, price in self._pending:
            if due == self.visit:
                arrived, value = arrived | 1 << lag, value + price
        if arrived:
            self._pending = [late for late in self._pending if late[0] > self.visit]
        return arrived, value

    def _leaves(self, copies: int, clusters: int) -> bool:
        season, effects = self.season, self.season.effects
        tired = season.stock.item(copies) + season.stock.item(clusters)
        chance = effects.leave + effects.leave_miss * self._misses + effects.leave_fatigue * tired
        return (self._bits[2] & 0xFFFF) < chance * 2.0**16

    def _live_on(self) -> None:
        self.visit += 1
        self.tick += self.season.plan.gap
        step = (((self._bits[2] >> 30) + 1) >> 1) - 1
        self._walk = min(max(self._walk + step, 0), 2 * WALK_LIMIT)

    @property
    def waiting(self) -> int:
        """Purchases that have not become known."""
        return len(self._pending)

    def expected_click(self) -> Floats:
        """True chance of a click on each copy of the visit at hand, shape (k,); 0 where absent."""
        season = self.season
        rested = season.odds.against_each(self.cell, np.array([self._after]))[0]
        against: Floats = rested.astype(np.float64) * self._weather()
        against *= season.tired_copy.take(self.copies_seen)
        against *= season.tired_cluster.take(self.clusters_seen)
        return np.asarray(self._looks() / (1 + against) * season.present[self.product])

    def expected_purchase(self) -> Floats:
        """True chance that showing each copy leads to a purchase, now or later, shape (k,); 0 where absent."""
        against = self.season.odds.against_buying(np.repeat(self.cell, self._k), np.arange(self._k))
        return self.expected_click() / (1 + against.astype(np.float64))


def _draws(key: int) -> Iterator[list[int]]:
    """Words of `Draws` under a key, one draw after the other."""
    start = 0
    while True:
        number = np.arange(start, start + _AHEAD)
        yield from words_of(np.full(_AHEAD, key, dtype=np.uint64), number).tolist()
        start += _AHEAD
