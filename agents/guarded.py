"""A policy within guardrails: what it says is projected before anything is drawn; what it learns is its own business."""

from __future__ import annotations

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.forgetful import Forgetful
from copybandit.agents.guardrails import Guardrails
from copybandit.sim.types import Floats, Ints


class Guarded:
    """Any learner that can forget, its probabilities within `Guardrails`.

    The rules may be replaced at any time, e.g. to pause a variant; the next request keeps the new ones.

    Args:
        policy: learns and chooses; it is changed.
        rules: what it must keep.
    """

    def __init__(self, policy: Forgetful, rules: Guardrails) -> None:
        self.policy, self.rules = policy, rules

    @property
    def name(self) -> str:
        """The learner's, marked."""
        return f"guarded_{self.policy.name}"

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), the closest to the learner's that keeps the rules."""
        return self.rules.project(self.policy.action_probs(batch, rng), batch)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the learner."""
        self.policy.update(batch, column, reward, weight)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Passes on."""
        self.policy.forget(keep, variants)
