"""What the copy-writing environments share: spaces, observations, marks for texts, and the picture of a piece of copy."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from copybandit.envs.picture import as_bars
from copybandit.sim.copy_reward import VETO
from copybandit.sim.desk import Desk
from copybandit.sim.drawn_desk import draw_desk
from copybandit.sim.types import Brief, DataError, Ints

MAX_LENGTH = 140
"""Characters of the longest copy, as many as the editor allows."""
CHARSET = (
    string.ascii_letters + string.digits + string.punctuation + " " + "’‘“”…–—·•éèêáàâäöüóòôñçßÉÄÖÜ£€°×&"
)
"""Characters of copy; anything else is refused."""
LIMIT = 100.0
"""Features are clipped to this size, so that the spaces are finite."""
RENDER_MODES = ("rgb_array", "ansi")
Observation = dict[str, NDArray[Any]]


def text_space() -> spaces.Text:
    """Copy of 1 to `MAX_LENGTH` characters of `CHARSET`."""
    return spaces.Text(MAX_LENGTH, charset="".join(dict.fromkeys(CHARSET)))


def desk_from(desk: Desk | int, render_mode: str | None) -> Desk:
    """The desk that the arguments of an environment ask for.

    Raises:
        DataError: the desk is something else, or the render mode is unknown.
    """
    if render_mode not in (None, *RENDER_MODES):
        raise DataError(
            f"CopyWriting: render_mode must be None or in {RENDER_MODES}, got {render_mode!r}; choose one"
        )
    if isinstance(desk, Desk):
        return desk
    if isinstance(desk, int) and not isinstance(desk, bool) and desk >= 0:
        return draw_desk(desk)
    raise DataError(
        f"CopyWriting: desk must be a Desk or a seed of at least 0, got {desk!r:.60}; see copybandit.sim.desk"
    )


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A brief and, once written, its copy with the marks it got; `parts` holds the score's components by name."""

    brief: Brief
    reference: str
    text: str | None = None
    reward: float = 0.0
    parts: tuple[tuple[str, float], ...] = ()

    def facts(self, cell: int) -> dict[str, Any]:
        """What `info` says of the brief."""
        return {"cell": cell, "brief": self.brief, "reference": self.reference}

    def marks(self) -> dict[str, Any]:
        """What `info` says of the copy."""
        return {"text": self.text, **dict(self.parts)}


class WritingDesk:
    """A desk ready to be asked, by index of the brief.

    Args:
        desk: cells and score; not changed.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk, self.action_space = desk, text_space()
        price = np.log([[brief.product.price] for brief in desk.briefs])
        self._features = {
            name: np.clip(np.asarray(values, dtype=np.float32), -LIMIT, LIMIT)
            for name, values in (("product", desk.product), ("segment", desk.segment), ("price", price))
        }
        self.observation_space = spaces.Dict(
            {
                name: spaces.Box(-LIMIT, LIMIT, values.shape[1:], np.float32)
                for name, values in self._features.items()
            }
        )

    def observe(self, cell: Ints | int) -> Observation:
        """Features of briefs in fresh arrays, with a first axis for an array of them."""
        return {name: values[cell].copy() for name, values in self._features.items()}

    def blank(self, cell: int) -> Piece:
        """A brief without copy."""
        return Piece(brief=self.desk.briefs[cell], reference=self.desk.references[cell])

    def marked(self, cell: Ints, texts: list[str]) -> list[Piece]:
        """Copy with its marks; a text outside the action space is refused without a look at it.

        Raises:
            DataError: a text is no string.
        """
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(
                    f"CopyWriting: copy must be text, got {type(text).__name__} for environment {row}; write a string"
                )
        fits = np.array([self.action_space.contains(text) for text in texts])
        shown = [
            text if fit else self.desk.references[index]
            for text, fit, index in zip(texts, fits.tolist(), cell.tolist(), strict=True)
        ]
        scored = self.desk.score(cell, shown)
        reward = np.where(fits, scored.total, VETO)
        parts = {
            name: np.where(fits, values, 1.0 if name == "refused" else 0.0)
            for name, values in scored.components
        }
        return [
            Piece(
                brief=self.desk.briefs[index],
                reference=self.desk.references[index],
                text=texts[row],
                reward=float(reward[row]),
                parts=tuple((name, float(values[row])) for name, values in parts.items()),
            )
            for row, index in enumerate(cell.tolist())
        ]


def draw(piece: Piece, render_mode: str) -> NDArray[np.uint8] | str:
    """A piece of copy in a render mode, "rgb_array" of shape (400, 800, 3) or "ansi"."""
    readers = ", ".join(piece.brief.segment.interests) if piece.brief.segment else ""
    product = piece.brief.product
    title = f"{product.name} ({product.category}, {product.price:.2f}) · for {readers or 'everybody'}"
    if piece.text is None:
        verdict = "waiting for copy"
    elif dict(piece.parts).get("refused"):
        verdict = f"refused, {piece.reward:+.3f}"
    else:
        verdict = f"{piece.reward:+.3f} log-odds over the reference"
    if render_mode == "rgb_array":
        copy = f"reference: {piece.reference}" if piece.text is None else piece.text
        return as_bars(f"{title}\n{copy}\n{verdict}", _bars(piece))
    parts = "  ".join(f"{name} {value:+.3f}" for name, value in piece.parts)
    lines = [
        title,
        f"  reference  {piece.reference}",
        f"  written    {piece.text or '-'}",
        f"  {verdict}  {parts}",
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _bars(piece: Piece) -> list[tuple[str, float]]:
    """What the reward adds up from, and the reward; nothing before there is copy."""
    if piece.text is None:
        return []
    parts = [(name, value) for name, value in piece.parts if name != "refused"]
    signed = [("less doubt", -value) if name == "doubt" else (name, value) for name, value in parts]
    return [*signed, ("reward", piece.reward)]
