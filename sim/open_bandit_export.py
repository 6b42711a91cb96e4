"""Logs in the Open Bandit layout, so that whatever reads that data set reads them too.

    POLICY/CAMPAIGN/CAMPAIGN.csv          timestamp, item_id, position, click, propensity_score, user_feature_*, affinity
    POLICY/CAMPAIGN/item_context.csv      item_id, item_feature_*
    POLICY/CAMPAIGN/item_text.csv         item_id, text
    POLICY/CAMPAIGN/expected_reward.csv   the simulator's truth, row by row; only where it is known

Numbers are written by `repr`, so propensities come back exactly (by pandas 3.1 on; earlier ones may round the last
place). The affinity of a shopper to an item is the number of clicks on it in earlier rows of the log, as in the data set,
where it counts past clicks (Saito et al., arXiv:2008.07146).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats, Ints

AFFINITY_ITEMS = 100
"""Items above which the affinity columns, one for each item, are left out; the data set has at most 80 items."""


@dataclass(frozen=True, kw_only=True)
class ExportItems:
    """The m items of a log.

    Attributes:
        text: the copy of each.
        number: shape (m,), the one feature that is a number.
        classes: features that are classes, each a tuple of m names.
    """

    text: tuple[str, ...]
    number: Floats
    classes: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        sizes = {len(self.text), len(self.number), *map(len, self.classes)}
        if len(sizes) != 1:
            raise DataError(
                f"open bandit export: items need equally many values, got {sorted(sizes)}; align them"
            )


@dataclass(frozen=True, kw_only=True)
class Truth:
    """True expected clicks of n rows, each of shape (n,): of what was shown, of the best and of a uniform choice."""

    expected: Floats
    best: Floats
    uniform: Floats


def write_open_bandit(
    log: LoggedFeedback,
    root: Path,
    campaign: str,
    users: tuple[tuple[str, ...], ...],
    items: ExportItems,
    truth: Truth | None = None,
) -> Path:
    """Write a log; the files are replaced where they are there.

    Args:
        log: n rows in order of time; items are its variants.
        root: folder that holds the policies' folders.
        campaign: name of the campaign.
        users: features of the shopper and the request that are classes, each a tuple of n names.
        items: every variant that the log may show.
        truth: of a simulated log.

    Returns:
        The campaign's folder, which `load_open_bandit` reads.

    Raises:
        DataError: lengths do not fit, or the log shows an unknown item.
    """
    n, m = len(log), len(items.text)
    if not n or log.item_id.max() >= m or any(len(names) != n for names in users):
        raise DataError(
            f"open bandit export: needs rows, {n} names in each user feature, and items below {m}, got {n} rows, "
            f"{[len(names) for names in users]} and items up to {log.item_id.max(initial=-1)}; align them"
        )
    folder = root / log.policy / campaign
    folder.mkdir(parents=True, exist_ok=True)
    _rounds(log, users, m).to_csv(folder / f"{campaign}.csv")
    _context(items).to_csv(folder / "item_context.csv")
    pd.DataFrame({"item_id": np.arange(m), "text": items.text}).to_csv(folder / "item_text.csv")
    if truth is not None:
        columns = {"": truth.expected, "_best": truth.best, "_uniform": truth.uniform}
        frame = pd.DataFrame({f"expected_reward{name}": values for name, values in columns.items()})
        frame.to_csv(folder / "expected_reward.csv")
    return folder


def _rounds(log: LoggedFeedback, users: tuple[tuple[str, ...], ...], n_items: int) -> pd.DataFrame:
    time = np.datetime_as_string(log.timestamp.astype("datetime64[us]"))
    columns: dict[str, object] = {
        "timestamp": [f"{moment.replace('T', ' ')}+00:00" for moment in time.tolist()],
        "item_id": log.item_id,
        "position": log.position,
        "click": log.click.astype(np.int64),
        "propensity_score": log.propensity,
    }
    columns |= {f"user_feature_{index}": names for index, names in enumerate(users)}
    if n_items <= AFFINITY_ITEMS:
        clicks = past_clicks(log.shopper, log.item_id, log.click, n_items)
        columns |= {
            f"user-item_affinity_{item}": clicks[:, item].astype(np.float64) for item in range(n_items)
        }
    return pd.DataFrame(columns)


def _context(items: ExportItems) -> pd.DataFrame:
    columns: dict[str, object] = {"item_id": np.arange(len(items.text)), "item_feature_0": items.number}
    columns |= {f"item_feature_{index}": names for index, names in enumerate(items.classes, start=1)}
    return pd.DataFrame(columns)


def past_clicks(shopper: Ints, item: Ints, click: Floats, n_items: int) -> Ints:
    """Clicks of each row's shopper on each item in earlier rows, shape (n, n_items).

    Args:
        shopper: shape (n,), who; rows are in order of time.
        item: shape (n,), what was shown.
        click: shape (n,), 0 or 1.
        n_items: how many items.
    """
    order = np.argsort(shopper, kind="stable")
    clicked = np.zeros((len(shopper), n_items), dtype=np.int64)
    clicked[np.arange(len(shopper)), item[order]] = click[order]
    before = np.cumsum(clicked, axis=0) - clicked
    first = np.searchsorted(shopper[order], shopper[order])
    found = np.empty_like(before)
    found[order] = before - before[first]
    return found
