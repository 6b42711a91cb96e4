"""What is put around a policy: all is as the policy inside has it, but for what the one around it changes."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.stateful import Arrays, Lasting, Settings, check_state, part, within
from copybandit.sim.types import Floats, Ints

INSIDE = "policy"
"""Names of the state of the policy inside begin with it."""


class Around:
    """A policy that passes everything on; it can be put around any other, itself included.

    Args:
        policy: learns and chooses; it is changed.
    """

    kind: ClassVar[str]
    """What it is called in names and in checkpoints."""

    def __init__(self, policy: Lasting) -> None:
        self.policy = policy

    @classmethod
    def of(cls, policy: Lasting, settings: Settings) -> Self:
        """One with these settings, those of `settings`, around a policy."""
        return cls(policy, **settings)

    @property
    def name(self) -> str:
        """The learner's, marked."""
        return f"{self.kind}_{self.policy.name}"

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """What the learner says as of the last feedback; shape (n, k)."""
        return self.policy.action_probs(batch, rng)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The learner's."""
        return self.policy.parts(batch, names)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the learner."""
        self.policy.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Passes on."""
        self.policy.forget(keep, variants)

    def settings(self) -> Settings:
        """What `of` takes, the policy inside aside."""
        return {}

    def get_state(self) -> Arrays:
        """The learner's state and its own; views where feedback changes in place."""
        return {**within(INSIDE, self.policy.get_state()), **self._own()}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        inside = part(INSIDE, state)
        own = {name: array for name, array in state.items() if not name.startswith(f"{INSIDE}.")}
        self._check_own(own)
        self.policy.set_state(inside)
        self._take_own(own)

    def _own(self) -> Arrays:
        """What feedback changes beside the learner."""
        return {}

    def _check_own(self, own: Arrays) -> None:
        """Refuses what `_take_own` could not take; nothing is changed."""
        check_state(self._own(), own)

    def _take_own(self, own: Arrays) -> None:
        """Takes over what was checked."""
