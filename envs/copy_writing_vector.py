"""Many writers' desks in one environment: the texts of a step are scored together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from copybandit.envs.arguments import new_keys
from copybandit.envs.writing_desk import RENDER_MODES, Observation, Piece, WritingDesk, desk_from, draw
from copybandit.sim.desk import Desk
from copybandit.sim.draws import words_of
from copybandit.sim.types import Bools, DataError, Floats

Stepped = tuple[Observation, Floats, Bools, Bools, dict[str, Any]]


class CopyWritingVectorEnv(VectorEnv[Observation, Sequence[str], NDArray[Any]]):
    """Row i gets the briefs of a `CopyWritingEnv` with its seed, and the same rewards but for rounding in the last place.

    Episodes have one step, so every step ends them all and begins new ones ("SameStep"): observations and infos are of the
    next briefs, rewards of the texts just written, and ``infos["final_info"]`` holds what became of them.

    Args:
        num_envs: rows.
        desk, render_mode: see `CopyWritingEnv`.

    Raises:
        DataError: an argument is out of range.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": list(RENDER_MODES),
        "render_fps": 1,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(self, num_envs: int = 1, desk: Desk | int = 0, *, render_mode: str | None = None) -> None:
        super().__init__()
        if num_envs < 1:
            raise DataError(f"CopyWriting: num_envs must be at least 1, got {num_envs}; raise it")
        self._desk = WritingDesk(desk_from(desk, render_mode))
        self.num_envs, self.render_mode = num_envs, render_mode
        self.single_action_space = self._desk.action_space
        self.single_observation_space = self._desk.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._key: NDArray[np.uint64] | None = None
        self._number, self._cell = np.zeros((2, num_envs), dtype=np.int64)
        self._pieces: list[Piece] = []

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """The next brief of every row.

        Args:
            seed: of row 0, the others counting up from it, or one for each row; None goes on with the draws of the row.
            options: none are known.

        Raises:
            DataError: seeds do not fit, or there are options.
        """
        if options:
            raise DataError(f"CopyWriting: a vector takes no reset options, got {sorted(options)}; drop them")
        seed = int(seed) if isinstance(seed, np.integer) else seed
        super().reset(seed=seed if isinstance(seed, int) else None)
        if self._key is None:
            self._key = new_keys(self.np_random, self.num_envs)
        if seed is not None:
            self._seed([seed + row for row in range(self.num_envs)] if isinstance(seed, int) else list(seed))
        self._next()
        self._pieces = [self._desk.blank(cell) for cell in self._cell.tolist()]
        return self._desk.observe(self._cell), self._infos()

    def _seed(self, seeds: list[int | None]) -> None:
        """Give rows the keys that single environments with their seeds would draw."""
        assert self._key is not None
        if len(seeds) != self.num_envs:
            raise DataError(
                f"CopyWriting: seeds must be one for each of {self.num_envs} environments, got {len(seeds)}; "
                "pass one number to count up from"
            )
        for row, own in enumerate(seeds):
            if own is not None:
                self._key[row], self._number[row] = new_keys(seeding.np_random(own)[0], 1)[0], 0

    def _next(self) -> None:
        assert self._key is not None
        word = words_of(self._key, self._number)[:, 0].astype(np.int64)
        self._number += 1
        self._cell = word * len(self._desk.desk) >> 32

    def step(self, actions: Sequence[str]) -> Stepped:
        """Hand in copy for every row, and get the next briefs.

        Raises:
            ResetNeeded: there are no briefs yet.
            DataError: there is not one text for each row.
        """
        if not self._pieces:
            raise ResetNeeded("CopyWriting: no brief yet; call reset() first")
        if isinstance(actions, str) or len(actions) != self.num_envs:
            raise DataError(
                f"CopyWriting: actions must be {self.num_envs} texts, got {len(actions)}; write one for each row"
            )
        self._pieces = self._desk.marked(self._cell, list(actions))
        final = np.full(self.num_envs, None, dtype=object)
        for row, cell in enumerate(self._cell.tolist()):
            # Gymnasium wants an observation of its own for every row that ended.
            final[row] = self._desk.observe(cell)
        everybody = np.ones(self.num_envs, dtype=np.bool_)
        infos = {
            "final_obs": final,
            "final_info": self._infos(),
            "_final_obs": everybody,
            "_final_info": everybody,
        }
        reward = np.array([piece.reward for piece in self._pieces])
        self._next()
        blank = [self._desk.blank(cell) for cell in self._cell.tolist()]
        infos |= _columns([piece.facts(cell) for piece, cell in zip(blank, self._cell.tolist(), strict=True)])
        return self._desk.observe(self._cell), reward, everybody.copy(), np.zeros_like(everybody), infos

    def _infos(self) -> dict[str, Any]:
        """Facts of the briefs at hand, and marks where there is copy."""
        rows = [piece.facts(cell) for piece, cell in zip(self._pieces, self._cell.tolist(), strict=True)]
        marks = [piece.marks() if piece.text is not None else {} for piece in self._pieces]
        return _columns([row | mark for row, mark in zip(rows, marks, strict=True)])

    def render(self) -> tuple[Any, ...] | None:
        """The copy handed in last by each row, or the first briefs; see `CopyWritingEnv.render`."""
        if self.render_mode is None or not self._pieces:
            raise ResetNeeded(
                "CopyWriting: nothing to draw; make it with a render_mode and call reset() first"
            )
        return tuple(draw(piece, self.render_mode) for piece in self._pieces)


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Infos of a vector out of one of each row: arrays, and masks that say all rows have them."""
    found: dict[str, Any] = {}
    for name, first in rows[0].items():
        column = np.full(len(rows), None, dtype=object)
        column[:] = [row[name] for row in rows]
        number = isinstance(first, (int, float))
        found[name] = column.astype(type(first)) if number else column
        found[f"_{name}"] = np.ones(len(rows), dtype=np.bool_)
    return found
