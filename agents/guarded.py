"""A policy within guardrails: what it says is projected before anything is drawn; what it learns is its own business."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from copybandit.agents.around import Around
from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.guardrails import Guardrails
from copybandit.agents.stateful import Lasting, Settings
from copybandit.sim.types import Floats


class Guarded(Around):
    """Any policy, its probabilities within `Guardrails`.

    The rules may be replaced at any time, e.g. to pause a variant; the next request keeps the new ones.

    Args:
        policy: learns and chooses; it is changed.
        rules: what it must keep.
    """

    kind = "guarded"

    def __init__(self, policy: Lasting, rules: Guardrails) -> None:
        super().__init__(policy)
        self.rules = rules

    @classmethod
    def of(cls, policy: Lasting, settings: Settings) -> Guarded:
        """One with these rules around a policy."""
        return cls(policy, Guardrails(**settings))

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), the closest to the learner's that keeps the rules."""
        return self.rules.project(self.policy.action_probs(batch, rng), batch)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The learner's, and the projection as the last rule; guardrails within guardrails are one rule."""
        parts, rules = self.policy.parts(batch, names), self.rules
        inner = parts.rule or (lambda probs: probs)
        return replace(parts, rule=lambda probs: rules.project(inner(probs), batch))

    def settings(self) -> Settings:
        """The rules as they are now."""
        return asdict(self.rules)
