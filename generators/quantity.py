"""A number with what it measures, as text says it."""

from __future__ import annotations

from dataclasses import dataclass

from copybandit.generators.units import Unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """One number and what it measures.

    Attributes:
        values: readings of the number, in the unit that was written.
        precision: half of one unit in its last significant digit.
        units: readings of the unit; empty for counts, prices and bare numbers.
        currency: ISO 4217, empty when it is no price.
        noun: what is counted, singular and lower case; empty when unsaid.
        nouns: all words of the phrase that counts (``zip pockets``, ``种颜色``), the noun among them.
        relation: ``>`` more than, ``>=`` at least, ``<`` less than, ``<=`` up to, else empty.
        until: end of a range that starts here (``48-54 cm``), nan for none.
        per: what it is a rate of (``hour`` of ``12 l an hour``), empty for none.
        token: a number inside a code (``A4``, ``usb3``), lower case.
        span: place in the text.
    """

    values: tuple[float, ...]
    precision: float = 0.5
    units: tuple[Unit, ...] = ()
    currency: str = ""
    noun: str = ""
    nouns: frozenset[str] = frozenset()
    relation: str = ""
    until: float = float("nan")
    per: str = ""
    token: str = ""
    span: tuple[int, int] = (0, 0)

    @property
    def bare(self) -> bool:
        """Neither unit nor currency."""
        return not self.units and not self.currency
