"""Limits on what tuned copy may cost on average, kept by multipliers that learn how dear a breach must be.

Tuning maximises the reward subject to  mean cost_i <= limit_i.  The Lagrangian of that is what a text is scored by,

    total - sum_i lambda_i e_i,       e_i = (cost_i - limit_i) / scale_i,       total and e_i in standard deviations,

and each lambda_i follows the mean excess e_i of the batches, at most 1 either way:

    memory_i <- clip(memory_i + rate * e_i, 0, cap)             dual ascent: dearer while the limit is broken
    lambda_i  = clip(memory_i + rate * DAMPING * e_i, 0, cap)       and at once, so that the two do not chase each other

so a limit that is kept costs nothing. With fixed weights, a mixture of components turns bad at a point of its own for each
of them; multipliers that adapt stop each one there (Moskovitz et al., arXiv 2310.04373). Ascent alone swings about the
limit; the second term damps it (Stooke, Achiam, Abbeel, arXiv 2007.03964). The cap bounds what a limit that cannot be kept
may do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.sim.types import DataError, Floats

NamedCosts = tuple[tuple[str, Floats], ...]
"""Costs by name, each of shape (b,)."""
FARTHEST = 20.0
"""Most standard deviations that one text may lie beyond a limit: one outlier must not be a batch."""
DAMPING = 10.0
"""How many updates' worth of ascent the excess of the last one adds for as long as it lasts."""


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """One limit, and what a breach of it costs now.

    Attributes:
        name: of the cost.
        limit: most that the mean cost may be, in the cost's unit.
        scale: standard deviation of the cost on texts of the untuned writer, in its unit.
        multiplier: standard deviations of the reward per standard deviation of the cost, 0 or more.
        memory: the part of it that dual ascent has built up, 0 or more.
    """

    name: str
    limit: float
    scale: float
    multiplier: float = 0.0
    memory: float = 0.0

    def __post_init__(self) -> None:
        if not (
            self.scale > 0
            and min(self.multiplier, self.memory) >= 0
            and np.isfinite([self.limit, self.scale]).all()
        ):
            raise DataError(
                f"limit {self.name}: must be finite, its scale above 0 and its multiplier >= 0, got {self.limit}, "
                f"{self.scale} and {self.multiplier}; give another limit"
            )

    def excess(self, cost: Floats) -> Floats:
        """(cost - limit) / scale, within +-`FARTHEST`, shape (b,)."""
        return np.asarray(np.clip((cost - self.limit) / self.scale, -FARTHEST, FARTHEST))

    def ascended(self, excess: float, rate: float, cap: float) -> Constraint:
        """The same limit after a batch of this mean excess."""
        step = rate * float(np.clip(excess, -1.0, 1.0))
        memory = float(np.clip(self.memory + step, 0.0, cap))
        return replace(self, memory=memory, multiplier=float(np.clip(memory + DAMPING * step, 0.0, cap)))


def check_limits(algorithm: str, limits: Sequence[tuple[str, float]], rate: float, cap: float) -> None:
    """Raise DataError where limits are not finite or name a cost twice, or their multipliers may become negative."""
    names = [name for name, _ in limits]
    if len(set(names)) < len(names) or not all(np.isfinite(limit) for _, limit in limits):
        raise DataError(
            f"{algorithm}: limits must be finite and one per cost, got {limits}; drop what is too many"
        )
    if not min(rate, cap) >= 0:
        raise DataError(
            f"{algorithm}: multiplier_rate and multiplier_cap must be >= 0, got {rate} and {cap}; 0 leaves limits "
            "without force"
        )


def constraints_for(
    limits: Sequence[tuple[str, float]], costs: NamedCosts, texts: int
) -> tuple[Constraint, ...]:
    """Constraints whose scales are those of costs of so many reference texts; multipliers start at 0.

    Where every reference text was empty no cost is known, and a limit's own size is its scale.

    Raises:
        DataError: a limit names a cost that is not there.
    """
    known = dict(costs) if texts else {name: np.zeros(0) for name, _ in limits}
    return tuple(
        Constraint(name=name, limit=limit, scale=_scale(_named(known, name), limit)) for name, limit in limits
    )


def penalty(constraints: Sequence[Constraint], costs: NamedCosts, texts: int) -> Floats:
    """sum_i lambda_i (cost_i - limit_i) / scale_i of each text, shape (texts,).

    Raises:
        DataError: a limit names a cost that is not there.
    """
    known, total = dict(costs), np.zeros(texts)
    for constraint in constraints:
        total = total + constraint.multiplier * constraint.excess(_named(known, constraint.name))
    return total


def _named(costs: Mapping[str, Floats], name: str) -> Floats:
    if name not in costs:
        raise DataError(
            f"limit {name}: the reward must tell a cost of that name, got {', '.join(costs) or 'none'}; "
            "add it to Reward.costs or drop the limit"
        )
    return costs[name]


def _scale(cost: Floats, limit: float) -> float:
    """Standard deviation; for a cost that does not vary, the limit's size, so that a breach is told in shares of it."""
    sd = float(cost.std()) if len(cost) else 0.0
    return sd if sd > 1e-9 else abs(limit) or 1.0
