"""Shares of materials: 70% of the wool that a product has 30% of is a wrong number, though 70% stands among its facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from copybandit.generators.agreement import agrees
from copybandit.generators.materials import materials
from copybandit.generators.quantity import Quantity


def composed(shares: Mapping[str, tuple[Quantity, ...]], quantity: Quantity, low: str) -> bool | None:
    """Whether the product has as much of a material as the clause says; None where either says nothing of shares."""
    stops = [m.start() for m in _CLAUSES.finditer(low)]
    start = max((s + 1 for s in stops if s < quantity.span[0]), default=0)
    end = min((s for s in stops if s >= quantity.span[1]), default=len(low))
    named = [m.material for m in materials(low[start:end])]
    if len(set(named)) != 1 or named[0] not in shares:
        return None
    return any(agrees(replace(quantity, noun=""), replace(held, noun="")) for held in shares[named[0]])


_CLAUSES = re.compile(r"[,.!?;，。！？；、](?!\d)| and | plus |和|与|加")


def shares_of(low: str, found: tuple[Quantity, ...]) -> dict[str, tuple[Quantity, ...]]:
    """Shares of materials that a product states, by material (``羊毛30%``, ``70% acrylic``).

    Args:
        low: its text, folded.
        found: its quantities.
    """
    shares: dict[str, tuple[Quantity, ...]] = {}
    percents = [q for q in found if q.units and q.units[0].dimension == "percent"]
    for held in percents:
        for named in materials(low):
            gap = (
                low[held.span[1] : named.span[0]]
                if held.span[1] <= named.span[0]
                else low[named.span[1] : held.span[0]]
            )
            near = 0 <= max(named.span[0] - held.span[1], held.span[0] - named.span[1]) <= _NEAR
            if near and _CLAUSES.search(gap) is None:
                shares[named.material] = (*shares.get(named.material, ()), held)
    return shares


_NEAR = 14
"""Characters between a share and its material, at most."""
