"""Chunks of a campaign in the Open Bandit layout: all items are candidates, only the shown one's propensity is known.

Policies without features are asked about chunks of the csv as it is read; others need the users' features, whose levels only
the whole file tells, so that it is read once and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from copybandit.agents.batch import Batch
from copybandit.agents.batch_rows import take
from copybandit.evaluation.ope_chunk import Chunk, Source, plain_requests
from copybandit.evaluation.open_bandit_learning import requests
from copybandit.sim.open_bandit import OpenBandit, load_open_bandit, log_file, read_item_context
from copybandit.sim.types import DataError, Floats, Ints

CHUNK = 16_384
"""Rows that are asked about at a time."""
_TYPES = {"item_id": pa.int64(), "click": pa.float64(), "propensity_score": pa.float64()}


def open_bandit_source(path: Path) -> Source:
    """The log of a campaign: its folder or its csv.

    The warm start is the log's own click rate, the same for all items; features are those of `open_bandit_learning`.

    Raises:
        DataError: a file is missing or a value cannot be used; of the rows when they are read.
    """
    csv = log_file(path)
    items = len(read_item_context(csv.with_name("item_context.csv")))
    whole = cache(lambda: _whole(csv))
    return Source(
        path=path,
        kind=f"Open Bandit, campaign {csv.stem}, logged by {csv.resolve().parent.parent.name}",
        chunks=lambda: _known_chunks(*whole()),
        plain=lambda: _plain_chunks(csv, items),
        n_actions=items,
        featured=True,
        notes=(
            "the log has the propensity of what was shown and no other, so support cannot be checked item by item",
            "features are coded from the levels that this file holds, with one click rate as warm start: a policy that "
            "needs them must have learned from the same coding",
        ),
    )


def _whole(csv: Path) -> tuple[OpenBandit, Batch]:
    log = load_open_bandit(csv)
    return log, requests(log, float((log.click.sum() + 1) / (len(log) + 2)))


def _known_chunks(log: OpenBandit, asked: Batch) -> Iterator[Chunk]:
    for start in range(0, len(log), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(log)))
        yield _chunk(take(asked, rows), log.item_id[rows], log.click[rows], log.propensity[rows], rows)


def _plain_chunks(csv: Path, items: int) -> Iterator[Chunk]:
    start = 0
    for item, click, propensity in _columns(csv):
        for name, values, wrong, rule in (
            ("item_id", item, (item < 0) | (item >= items), f"0 to {items - 1}"),
            ("click", click, ~np.isin(click, (0.0, 1.0)), "0 or 1"),
            ("propensity_score", propensity, ~((propensity > 0) & (propensity <= 1)), "in (0, 1]"),
        ):
            if wrong.any():
                row = int(np.argmax(wrong))
                raise DataError(
                    f"{csv}: row {start + row + 2}: {name} must be {rule}, got {values[row]}; correct or drop the row"
                )
        for cut in range(0, len(item), CHUNK):
            part = slice(cut, cut + CHUNK)
            n = len(item[part])
            everything = np.broadcast_to(np.arange(items, dtype=np.int32), (n, items)).copy()
            rows = np.arange(start + cut, start + cut + n)
            yield _chunk(plain_requests(everything, items), item[part], click[part], propensity[part], rows)
        start += len(item)


def _columns(csv: Path) -> Iterator[tuple[Ints, Floats, Floats]]:
    """Items, clicks and propensities of one block of the file after the other."""
    options = pyarrow.csv.ConvertOptions(include_columns=list(_TYPES), column_types=_TYPES)
    try:
        with pyarrow.csv.open_csv(csv, convert_options=options) as reader:
            for batch in reader:
                missing = [name for name in _TYPES if batch.column(name).null_count]
                if missing:
                    raise DataError(
                        f"{csv}: {missing[0]} must be there in every row, got a missing one; fill it"
                    )
                item, click, propensity = (batch.column(name).to_numpy() for name in _TYPES)
                yield item, click, propensity
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"{csv}: must be a campaign's csv, got {reason}; export it again") from None


def _chunk(asked: Batch, item: Ints, click: Floats, propensity: Floats, rows: Ints) -> Chunk:
    return Chunk(
        reward=click,
        propensity=propensity,
        component=rows,
        requests=asked,
        column=item,
        scale=np.ones(len(rows)),
        read=len(rows),
    )
