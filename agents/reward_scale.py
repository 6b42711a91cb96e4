"""From raw rewards to the scores that tuners see: standardised, within a clip, less what limits and cut answers cost.

    score = clip((total - mean) / sd, +-clip) - sum_i lambda_i e_i - missing_eos_penalty [the answer did not end]

Mean and sd are those of reference texts, which the untuned writer wrote; so are the scales of the limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.agents.constraints import Constraint, NamedCosts, penalty
from copybandit.sim.types import Bools, DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class RewardScale:
    """How a raw reward becomes the number a tuner sees: (total - mean) / sd, within +-clip.

    Attributes:
        mean, sd: of the raw reward on texts of the untuned writer.
        clip: in sd; an empty text gets -clip, or less where a text of its batch does.
        missing_eos_penalty: in sd, taken from a text that did not end by itself.
    """

    mean: float
    sd: float
    clip: float = 5.0
    missing_eos_penalty: float = 1.0

    def __post_init__(self) -> None:
        if not (self.sd > 0 and np.isfinite([self.mean, self.sd]).all()):
            raise DataError(
                f"reward scale: sd must be above 0 and finite, got {self.sd}; use 1 for a constant"
            )

    @classmethod
    def of(cls, total: Floats, clip: float, missing_eos_penalty: float) -> RewardScale:
        """That of raw rewards, shape (b,); sd 1 where they do not differ, mean 0 where there are none."""
        sd = float(total.std()) if len(total) else 0.0
        return cls(
            mean=float(total.mean()) if len(total) else 0.0,
            sd=sd if sd > 1e-9 else 1.0,
            clip=clip,
            missing_eos_penalty=missing_eos_penalty,
        )

    def standardised(self, total: Floats) -> Floats:
        """(total - mean) / sd, within +-clip, shape (b,)."""
        return np.asarray(np.clip((total - self.mean) / self.sd, -self.clip, self.clip))

    def scores(
        self, total: Floats, costs: NamedCosts, limits: Sequence[Constraint], written: Bools, ended: Bools
    ) -> Floats:
        """Scores of b answers, shape (b,).

        Args:
            total: raw rewards of the answers that are not empty, in their order; the others get the lowest score of all.
            costs: of the same answers.
            limits: and their multipliers.
            written: shape (b,), which answers are not empty.
            ended: shape (b,), which ended by themselves.
        """
        found = np.full(len(written), -self.clip)
        if written.any():
            found[written] = self.standardised(total) - penalty(limits, costs, len(total))
        found[~written] = found.min()
        return np.asarray(found - self.missing_eos_penalty * ~ended)


def reference_cells(prompts: int, n: int, rng: np.random.Generator) -> Ints:
    """Which of the prompts reference texts are written for, shape (n,): each equally often, but for one; which, is drawn."""
    return np.resize(rng.permutation(prompts), n)
