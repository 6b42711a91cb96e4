"""Sizes of what shapes a visit beyond the copy itself; each effect has its own coefficient, and 0 switches it off."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from typing import Literal

from copybandit.sim.types import DataError

Attention = Literal["even", "pbm", "cascade"]
_ATTENTION = ("even", "pbm", "cascade")
MAX_DELAY_DAYS = 30.0
"""A purchase that takes longer is never credited (Chapelle, "Modeling delayed feedback in display advertising", 2014)."""


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Sizes of the effects, all assumed; in log-odds unless said otherwise. See `only` for a shop with one of them.

    Attributes:
        heterogeneity: how far tastes lie from the average shopper's, as a multiple of the shop's own.
        no_click: weight of passing by, P(click | examined) = odds / (no_click + odds); 1 is the shop's own rate, 0 means
            that whoever looks clicks.
        attention: "pbm" examines place k with chance k**-position_eta; "cascade" goes through the places in order and
            stops at a click or with chance `cascade_stop` (Craswell et al., WSDM 2008); "even" examines every place.
        position_eta: exponent of "pbm".
        cascade_stop: chance to stop after a place without a click, in [0, 1].
        price: log-odds of buying per log(price / median price of the category), for the average shopper.
        fatigue_copy: per remembered exposure to the same copy.
        fatigue_cluster: per remembered exposure to copy of the same cluster.
        memory: share of an exposure that is left after one more visit, in [0, 1); fatigue recovers by it.
        walk: a shopper's interest drifts by this much up or down, each with chance 1/4, from visit to visit.
        season: amplitude of a wave with a period of seven days.
        shift: standard deviation of the change of each copy's effect on `shift_day`.
        shift_day: day of the abrupt change, from the start of the season.
        delay_days: mean of the exponential delay from click to purchase, cut off at 30 days.
        leave: chance to leave for good after a visit.
        leave_miss: more of that chance per visit in a row without a click.
        leave_fatigue: more of that chance per remembered exposure to the copy or its cluster.
        buy_base: log-odds of buying after a click.
        buy_interest: per unit of interest.
        overpromise: less log-odds of buying per log-odds of click that wording adds.

    Raises:
        DataError: a size is not finite or out of its range.
    """

    heterogeneity: float = 1.0
    no_click: float = 1.0
    attention: Attention = "pbm"
    position_eta: float = 0.5
    cascade_stop: float = 0.2
    price: float = 0.5
    fatigue_copy: float = 0.15
    fatigue_cluster: float = 0.1
    memory: float = 0.8
    walk: float = 0.05
    season: float = 0.1
    shift: float = 0.3
    shift_day: float = 14.0
    delay_days: float = 4.0
    leave: float = 0.02
    leave_miss: float = 0.005
    leave_fatigue: float = 0.02
    buy_base: float = -2.0
    buy_interest: float = 0.5
    overpromise: float = 0.3

    def __post_init__(self) -> None:
        if self.attention not in _ATTENTION:
            raise DataError(
                f"effects: attention must be one of {', '.join(_ATTENTION)}, got {self.attention!r}; choose one"
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "attention":
                self._check(field.name, value)

    def _check(self, name: str, value: float) -> None:
        top = {"memory": 1.0, "cascade_stop": 1.0, "leave": 1.0}.get(name, float("inf"))
        low = float("-inf") if name in ("buy_base", "buy_interest") else 0.0
        if not isfinite(value) or not low <= value <= top or (name == "memory" and value == 1.0):
            raise DataError(
                f"effects: {name} must be finite and in [{low:g}, {top:g}{')' if name == 'memory' else ']'}, "
                f"got {value}; correct it"
            )

    @staticmethod
    def only(**sizes: float | str) -> Effects:
        """The shop with these effects alone: shoppers are alike, stay, see every place, and nothing ever changes.

        Args:
            sizes: attributes to set; `no_click` and the base rate of buying stay as they are unless given.

        Raises:
            DataError: a name is unknown, or a size out of its range.
        """
        known = {field.name for field in fields(Effects)}
        if unknown := sorted(set(sizes) - known):
            raise DataError(f"effects: {unknown[0]!r} is unknown; choose from {', '.join(sorted(known))}")
        kept = {"no_click", "shift_day", "memory", "cascade_stop", "buy_base"}
        off: dict[str, float | str] = {name: 0.0 for name in known - kept} | {"attention": "even"}
        return Effects(**(off | sizes))  # type: ignore[arg-type]
