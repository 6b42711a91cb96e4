"""Some requests out of a batch, and several batches as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from copybandit.agents.batch import ABSENT, Batch
from copybandit.sim.types import Bools, DataError, Ints


def take(batch: Batch, rows: Bools | Ints) -> Batch:
    """The requests of a mask (n,) or an index (r,), in that order."""
    return replace(
        batch,
        context=batch.context[rows],
        candidates=batch.candidates[rows],
        state=batch.state[rows],
        time=batch.time[rows],
    )


def join(batches: Sequence[Batch]) -> Batch:
    """One batch after the other; narrower ones are padded with absent candidates. ``actions`` are the longest.

    Raises:
        DataError: there is none, or they differ in context columns or state channels.
    """
    if not batches:
        raise DataError("join: needs at least one batch, got none; give one")
    widths = {(batch.context.shape[1], batch.state.shape[2]) for batch in batches}
    if len(widths) > 1:
        raise DataError(
            f"join: batches must agree in context columns and state channels, got {sorted(widths)}; align them"
        )
    k = max(batch.candidates.shape[1] for batch in batches)
    gaps = [((0, 0), (0, k - batch.candidates.shape[1])) for batch in batches]
    pairs = list(zip(batches, gaps, strict=True))
    return replace(
        max(batches, key=lambda batch: len(batch.actions)),
        context=np.concatenate([batch.context for batch in batches]),
        candidates=np.concatenate([np.pad(b.candidates, gap, constant_values=ABSENT) for b, gap in pairs]),
        state=np.concatenate([np.pad(b.state, (*gap, (0, 0))) for b, gap in pairs]),
        time=np.concatenate([batch.time for batch in batches]),
    )
