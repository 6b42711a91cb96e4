"""Online logs with the copy they showed, put together: what `copybandit simulate` and the bandit stage of `run` write.

A log is a folder with log.parquet and items.parquet, or a log's own file, whatever its name, with items.parquet beside it;
items have columns item_id, product_id and text, and, where a policy chose on them, features (row i of ``Batch.actions``)
and most (largest reward of a request that shows it; policies are told shares of it). Several logs, and several policies in
one, become one in order of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.log_lists import lists
from copybandit.sim.schema import as_log, feedback_from_arrow, read_parquet, write_table
from copybandit.sim.synthetic import Rounds
from copybandit.sim.tables import integer_column, read_table, refuse, text_column
from copybandit.sim.types import DataError, Floats, Ints, Product

LOG, ITEMS = "log.parquet", "items.parquet"
PLAIN = ("timestamp", "shopper", "product", "position", "action", "click", "conversion", "value", "reward")
"""Columns of one number a row."""


def write_items(
    folder: Path,
    texts: Sequence[str],
    product: Ints,
    catalogue: Sequence[Product],
    *,
    features: Floats | None = None,
    most: Floats | None = None,
) -> None:
    """Write what a log's candidates are.

    Args:
        folder: that of the log.
        texts: of n items.
        product: shape (n,), index of each one's product in the catalogue.
        catalogue: all products.
        features: shape (n, q), what policies know of each.
        most: shape (n,), largest reward of a request that shows it.
    """
    names = [catalogue[index].product_id for index in product.tolist()]
    items = {"item_id": np.arange(len(names)), "product_id": names, "text": list(texts)}
    if features is not None:
        items["features"] = lists(features)
    if most is not None:
        items["most"] = most
    write_table(pa.table(items), folder / ITEMS)


def read_logs(paths: Sequence[Path], product_ids: Sequence[str]) -> Rounds:
    """Read logs of one shop.

    Args:
        paths: of the logs, see above.
        product_ids: of the shop's catalogue, in its order.

    Raises:
        DataError: no log, one that is missing or broken, without propensities or the whole distribution, or of another shop.
    """
    if not paths:
        raise DataError("feedback: at least one log is needed, got none; name a log")
    place = {name: index for index, name in enumerate(product_ids)}
    texts: dict[tuple[int, str], int] = {}
    parts = [part for path in paths for part in _one(Path(path), place, texts)]
    return Rounds(
        feedback=_joined(parts),
        texts=tuple(text for _, text in texts),
        product=np.array([product for product, _ in texts], dtype=np.int64),
    )


def _one(path: Path, place: dict[str, int], texts: dict[tuple[int, str], int]) -> list[LoggedFeedback]:
    """The rows of each policy of a log, its candidates numbered in `texts`, which grows."""
    log = log_in(path) if path.is_dir() else path
    items, table = log.with_name(ITEMS), as_log(read_parquet(log), str(log))
    number = _numbers(items, place, texts)
    parts = [
        feedback_from_arrow(table, policy=name, where=str(log))
        for name in sorted(table["policy"].unique().to_pylist())
    ]
    for part in parts:
        if part.candidates.max(initial=-1) >= len(number):
            raise DataError(
                f"{log}: candidates must be items of {items}, got item {part.candidates.max()} of {len(number)}; give the "
                "items of this log"
            )
    known = np.append(number, -1)  # candidate -1 is absent, and stays so
    return [replace(part, candidates=known[part.candidates].astype(np.int32)) for part in parts]


def log_in(folder: Path) -> Path:
    """The log of a folder: log.parquet, or the one of its log-POLICY.parquet."""
    found = sorted(folder.glob("log-*.parquet"))
    if (folder / LOG).is_file() or not found:
        return folder / LOG
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(
            f"{folder}: must hold one log, got {names}, each of another season of the same shop; name one of the files"
        )
    return found[0]


def _numbers(path: Path, place: dict[str, int], texts: dict[tuple[int, str], int]) -> Ints:
    """Number in `texts` of each item of a file, shape (items,), by item_id."""
    frame = read_table(path, ("item_id", "product_id", "text"), text=("product_id", "text"))
    item, product, text = (
        integer_column(frame, "item_id", path),
        text_column(frame, "product_id"),
        text_column(frame, "text"),
    )
    refuse(
        path, ~product.isin(list(place)).to_numpy(np.bool_), "product_id", product, "a product of the shop"
    )
    n = len(frame)
    refuse(path, np.sort(item) != np.arange(n), "item_id", frame["item_id"], f"0 to {n - 1}, each once")
    found = np.empty(n, dtype=np.int64)
    for row, name, line in zip(item.tolist(), product, text, strict=True):
        found[row] = texts.setdefault((place[name], line), len(texts))
    return found


def _features(parts: Sequence[LoggedFeedback], width: int) -> tuple[Floats | None, Floats | None]:
    """Context and state of all rows, candidates padded to a width; None where a part has none or they differ."""
    context = [part.context for part in parts if part.context is not None]
    state = [part.state for part in parts if part.state is not None]
    p, s = {one.shape[1] for one in context}, {one.shape[2] for one in state}
    wide = [np.pad(one, ((0, 0), (0, width - one.shape[1]), (0, 0))) for one in state]
    return (
        np.concatenate(context) if len(context) == len(parts) and len(p) == 1 else None,
        np.concatenate(wide) if len(state) == len(parts) and len(s) == 1 else None,
    )


def _joined(parts: Sequence[LoggedFeedback]) -> LoggedFeedback:
    """One log in order of time; the names of its policies are joined by +."""
    width = max(part.candidates.shape[1] for part in parts)
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PLAIN}
    wide = [((0, 0), (0, width - part.candidates.shape[1])) for part in parts]
    candidates = [np.pad(part.candidates, w, constant_values=-1) for part, w in zip(parts, wide, strict=True)]
    probs = [np.pad(part.action_probs, w) for part, w in zip(parts, wide, strict=True)]
    order = np.argsort(columns["timestamp"], kind="stable")
    context, state = _features(parts, width)
    held = np.concatenate(
        [np.zeros(len(part), np.bool_) if part.held is None else part.held for part in parts]
    )
    return LoggedFeedback(
        candidates=np.concatenate(candidates)[order],
        action_probs=np.concatenate(probs)[order],
        held=held[order] if held.any() else None,
        context=None if context is None else context[order],
        state=None if state is None else state[order],
        policy="+".join(sorted({part.policy for part in parts})),
        **{name: values[order] for name, values in columns.items()},
    )
