"""The feedback that a window holds, piece by piece as it came, and as arrays that can be saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.batch_rows import join, take
from copybandit.agents.ragged import array_of, packed, unpacked
from copybandit.agents.stateful import Arrays
from copybandit.sim.types import Bools, DataError, Floats, Ints

REQUESTS: dict[str, tuple[int, type[np.number[Any]]]] = {
    "context": (2, np.float64),
    "candidates": (2, np.int32),
    "state": (3, np.float64),
    "time": (1, np.float64),
}
"""Axes and type of each array of a batch that is its own."""
ANSWERS: dict[str, tuple[int, type[np.number[Any]]]] = {
    "column": (1, np.int64),
    "reward": (1, np.float64),
    "weight": (1, np.float64),
    "block": (1, np.int64),
}
"""The same of what was told of it."""
NAMES = {name for one in ("actions", *REQUESTS, *ANSWERS) for name in (one, f"{one}.shape")} | {"table"}


@dataclass(frozen=True, kw_only=True)
class Told:
    """Feedback that came in one piece, with the block of each row, shape (n,)."""

    batch: Batch
    column: Ints
    reward: Floats
    weight: Floats
    block: Ints

    @classmethod
    def of(cls, batch: Batch, column: Ints, reward: Floats, weight: Floats, block: Ints) -> Told:
        """One whose numbers are of the types that a file keeps, so that they are learned again as they were."""
        rows = {name: np.asarray(getattr(batch, name), dtype) for name, (_, dtype) in REQUESTS.items()}
        return cls(
            batch=Batch.unchecked(actions=np.asarray(batch.actions, np.float64), **rows),
            column=np.asarray(column, np.int64),
            reward=np.asarray(reward, np.float64),
            weight=np.asarray(weight, np.float64),
            block=block,
        )

    def rows(self, kept: Bools) -> Told:
        """Some rows of it."""
        return Told(
            batch=take(self.batch, kept),
            column=self.column[kept],
            reward=self.reward[kept],
            weight=self.weight[kept],
            block=self.block[kept],
        )

    def faded(self, keep: float, variants: Ints | None) -> Told:
        """Its rows, or those that showed these variants, at so much of their weight; what has none left is gone."""
        mine = np.ones(len(self.block), dtype=np.bool_)
        if variants is not None:
            mine = np.isin(self.batch.shown(self.column), variants)
        weight = np.where(mine, keep * self.weight, self.weight)
        return replace(self, weight=weight).rows(weight > 0)


def packed_pieces(pieces: Sequence[Told]) -> Arrays:
    """Pieces as arrays: those of their rows one after the other, equal tables of ``actions`` once, and whose each is."""
    tables: list[Floats] = []
    places: dict[int, int] = {}
    for piece in pieces:
        actions = piece.batch.actions
        if id(actions) not in places:
            same = (place for place, one in enumerate(tables) if np.array_equal(one, actions))
            places[id(actions)] = place = next(same, len(tables))
            tables += [actions] if place == len(tables) else []
    found = packed("actions", tables, 2, np.float64)
    found["table"] = np.array([places[id(piece.batch.actions)] for piece in pieces], dtype=np.int64)
    for name, (dims, dtype) in REQUESTS.items():
        found |= packed(name, [getattr(piece.batch, name) for piece in pieces], dims, dtype)
    for name, (dims, dtype) in ANSWERS.items():
        found |= packed(name, [getattr(piece, name) for piece in pieces], dims, dtype)
    return found


def unpacked_pieces(state: Arrays) -> list[Told]:
    """The pieces that `packed_pieces` packed.

    Raises:
        DataError: an array is missing or damaged, or the rows are no feedback.
    """
    tables = unpacked("actions", state, 2, np.float64)
    for table in tables:
        table.flags.writeable = False  # checked once, not with every piece
    of = array_of(state, "table")
    requests = {name: unpacked(name, state, *form) for name, form in REQUESTS.items()}
    answers = {name: unpacked(name, state, *form) for name, form in ANSWERS.items()}
    counts = {len(of), *(len(pieces) for pieces in (requests | answers).values())}
    if of.dtype != np.int64 or of.ndim != 1 or len(counts) > 1 or (len(of) and not _are_places(of, tables)):
        raise DataError(
            f"state: array table must name one of {len(tables)} actions for each piece, got {of.dtype}{of.shape} for "
            f"{sorted(counts)} pieces; load a whole state"
        )
    return [
        _piece(
            Batch(actions=tables[table], **{name: pieces[place] for name, pieces in requests.items()}),
            {name: pieces[place] for name, pieces in answers.items()},
        )
        for place, table in enumerate(of.tolist())
    ]


def _are_places(of: Ints, tables: Sequence[Floats]) -> bool:
    return bool(of.min() >= 0 and of.max() < len(tables))


def _piece(batch: Batch, answers: Arrays) -> Told:
    check_feedback(batch, answers["column"], answers["reward"], answers["weight"])
    if answers["block"].shape != (len(batch),) or not (answers["weight"] > 0).all():
        raise DataError(
            f"state: array block must have a number for each of {len(batch)} rows, and weight be above 0, got "
            f"{answers['block'].shape}; load a whole state"
        )
    return Told(batch=batch, **answers)


def joined_pieces(pieces: Sequence[Told]) -> list[Told]:
    """The rows of pieces that have the same features, each as one piece."""
    alike: dict[tuple[int, int, int], list[Told]] = {}
    for piece in pieces:
        batch = piece.batch
        form = id(batch.actions), batch.context.shape[1], batch.state.shape[2]
        alike.setdefault(form, []).append(piece)
    return [
        Told(
            batch=join([one.batch for one in group]),
            **{name: np.concatenate([getattr(one, name) for one in group]) for name in ANSWERS},
        )
        for group in alike.values()
    ]
