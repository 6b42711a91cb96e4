"""A decision book on disk, so that a restart loses no pending decision: `checkpoint_files` of its formula and all it holds.

A book that is loaded releases and refuses the same as the one that was saved, to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from copybandit.agents.checkpoint_files import read_checkpoint, write_checkpoint
from copybandit.agents.checkpoint_manifest import Lineage, Manifest
from copybandit.agents.decision_book import DecisionBook
from copybandit.agents.reward_formula import RewardFormula, RewardTerm
from copybandit.agents.stateful import Settings
from copybandit.sim.types import DataError

NAME = "decision_book"
"""What the manifest says it is."""


def save_book(book: DecisionBook, folder: Path, *, created: datetime, parent: str | None = None) -> Manifest:
    """Write a book in the place of the one that the folder holds.

    Args:
        book: to keep.
        folder: made where there is none; not that of a policy.
        created: the time now.
        parent: sha256 of the book that it went on from.

    Returns:
        The manifest that was written.

    Raises:
        OSError: it could not be written; the book before is still there.
    """
    lineage = Lineage(rows=len(book), created=created.isoformat(), parent=parent)
    settings = {"horizon_days": book.horizon_days, "formula": _told(book.formula)}
    return write_checkpoint(folder, NAME, settings, book.get_state(), lineage)


def load_book(folder: Path) -> DecisionBook:
    """The book of a folder.

    Raises:
        DataError: there is none, or it is damaged; the message names the remedy.
    """
    manifest, tensors = read_checkpoint(folder)
    if manifest.policy != NAME:
        raise DataError(
            f"{folder}: must hold a decision book, got policy {manifest.policy!r}; load it by load_policy"
        )
    try:
        book = DecisionBook(
            _formula(manifest.settings["formula"]), horizon_days=manifest.settings["horizon_days"]
        )
        book.set_state(tensors)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error
    except (KeyError, TypeError) as error:
        told = " ".join(str(error).split())
        raise DataError(
            f"{folder}: settings must be horizon_days and formula, got {told}; save the book again"
        ) from error
    return book


def _told(formula: RewardFormula) -> Settings:
    """A formula as JSON has it, which knows no infinity."""
    terms = [
        {**asdict(term), "within_days": term.within_days if math.isfinite(term.within_days) else None}
        for term in formula.terms
    ]
    return {**asdict(formula), "terms": terms}


def _formula(told: Settings) -> RewardFormula:
    """What `_told` told."""
    terms = [
        RewardTerm(
            **{**term, "within_days": math.inf if term["within_days"] is None else term["within_days"]}
        )
        for term in told["terms"]
    ]
    return RewardFormula(**{**told, "terms": tuple(terms)})
