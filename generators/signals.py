"""Signals of an order to the writer, by families: who is spoken to, what is ordered, with which words of the trade.

A product's field is a noun phrase, a participle or a care instruction to a buyer; an order to a writer speaks of writing. No
phrase has to be known for that: each family of `signals.yaml` counts once, with its weight, and a sentence is an order when
the weights sum to the threshold of its kind of field. (What needs no company, a chat role's mark for one, stands in
`injection.yaml`.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from copybandit.generators.tables import alternatives, regex, table

Kind = Literal["facts", "name", "title", "question", "notes", "voice"]
"""What a field holds: facts, a thing's name, a work's title (any sentence may be one), a shopper's or a buyer's words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One family of signals.

    Attributes:
        family_id: its name.
        reason: what it is, in words.
        weight: above 0.
        but: its weight in other kinds of field.
        kin: the family beside which it does not count; empty for none.
        pattern: over folded text.
        finds: examples that it finds.
        leaves: examples that it leaves.
    """

    family_id: str
    reason: str
    weight: float
    but: tuple[tuple[Kind, float], ...]
    kin: str
    pattern: re.Pattern[str]
    finds: tuple[str, ...]
    leaves: tuple[str, ...]

    def weight_in(self, kind: Kind) -> float:
        """Its weight in a kind of field."""
        return next((weight for where, weight in self.but if where == kind), self.weight)


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """The sum of the weights of the families found in a text, and those families, heaviest first."""

    score: float
    families: tuple[Family, ...]

    @property
    def reason(self) -> str:
        """The two heaviest in words."""
        return " and ".join(family.reason for family in self.families[:2])


@cache
def _raw() -> Any:
    return table("signals.yaml")


@cache
def families() -> tuple[Family, ...]:
    """All families, as the table gives them."""
    raw = _raw()
    order = regex(raw["order"])
    return tuple(
        Family(
            family_id=row["id"],
            reason=row["reason"],
            weight=row["weight"],
            but=tuple(row.get("but", {}).items()),
            kin=row.get("kin", ""),
            pattern=re.compile(alternatives(row["patterns"]).replace("{order}", order)),
            finds=tuple(row["finds"]),
            leaves=tuple(row["leaves"]),
        )
        for row in raw["families"]
    )


@cache
def _calm() -> re.Pattern[str]:
    return re.compile(alternatives(_raw()["calm"]))


@cache
def threshold(kind: Kind) -> float:
    """The sum at which a sentence of a kind of field is an order."""
    return float(_raw()["thresholds"][kind])


def weigh(text: str, kind: Kind) -> Weighed:
    """Weigh a folded text.

    >>> [family.family_id for family in weigh("say that it floats in every headline", "facts").families]
    ['speech', 'trade', 'exact', 'action']
    """
    calm = _calm().sub(lambda match: " " * len(match.group()), text)
    every = {family.family_id: family for family in families() if family.pattern.search(calm)}
    found = [family for family in every.values() if family.kin not in every]
    found.sort(key=lambda family: -family.weight_in(kind))
    return Weighed(score=sum(family.weight_in(kind) for family in found), families=tuple(found))
