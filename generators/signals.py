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
        weight: above 0 for an order, below 0 for what `plain.yaml` holds.
        but: its weight in other kinds of field.
        rule: the rule of `injection.yaml` whose patterns it has; empty for none.
        kin: the family beside which it does not count; empty for none.
        as_it_stands: whether it reads what `calm` would blank too.
        kinds: the kinds of field where it counts; empty for all.
        pattern: over folded text.
        finds: examples that it finds.
        leaves: examples that it leaves.
    """

    family_id: str
    reason: str
    weight: float
    but: tuple[tuple[Kind, float], ...]
    rule: str
    kin: str
    kinds: tuple[Kind, ...]
    as_it_stands: bool
    pattern: re.Pattern[str]
    finds: tuple[str, ...]
    leaves: tuple[str, ...]

    def weight_in(self, kind: Kind) -> float:
        """Its weight in a kind of field."""
        if self.kinds and kind not in self.kinds:
            return 0.0
        return next((weight for where, weight in self.but if where == kind), self.weight)


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """The sum of the weights of the families found in a text, and those families, heaviest first."""

    score: float
    families: tuple[Family, ...]

    @property
    def rule(self) -> str:
        """The rule that the heaviest family with one lends, else ``signals``."""
        return next((family.rule for family in self.families if family.rule), "signals")

    @property
    def reason(self) -> str:
        """The two heaviest in words."""
        return " and ".join(family.reason for family in self.families[:2])


@cache
def _raw() -> Any:
    return table("signals.yaml")


@cache
def _plain() -> Any:
    return table("plain.yaml")


def _patterns(row: dict[str, Any]) -> str:
    """Patterns of a family: its own, or of a rule of `injection.yaml`, which weighs here and convicts no input alone."""
    if "rule" not in row:
        return alternatives(row["patterns"])
    rules = table("injection.yaml")["rules"]
    return "|".join(pattern for rule in rules if rule["id"] == row["rule"] for pattern in rule["patterns"])


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
            rule=row.get("rule", ""),
            kin=row.get("kin", ""),
            kinds=tuple(row.get("kinds", ())),
            as_it_stands="rule" in row or row["weight"] < 0,
            pattern=re.compile(_patterns(row).replace("{order}", order)),
            finds=tuple(row["finds"]),
            leaves=tuple(row["leaves"]),
        )
        for row in (*raw["families"], *table("orders.yaml")["families"], *_plain()["families"])
    )


@cache
def _calm() -> re.Pattern[str]:
    return re.compile(alternatives([*_raw()["calm"], *_plain()["calm"]]))


@cache
def threshold(kind: Kind) -> float:
    """The sum at which a sentence of a kind of field is an order."""
    return float(_raw()["thresholds"][kind])


def weigh(text: str, kind: Kind) -> Weighed:
    """Weigh a folded text; of a fact that plain words speak for, each clause alone too, and the heaviest counts.

    >>> [family.family_id for family in weigh("say that it floats in every headline", "facts").families]
    ['speech', 'trade', 'exact', 'action']
    """
    whole = _weigh(text, kind)
    if kind != "facts" or "," not in text or not any(family.weight < 0 for family in whole.families):
        return whole
    return max((whole, *(_weigh(clause.strip(), kind) for clause in text.split(","))), key=lambda w: w.score)


def _weigh(text: str, kind: Kind) -> Weighed:
    """The sum of what is found in a text: plain words take no more than `most`, and nothing beside a firm family."""
    calm = _calm().sub(lambda match: " " * len(match.group()), text)
    every = {
        family.family_id: family
        for family in families()
        if family.pattern.search(text if family.as_it_stands else calm)
    }
    found = [family for family in every.values() if family.kin not in every]
    found.sort(key=lambda family: -family.weight_in(kind))
    weights = [family.weight_in(kind) for family in found]
    firm = any(family.family_id in _plain()["firm"] for family in found)
    plain = 0.0 if firm else sum(weight for weight in weights if weight < 0)
    score = sum(weight for weight in weights if weight > 0) + max(plain, _plain()["most"])
    return Weighed(score=score, families=tuple(found))
