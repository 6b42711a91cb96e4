"""Chunks of a campaign in the Open Bandit layout: all items are candidates, only the shown one's propensity is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from copybandit.agents.batch_rows import take
from copybandit.evaluation.ope_chunk import Chunk, Source
from copybandit.evaluation.open_bandit_learning import requests
from copybandit.sim.open_bandit import load_open_bandit

CHUNK = 16_384
"""Rows that are asked about at a time."""


def open_bandit_source(path: Path) -> Source:
    """The log of a campaign: its folder or its csv, which is read once and kept.

    The warm start is the log's own click rate, the same for all items; features are those of `open_bandit_learning`.

    Raises:
        DataError: a file is missing or a value cannot be used.
    """
    log = load_open_bandit(path)
    rate = (log.click.sum() + 1) / (len(log) + 2)
    asked = requests(log, float(rate))

    def chunks() -> Iterator[Chunk]:
        for start in range(0, len(log), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(log)))
            yield Chunk(
                reward=log.click[rows],
                propensity=log.propensity[rows],
                component=rows,
                requests=take(asked, rows),
                column=log.item_id[rows],
                scale=np.ones(len(rows)),
                read=len(rows),
            )

    return Source(
        path=path,
        kind=f"Open Bandit, campaign {log.campaign}, logged by {log.policy or 'unknown'}",
        chunks=chunks,
        rows=len(log),
        n_actions=len(log.items),
        featured=True,
        notes=(
            "the log has the propensity of what was shown and no other, so support cannot be checked item by item",
            "the warm start is one click rate for all items",
        ),
    )
