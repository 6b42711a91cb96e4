"""The one handle on the truth of a copy-selection environment, for regret and checks.

No observation, reward or info holds what it tells, so a policy that is not handed an `Oracle` cannot see it.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from copybandit.envs.copy_selection import CopySelectionEnv
from copybandit.envs.copy_selection_vector import CopySelectionVectorEnv
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.visits import Reward


class Oracle:
    """What each copy of the visits at hand is worth, and which purchases are still on their way.

    Shapes are those of a vector environment of n rows; a single environment has no first axis. The oracle looks at visits
    one by one and does not plan for fatigue or leaving.

    Args:
        env: a copy-selection environment, single or vector, wrapped or not; it is not changed.

    Raises:
        DataError: it is another environment.
    """

    def __init__(self, env: gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
        inner = env.unwrapped
        if not isinstance(inner, (CopySelectionEnv, CopySelectionVectorEnv)):
            raise DataError(
                f"oracle: needs a copy-selection environment, got {type(inner).__name__}; "
                "make one with gymnasium.make or make_vec"
            )
        self._who = inner._visitor if isinstance(inner, CopySelectionEnv) else inner._crowd
        self._season, self._reward = inner._season, inner._reward

    def expected_click(self) -> Floats:
        """True chance of a click on each copy, shape (n, k); 0 where absent."""
        return self._who.expected_click()

    def expected_reward(self, reward: Reward | None = None) -> Floats:
        """True expectation of the reward of each copy, shape (n, k); 0 where absent.

        Args:
            reward: of which kind; the environment's own by default. A purchase counts whenever it becomes known, "value" in
                the shop's currency.
        """
        kind = self._reward if reward is None else reward
        if kind == "click":
            return self.expected_click()
        bought = self._who.expected_purchase()
        if kind == "conversion":
            return bought
        price = np.asarray(self._season.price.take(self._who.product))
        return np.asarray(bought * price[..., None])

    def bought(self) -> Bools:
        """Whether the visits answered last led to a purchase, known or not, shape (n,); False in a new episode."""
        return np.array(self._who.bought)

    def waiting(self) -> Ints:
        """Purchases that have not become known, shape (n,)."""
        return np.array(self._who.waiting, dtype=np.int64)
