"""Forgetting toward the start: what a learner holds shrinks back to what it held before any feedback.

    statistic <- keep * statistic + (1 - keep) * start

For a Gaussian posterior this is posterior^keep * prior^(1 - keep): doubt grows, and never beyond that of the prior. Old
feedback fades while the warm start does not (Raj & Kalyani, arXiv 1707.09727, and Russac, Vernade, Cappe, NeurIPS 2019,
with the prior put back). Asked of some variants alone, only what is their own fades.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from copybandit.agents.batch import Batch, Learner
from copybandit.sim.types import DataError, Floats, Ints


class Forgetful(Learner, Protocol):
    """A learner that can forget. One that has learned nothing has nothing to forget."""

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what was learned toward the start.

        Args:
            keep: share of it that stays, in [0, 1]; 1 changes nothing, 0 is exactly the start.
            variants: shape (v,), distinct; what these variants have of their own. None is everything.

        Raises:
            DataError: keep is out of range, or a variant has no place.
        """
        ...


def check_forget(keep: float, variants: Ints | None, n_actions: int) -> None:
    """Refuses what cannot be forgotten.

    Raises:
        DataError: keep is outside [0, 1], or a variant outside [0, n_actions).
    """
    if not 0 <= keep <= 1:
        raise DataError(f"forget: keep must be in [0, 1], got {keep}; give the share that stays")
    if variants is None or not len(variants):
        return
    if variants.min() < 0 or variants.max() >= n_actions:
        raise DataError(
            f"forget: variants must be in [0, {n_actions}), got {variants.min()} to {variants.max()}; use "
            "variant indices"
        )


def fade(statistic: Floats, start: Floats | float, keep: float, variants: Ints | None) -> None:
    """Shrinks one statistic per variant in place; its first axis is over variants, as is that of ``start``."""
    rows = slice(None) if variants is None else variants
    first = start[rows] if isinstance(start, np.ndarray) else start
    statistic[rows] = keep * statistic[rows] + (1 - keep) * first


def rehearse(policy: Learner, batch: Batch, column: Ints, reward: Floats) -> None:
    """Lets a learner refuse feedback before anything is changed: rows of no weight are checked like any others."""
    policy.update(batch, column, reward, np.zeros(len(batch)))
