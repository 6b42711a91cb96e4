"""Which step of tuning is kept: of those that break no limit on the select split, the one that earns most there.

A limit counts as broken where the mean over cells, less two standard errors, is beyond twice of it, and beyond once of it
for KL: multipliers let a cost swing about its limit, and a step is not to be thrown out for that or by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from copybandit.sim.types import Floats

if TYPE_CHECKING:
    from copybandit.evaluation.cells import CellReward
    from copybandit.evaluation.copy_costs import CopyCosts
    from copybandit.generators.lm import CausalLM

CELLS = 256
"""Cells, at most, of the select split that a step is judged in."""
ERRORS = 2.0
"""Standard errors by which a limit must be broken."""
SLACK = 2.0
"""How many times its limit the mean of a cost may be."""


@dataclass(frozen=True, kw_only=True)
class SelectRow:
    """What the select split says of one step of one run; update 0 is the writer before tuning.

    Attributes:
        seed, restart, update: which step.
        reward: mean of what tuning optimises.
        kl: mean nats per text from the writer before tuning.
        broken: limits that are broken there; `kl` is one.
    """

    seed: int
    restart: int
    update: int
    reward: float
    kl: float = 0.0
    broken: tuple[str, ...] = ()

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> SelectRow:
        """From a plain row."""
        return cls(**{**row, "broken": tuple(row.get("broken", ()))})


def best_step(rows: Sequence[SelectRow]) -> SelectRow:
    """Of the steps with the fewest limits broken the one that earns most, of equal ones the last."""
    return max(enumerate(rows), key=lambda pair: (-len(pair[1].broken), pair[1].reward, pair[0]))[1]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How steps are judged.

    Attributes:
        untuned: the writer before tuning.
        reward: in the cells of the select split.
        costs: what copy costs, and the limits on it; None sets none.
        max_kl: nats per text that a step may be away.
        seed: of the tuning; all its steps are judged in the same cells and with the same random numbers.
    """

    untuned: CausalLM
    reward: CellReward
    costs: CopyCosts | None
    max_kl: float
    seed: int

    def __call__(self, writer: CausalLM, restart: int, update: int) -> SelectRow:
        """Judge a step by one text per cell."""
        rng, cells = np.random.default_rng([self.seed, 77]), self.reward.cells.briefs
        rows = np.sort(rng.permutation(len(cells))[:CELLS])
        briefs = [cells[row] for row in rows]
        texts = [variants[0].text for variants in writer.propose(briefs, 1, rng)]
        kl = writer.log_prob(briefs, texts) - self.untuned.log_prob(briefs, texts)
        kl = np.where(np.isfinite(kl), kl, 0.0)  # an empty text has no likelihood; the reward punishes it
        told = (("kl", kl), *(self.costs(briefs, texts) if self.costs else ()))
        caps = self.costs.caps if self.costs else ()
        limits = {"kl": self.max_kl, **{name: SLACK * cap for name, cap in caps}}
        return SelectRow(
            seed=self.seed,
            restart=restart,
            update=update,
            reward=float(self.reward(rows, texts).total.mean()),
            kl=float(kl.mean()),
            broken=tuple(name for name, values in told if is_broken(values, limits[name])),
        )


def is_broken(costs: Floats, limit: float) -> bool:
    """Whether the mean of costs, shape (n,), is beyond a limit by `ERRORS` standard errors."""
    error = float(costs.std(ddof=1)) / len(costs) ** 0.5 if len(costs) > 1 else 0.0
    return float(costs.mean()) - ERRORS * error > limit
