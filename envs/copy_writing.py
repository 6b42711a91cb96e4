"""Writing copy as a Gymnasium environment: one step is one piece of copy for one brief, the action the text itself.

Every episode has one step. It lives the life of the row of `copybandit.envs.copy_writing_vector` with its seed.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from copybandit.envs.arguments import new_keys
from copybandit.envs.writing_desk import RENDER_MODES, Observation, Piece, WritingDesk, desk_from, draw
from copybandit.sim.desk import Desk
from copybandit.sim.draws import words_of
from copybandit.sim.types import DataError


class CopyWritingEnv(gymnasium.Env[Observation, str]):
    """A brief names a product and the shoppers who will read; the agent writes a line of copy for it.

    An observation holds what the shop knows in numbers, float32: ``product`` and ``segment``, shape (d,), the product and
    the lean of the segment's shoppers in one space of tastes; ``price``, shape (1,), log of the price. ``info`` holds
    ``cell`` (index of the brief), ``brief`` (the `Brief`) and ``reference`` (copy that earns 0), and after the step
    ``text`` and the parts of the score, such as ``match``, ``wording``, ``doubt`` and ``refused``.

    The reward is the score's: for `CopyReward` the lower bound of the gain over the reference copy in log-odds, averaged
    over the segment. A text outside the action space (too long, a foreign character) earns `copy_reward.VETO`.

    Args:
        desk: briefs and score, such as `CellReward.desk` of a fitted shop, whose editor refuses what is not true; or the
            seed of a small drawn desk, which refuses only copy that does not name the product.
        render_mode: None, "rgb_array" or "ansi".

    Raises:
        DataError: an argument is out of range.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 1}  # noqa: RUF012

    def __init__(self, desk: Desk | int = 0, *, render_mode: str | None = None) -> None:
        self._desk, self.render_mode = WritingDesk(desk_from(desk, render_mode)), render_mode
        self.action_space = self._desk.action_space
        self.observation_space = self._desk.observation_space
        self._key: np.uint64 | None = None
        self._number, self._cell, self._over = 0, 0, True
        self._piece: Piece | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """The next brief, drawn evenly.

        Args:
            seed: begins the draws anew; the same seed gives the same briefs.
            options: ``cell`` asks for the brief of an index instead.

        Raises:
            DataError: an option is unknown or out of range.
        """
        super().reset(seed=seed)
        asked = _asked(options or {}, len(self._desk.desk))
        if seed is not None or self._key is None:
            self._key, self._number = new_keys(self.np_random, 1)[0], 0
        word = words_of(np.array([self._key], dtype=np.uint64), np.array([self._number]))[0, 0]
        self._number += 1
        self._cell = int(word) * len(self._desk.desk) >> 32 if asked is None else asked
        self._over, self._piece = False, self._desk.blank(self._cell)
        return self._desk.observe(self._cell), self._piece.facts(self._cell)

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hand in copy for the brief at hand, which ends the episode; the observation is the same brief's.

        Raises:
            ResetNeeded: the episode has not begun or is over.
            DataError: the action is no text.
        """
        if self._over:
            raise ResetNeeded("CopyWriting: the episode is over or has not begun; call reset() first")
        (piece,) = self._desk.marked(np.array([self._cell]), [action])
        self._over, self._piece = True, piece
        return (
            self._desk.observe(self._cell),
            piece.reward,
            True,
            False,
            piece.facts(self._cell) | piece.marks(),
        )

    def render(self) -> Any:
        """The brief at hand, or the copy handed in last; pixels of shape (400, 800, 3), or text."""
        if self.render_mode is None or self._piece is None:
            raise ResetNeeded(
                "CopyWriting: nothing to draw; make it with a render_mode and call reset() first"
            )
        return draw(self._piece, self.render_mode)


def _asked(options: dict[str, Any], n: int) -> int | None:
    """Index of the brief that reset options ask for."""
    if unknown := sorted(set(options) - {"cell"}):
        raise DataError(f"CopyWriting: unknown reset option {unknown[0]!r}; there is only cell")
    cell = options.get("cell")
    if cell is None:
        return None
    if not isinstance(cell, (int, np.integer)) or not 0 <= cell < n:
        raise DataError(f"CopyWriting: cell must be a whole number in [0, {n}), got {cell!r:.40}; correct it")
    return int(cell)
