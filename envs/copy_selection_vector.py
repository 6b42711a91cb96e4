"""Many copies of the shop environment in one: every step is a handful of array operations, with no object per shopper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

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
from copybandit.envs.report import Facts, Report, told
from copybandit.envs.window import Observation, Window
from copybandit.sim.crowd import ALL, Answer, Crowd
from copybandit.sim.effects import Effects
from copybandit.sim.season import Plan
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.visits import Reward

Stepped = tuple[Observation, Floats, Bools, Bools, dict[str, Any]]


class CopySelectionVectorEnv(VectorEnv[Observation, Ints, NDArray[Any]]):
    """Row i lives the life of a `CopySelectionEnv` with its seed: the same numbers, bit for bit.

    Observations, rewards and infos are those of the single environment with a first axis over the rows, in arrays of their
    own. As in Gymnasium, ``infos["_key"]`` says which rows have ``infos["key"]``; the others hold 0.

    Args:
        num_envs: rows.
        shop, effects, plan, reward, render_mode: see `CopySelectionEnv`.
        autoreset_mode: "NextStep" resets a row in the step after its end, whose action is then ignored; "SameStep" in the
            same step, leaving the end in ``infos["final_obs"]`` and ``infos["final_info"]``; "Disabled" leaves it to
            ``reset(options={"reset_mask": mask})``.

    Raises:
        DataError: an argument is out of range.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": list(RENDER_MODES),
        "render_fps": 2,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        shop: Shop = 0,
        *,
        effects: Effects | None = None,
        plan: Plan | None = None,
        reward: Reward = "click",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        check_arguments(num_envs, reward, render_mode)
        self._season = season_of(shop, effects, plan)
        self._window, self._crowd = Window(self._season), Crowd(self._season, num_envs)
        self._mode, self._reward = _mode(autoreset_mode), reward
        self._report = Report(self._season)
        self.metadata = {**self.metadata, "autoreset_mode": self._mode}
        self.num_envs, self.render_mode = num_envs, render_mode
        self.single_action_space = self._window.action_space
        self.single_observation_space = self._window.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._everybody, self._all = np.arange(num_envs), np.ones(num_envs, dtype=np.bool_)
        self._keyed = False
        self._over = self._all.copy()
        self._scenes: list[Scene] = []

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin episodes of all rows, or of those in a mask.

        Args:
            seed: of row 0, the others counting up from it, or one for each row; None goes on with the draws of the row.
            options: ``shopper`` and ``day`` as for the single environment, one for all or one for each row that is
                reset; ``reset_mask``, bool of shape (num_envs,), resets some rows.

        Raises:
            DataError: seeds or options do not fit.
        """
        options = dict(options or {})
        mask = self._masked(options.pop("reset_mask", None))
        seed = int(seed) if isinstance(seed, np.integer) else seed
        rows = self._everybody if mask is self._all else np.flatnonzero(mask)
        start = starts(options, self._season, len(rows))
        super().reset(seed=seed if isinstance(seed, int) else None)
        self._seed(seed, mask)
        self._crowd.begin(rows, *start)
        self._crowd.arrive(ALL if mask is self._all else rows)
        self._over[rows] = False
        if self.render_mode:
            self._scenes = self._at_hand()
        return self._window.batch(self._crowd), told(self._report.at_hand(self._crowd), mask)

    def _masked(self, mask: NDArray[np.bool_] | None) -> Bools:
        if mask is None:
            return self._all
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise DataError(
                f"CopySelection: reset_mask must be a bool array of shape ({self.num_envs},), got "
                f"{getattr(mask, 'dtype', type(mask).__name__)} of shape {np.shape(mask)}; correct it"
            )
        if not mask.any() or (not self._keyed and not mask.all()):
            raise DataError(
                "CopySelection: reset_mask must have a row, and all of them the first time, got "
                f"{int(mask.sum())} of {self.num_envs}; call reset() without a mask first"
            )
        return mask

    def _seed(self, seed: int | Sequence[int | None] | None, mask: Bools) -> None:
        """Give rows the keys that single environments with their seeds would draw."""
        crowd = self._crowd
        if not self._keyed:
            crowd.seed(self._everybody, new_keys(self.np_random, self.num_envs))
            self._keyed = True
        if seed is None:
            return
        seeds = [int(seed) + row for row in range(self.num_envs)] if isinstance(seed, int) else list(seed)
        if len(seeds) != self.num_envs:
            raise DataError(
                f"CopySelection: seeds must be one for each of {self.num_envs} environments, got {len(seeds)}; "
                "pass one number to count up from"
            )
        seeded = [row for row, own in enumerate(seeds) if own is not None and mask[row]]
        # The one loop over rows: Gymnasium makes a generator for each seed, and keys are drawn from those.
        keys = [new_keys(seeding.np_random(seeds[row])[0], 1)[0] for row in seeded]
        crowd.seed(np.array(seeded, dtype=np.int64), np.array(keys, dtype=np.uint64))

    def step(self, actions: Ints) -> Stepped:
        """Show a copy in every row; observations are of the next visits.

        Raises:
            ResetNeeded: a row has not begun, or is over and resets are not automatic.
            DataError: a column is out of range or its copy is absent.
        """
        over = self._over
        again = over.any()
        if again and (not self._keyed or self._mode != AutoresetMode.NEXT_STEP):
            raise ResetNeeded(
                f"CopySelection: environment {int(over.argmax())} is over or has not begun; reset it first"
            )
        column = self._checked(self._ignoring(actions, over) if again else actions)
        scenes = self._at_hand() if self.render_mode else None
        answer = self._crowd.show(column)
        happened = self._report.answered(column, answer)
        reward, left, truncated = happened[self._reward].copy(), answer.left, self._used_up(answer)
        if again:
            rows = np.flatnonzero(over)
            self._crowd.begin(rows)
            reward[rows], left[rows], truncated[rows] = 0, False, False
        self._over = left | truncated
        self._crowd.arrive()
        if scenes is not None:
            self._scenes = _answered(scenes, column, answer, over, self._at_hand())
        if self._mode == AutoresetMode.SAME_STEP and self._over.any():
            observation, infos = self._begin_again(happened)
        else:
            answered = told(happened, ~over if again else self._all)
            infos = told(self._report.at_hand(self._crowd), self._all) | answered
            observation = self._window.batch(self._crowd)
        return observation, reward, left, truncated, infos

    def _used_up(self, answer: Answer) -> Bools:
        """Who has had all visits without leaving."""
        return np.asarray((self._crowd.visit >= self._season.plan.visits) & ~answer.left)

    def _checked(self, actions: Any) -> Ints:
        crowd, k = self._crowd, self._season.cluster.shape[1]
        column = checked_columns(actions, self.num_envs, k)
        if self._season.gaps:
            open_here = self._season.present.take(crowd.product * k + column)
            if not open_here.all():
                row = int(open_here.argmin())
                raise DataError(
                    f"CopySelection: environment {row} shows column {column[row]}, which is absent; see action_mask"
                )
        return column

    def _ignoring(self, actions: Any, over: Bools) -> Any:
        """Rows that are reset in this step take any action."""
        actions = np.asarray(actions)
        if actions.shape != over.shape:
            return actions
        return np.where(over, self._season.first_present.take(self._crowd.product), actions)

    def _begin_again(self, happened: Facts) -> tuple[Observation, dict[str, Any]]:
        """Put the ends of episodes into infos, and begin new ones in the same step."""
        crowd, over = self._crowd, self._over
        rows = np.flatnonzero(over)
        observation, last = self._window.batch(crowd), self._report.at_hand(crowd) | happened
        final = np.full(self.num_envs, None, dtype=object)
        for row in rows.tolist():
            # Gymnasium wants an observation of its own for every row that ended.
            final[row] = {name: values[row].copy() for name, values in observation.items()}
        ends = told({name: values.copy() for name, values in last.items()}, over)
        infos = {"final_obs": final, "_final_obs": over, "final_info": ends, "_final_info": over}
        crowd.begin(rows)
        crowd.arrive(rows)
        for name, values in self._window.batch(crowd, rows).items():
            observation[name][rows] = values
        self._over = np.zeros_like(over)
        return observation, infos | told(self._report.at_hand(crowd), self._all) | told(happened, ~over)

    def _at_hand(self) -> list[Scene]:
        """The visits at hand; a picture is of one visit, so that there is no batch of them."""
        crowd, scene = self._crowd, self._window.scene
        columns = np.stack([crowd.shopper, crowd.cell, crowd.visit, crowd.tick, crowd.place], axis=1)
        return [scene(*row) for row in columns.tolist()]

    def action_masks(self) -> Bools:
        """Which copies of the visits at hand may be shown, shape (num_envs, k)."""
        if not self._keyed:
            raise ResetNeeded("CopySelection: no visit yet; call reset() first")
        return self._season.front.present[self._crowd.product]

    def render(self) -> tuple[Any, ...] | None:
        """A picture or a text for each row; see `CopySelectionEnv.render`."""
        if self.render_mode is None or not self._scenes:
            raise ResetNeeded(
                "CopySelection: nothing to draw; make it with a render_mode and call reset() first"
            )
        return tuple(draw(scene, self.render_mode) for scene in self._scenes)


def _mode(mode: AutoresetMode | str) -> AutoresetMode:
    if mode not in {*AutoresetMode, *(known.value for known in AutoresetMode)}:
        raise DataError(
            f"CopySelection: autoreset_mode must be NextStep, SameStep or Disabled, got {mode!r}; choose one"
        )
    return AutoresetMode(mode)


def _answered(
    scenes: list[Scene], column: Ints, answer: Answer, over: Bools, fresh: list[Scene]
) -> list[Scene]:
    """Scenes with what was shown and clicked; fresh ones where a row was reset instead."""
    return [
        fresh[row] if over[row] else replace(scene, shown=int(column[row]), click=bool(answer.click[row]))
        for row, scene in enumerate(scenes)
    ]
