"""The shop as a Gymnasium environment: one step is one visit of a shopper, the action which copy to show.

It lives the life of the row of `copybandit.envs.copy_selection_vector` with its seed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from copybandit.envs.arguments import (
    RENDER_MODES,
    Shop,
    check_arguments,
    checked_columns,
    new_keys,
    season_of,
    starts,
)
from copybandit.envs.picture import Scene, draw
from copybandit.envs.report import Report
from copybandit.envs.window import Observation, Window
from copybandit.sim.effects import Effects
from copybandit.sim.season import Plan
from copybandit.sim.types import Bools, DataError
from copybandit.sim.visitor import Visitor
from copybandit.sim.visits import Reward


class CopySelectionEnv(gymnasium.Env[Observation, np.int64]):
    """A shopper visits again and again until leaving; each time the agent chooses one of k copies of a product.

    An observation holds only what a shop may know (float32, but for the mask):

    - ``shopper``, ``product``: shape (d,), the shop's estimate of the taste, and the product in the same space.
    - ``context``: shape (1,), the interest that the shop believes this shopper has in the product, in log-odds.
    - ``candidates``: shape (k, q), features of the copies; 0 where absent.
    - ``prior``: shape (k,), click probabilities that the shop believes in, rested, at the first place.
    - ``exposure``, ``cluster_exposure``: shape (k,), remembered exposures to each copy and to its cluster.
    - ``position``: shape (1,), place on the page, 1 is the first; ``time``: shape (1,), days since the season began.
    - ``action_mask``: shape (k,) int8, 1 where a copy is present; it fits ``action_space.sample(mask)``.

    The episode terminates when the shopper leaves for good and is truncated after `Plan.visits` visits. ``info`` holds
    ``shopper``, ``product``, ``visit`` and ``day`` of the visit at hand, and after a step ``shown``, ``click``,
    ``conversion`` and ``value`` (what became known now) and ``arrived`` (1 at a where a purchase of a visits ago became
    known). Purchases under way when an episode ends never become known. The truth is told by `copybandit.envs.oracle.Oracle`
    alone.

    Args:
        shop: a storefront (see `storefront_of` for one over a `Shop`), a season made of one, whose tables are then
            shared, or the seed of a small drawn shop.
        effects: sizes of the effects; `Effects()` by default.
        plan: calendar; `Plan()` by default.
        reward: "click", or "conversion" or "value" of the purchases that become known.
        render_mode: None, "rgb_array" or "ansi".

    Raises:
        DataError: an argument is out of range.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 2}  # noqa: RUF012

    def __init__(
        self,
        shop: Shop = 0,
        *,
        effects: Effects | None = None,
        plan: Plan | None = None,
        reward: Reward = "click",
        render_mode: str | None = None,
    ) -> None:
        check_arguments(1, reward, render_mode)
        self._season = season_of(shop, effects, plan)
        self._window, self._visitor = Window(self._season), Visitor(self._season)
        self._report = Report(self._season)
        self._reward, self.render_mode = reward, render_mode
        self.action_space = self._window.action_space
        self.observation_space = self._window.observation_space
        self._k, self._keyed, self._over = self._season.cluster.shape[1], False, True
        self._scene: Scene | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode with a shopper who remembers nothing.

        Args:
            seed: begins the draws anew; the same seed gives the same episodes.
            options: ``shopper`` (index) and ``day`` (of the first visit) replace what is otherwise drawn.

        Raises:
            DataError: an option is unknown or out of range.
        """
        super().reset(seed=seed)
        visitor = self._visitor
        shopper, tick = starts(options or {}, self._season, 1)
        if seed is not None or not self._keyed:
            visitor.seed(int(new_keys(self.np_random, 1)[0]))
            self._keyed = True
        visitor.begin(None if shopper is None else int(shopper[0]), None if tick is None else int(tick[0]))
        visitor.arrive()
        self._over = False
        if self.render_mode:
            self._scene = self._at_hand()
        return self._window.one(visitor), self._report.at_hand_of_one(visitor)

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Show the copy in column `action`; the observation returned is the next visit's.

        Raises:
            ResetNeeded: the episode has not begun or is over.
            DataError: the column is out of range or its copy is absent; see `action_masks`.
        """
        if self._over:
            raise ResetNeeded("CopySelection: the episode is over or has not begun; call reset() first")
        visitor, column = self._visitor, self._checked(action)
        scene = self._at_hand() if self.render_mode else None
        answer = visitor.show(column)
        happened = self._report.answered_by_one(column, answer)
        terminated, truncated = answer.left, not answer.left and visitor.visit >= self._season.plan.visits
        self._over = terminated or truncated
        visitor.arrive()
        if scene is not None:
            self._scene = replace(scene, shown=column, click=answer.click)
        observation = self._window.one(visitor)
        facts = self._report.at_hand_of_one(visitor) | happened
        return observation, happened[self._reward], terminated, truncated, facts

    def _checked(self, action: Any) -> int:
        if not isinstance(action, (int, np.integer)) or not 0 <= action < self._k:
            checked_columns(np.array([action]), 1, self._k)
        column = int(action)
        if not self._season.present[self._visitor.product, column]:
            raise DataError(
                f"CopySelection: environment 0 shows column {column}, which is absent; see action_mask"
            )
        return column

    def action_masks(self) -> Bools:
        """Which copies of the visit at hand may be shown, shape (k,)."""
        if not self._keyed:
            raise ResetNeeded("CopySelection: no visit yet; call reset() first")
        return np.array(self._season.front.present[self._visitor.product])

    def _at_hand(self) -> Scene:
        v = self._visitor
        return self._window.scene(v.shopper, int(v.cell[0]), v.visit, v.tick, v.place)

    def render(self) -> Any:
        """The visit answered last, or the first one after a reset; pixels of shape (400, 800, 3), or text."""
        if self.render_mode is None or self._scene is None:
            raise ResetNeeded(
                "CopySelection: nothing to draw; make it with a render_mode and call reset() first"
            )
        return draw(self._scene, self.render_mode)
