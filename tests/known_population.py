"""Kinds of request with known click probabilities: the value of a policy is an exact sum."""

from __future__ import annotations

import numpy as np

from copybandit.agents.decide import decide
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import Floats, Ints

TYPES, K = 30, 4


class Population:
    """30 kinds of request, 4 actions, a behavior and a target policy."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.click = rng.uniform(0.05, 0.4, (TYPES, K))
        self.behavior = 0.7 * rng.dirichlet(np.ones(K), TYPES) + 0.3 / K
        self.target = 0.8 * rng.dirichlet(np.ones(K), TYPES) + 0.2 / K
        self.wrong_model = rng.uniform(0.05, 0.4, (TYPES, K))
        self.value = float((self.target * self.click).sum(axis=1).mean())

    def log(self, rng: np.random.Generator, n: int) -> tuple[LoggedFeedback, Ints]:
        """Logged rows and the kind of each."""
        kind = rng.integers(TYPES, size=n)
        probs = self.behavior[kind]
        action = decide(probs, rng)
        click = (rng.random(n) < self.click[kind, action]).astype(float)
        return feedback(probs, action, click), kind


def feedback(probs: Floats, action: Ints, reward: Floats) -> LoggedFeedback:
    """A log of these distributions, choices and rewards; candidate j is variant j."""
    n, k = probs.shape
    return LoggedFeedback(
        timestamp=np.datetime64("2026-01-01", "us") + np.arange(n).astype("timedelta64[s]"),
        shopper=np.arange(n),
        product=np.zeros(n, dtype=np.int64),
        position=np.ones(n, dtype=np.int64),
        candidates=np.tile(np.arange(k, dtype=np.int32), (n, 1)),
        action_probs=probs,
        action=action,
        click=reward,
        conversion=np.zeros(n),
        value=np.zeros(n),
        reward=reward,
        policy="test",
    )
