"""The evaluation card: what a tuned writer is worth in twelve measures, each with the gates it must pass. The records only.

`card.json` is this record as JSON. Its `schema` names the version: a reader that knows another one must not guess.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from msgspec import Struct

from copybandit.sim.types import DataError

SCHEMA = "copybandit-card/1"
"""Version of the record; a field that changes its meaning gives it another number."""
SEEDS = 5
"""Tuning seeds below which a method is not judged: one seed can be lucky."""


class Figure(Struct, frozen=True, kw_only=True):
    """One number of a measure."""

    name: str
    value: float | None
    """None where it cannot be had here."""
    ci_low: float | None = None
    ci_high: float | None = None
    """95% interval; None where there is none."""
    before: float | None = None
    """The same of the writer it is compared with."""
    unit: str = ""
    """`share` and `lift` are fractions; anything else is written behind the name."""


class Gate(Struct, frozen=True, kw_only=True):
    """What a measure must satisfy: low <= value <= high."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    passed: bool | None
    """None: it could not be judged here, and `note` says why."""
    note: str = ""

    @property
    def allowed(self) -> str:
        """Its limits in words."""
        ends = ((self.low, "at least"), (self.high, "at most"))
        return " and ".join(f"{words} {end:g}" for end, words in ends if end is not None)


class Curve(Struct, frozen=True, kw_only=True):
    """One line, or the points of one kind, of a picture; all of one length."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """Ends of 95% intervals, or empty."""
    points: bool = False
    """Whether the points stay unconnected."""
    hue: int | None = None
    """Curves of one hue share a colour; None gives each family of curves its own."""


class Picture(Struct, frozen=True, kw_only=True):
    """What one chart shows."""

    name: str
    title: str
    x_label: str
    y_label: str
    caption: str
    curves: tuple[Curve, ...]


class Measure(Struct, frozen=True, kw_only=True):
    """One of the twelve."""

    number: int
    name: str
    question: str
    """What it asks, in plain words."""
    figures: tuple[Figure, ...]
    gates: tuple[Gate, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool | None:
        """False if a gate fails, None if none fails and one could not be judged or there is none."""
        verdicts = [gate.passed for gate in self.gates]
        return False if False in verdicts else None if None in verdicts or not verdicts else True


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A writer that is judged."""

    path: str
    hash: str
    """Of its weights, see `copybandit.generators.adapters.weights_hash`."""
    origin: str = ""
    """Name of the run folder it was tuned in, as far as its place tells; else empty."""
    checked: bool = False
    """Whether what it was tuned on is known, and holds nothing of what is judged here."""


class Reading(Struct, frozen=True, kw_only=True):
    """One time that somebody looked at the judge split of a shop."""

    by: str
    """`run` or `evaluate`."""
    checkpoints: tuple[str, ...]
    """Hashes of their weights."""


class Shown(Struct, frozen=True, kw_only=True):
    """Copy for one brief, from the compared writer and from the first tuned one."""

    product: str
    readers: str
    before: str
    after: str


class Card(Struct, frozen=True, kw_only=True):
    """All of it."""

    schema: str = SCHEMA
    run: str
    """Name of the run folder whose shop it is."""
    part: str
    """Split that was read: `judge` or `select`."""
    cells: int
    products: int
    against: str
    """Who the writer is compared with."""
    checkpoints: tuple[Checkpoint, ...]
    readings: tuple[Reading, ...]
    """Of the judge split, this one last; empty for another split."""
    semi_synthetic: bool
    measures: tuple[Measure, ...]
    copies: tuple[Shown, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the gates that fail, with their measure's number."""
        return self._gates(False)

    @property
    def open(self) -> tuple[str, ...]:
        """Names of the gates that could not be judged."""
        return self._gates(None)

    def _gates(self, verdict: bool | None) -> tuple[str, ...]:
        return tuple(
            f"{measure.number} {gate.name}"
            for measure in self.measures
            for gate in measure.gates
            if gate.passed is verdict
        )


def gate(
    name: str,
    value: float | None,
    *,
    low: float | None = None,
    high: float | None = None,
    note: str = "",
    unknown: str = "its figure is no finite number here",
) -> Gate:
    """A gate and its verdict; None or a value that is not finite cannot be judged, for the reason `unknown`.

    >>> gate("KL", 2.0, high=3.0).passed, gate("KL", None, high=3.0).passed
    (True, None)
    """
    if value is None or not math.isfinite(value):
        return Gate(name=name, value=None, low=low, high=high, passed=None, note=unknown)
    passed = (low is None or value >= low) and (high is None or value <= high)
    return Gate(name=name, value=value, low=low, high=high, passed=passed, note=note)


def read_card(raw: bytes) -> Card:
    """Read card.json.

    Raises:
        DataError: it is no card, or one of another version.
    """
    try:
        found: Any = msgspec.json.decode(raw)
        version = found.get("schema") if isinstance(found, dict) else None
        if version != SCHEMA:
            raise DataError(
                f"card: schema must be {SCHEMA!r}, got {version!r}; read it with the version that wrote it"
            )
        return msgspec.convert(found, Card)
    except msgspec.MsgspecError as error:
        raise DataError(
            f"card: not a card ({' '.join(str(error).split())}); make it again with copybandit evaluate --card"
        ) from error
