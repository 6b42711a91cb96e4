"""What a nat of KL to the untuned writer costs, update by update.

    price(u) = kl_coef * anneal ** left(u)  +  multiplier          left(u) falls from 1 to 0 over the first updates

The schedule is deterministic annealing (Rose, Proceedings of the IEEE 86(11), 1998): while KL is dear the best policy
spreads over all that pays, and the writer can compare; at the final price alone it settles on what it happened to try
first. The multiplier is that of the limit  KL <= target,  one nat its unit, which rises and falls like those of all limits
(see `copybandit.agents.constraints`). Multiplying the price by a bounded share each update, as arXiv 1909.08593 does, comes
too late here: within the ten updates that it takes to triple, a writer of short copy has settled on one sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.agents.constraints import Constraint
from copybandit.sim.types import DataError

NAT = 1.0
"""Unit in which KL beyond its target is counted."""


@dataclass(frozen=True, kw_only=True)
class KLPrice:
    """Price of one nat of KL per answer, in standard deviations of the reward.

    Attributes:
        coef: once annealed.
        anneal: how many times dearer a nat is at first.
        anneal_updates: updates in which the price falls to `coef`.
        limit: on KL, in nats per answer; None sets none.
    """

    coef: float
    anneal: float = 1.0
    anneal_updates: float = 0.0
    limit: Constraint | None = None

    def __post_init__(self) -> None:
        if not (self.coef >= 0 and self.anneal >= 1 and self.anneal_updates >= 0):
            raise DataError(
                f"price of KL: must be >= 0, kl_anneal >= 1 and its updates >= 0, got {self.coef}, {self.anneal} and "
                f"{self.anneal_updates}; kl_anneal=1 keeps the price as it is"
            )

    @classmethod
    def of(cls, coef: float, anneal: float, anneal_updates: float, target: float | None) -> KLPrice:
        """A price before the first update, with KL limited to `target` nats where one is given."""
        limit = None if target is None else Constraint(name="kl", limit=target, scale=NAT)
        return cls(coef=coef, anneal=anneal, anneal_updates=anneal_updates, limit=limit)

    def at(self, update: int) -> float:
        """The price in an update; 1 is the first."""
        left = max(0.0, 1 - (update - 1) / max(1.0, self.anneal_updates))
        return self.coef * float(self.anneal**left) + (self.limit.multiplier if self.limit else 0.0)

    def after(self, kl: float, rate: float, cap: float) -> KLPrice:
        """The same after an update that found the policy `kl` nats away; rate and cap are those of multipliers."""
        if self.limit is None:
            return self
        excess = float(self.limit.excess(np.array(kl)))
        return replace(self, limit=self.limit.ascended(excess, rate, cap))
