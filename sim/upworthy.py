"""The Upworthy Research Archive (Matias et al., Scientific Data 8:195, 2021): randomized headline A/B tests.

One row of `AbTests` is one package: a headline with an image, shown so often, clicked so often. Two headlines
are compared only within one test and one image, where chance decided who saw which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from copybandit.sim.plain_text import plain_text
from copybandit.sim.tables import ids, integer_column, read_table, refuse, text_column
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.wording import Arms

COLUMNS = ("clickability_test_id", "headline", "eyecatcher_id", "impressions", "clicks", "test_week")
BAD_WEEKS = (201325, 201402)
"""First and last week, YYYYWW, in which the archive's authors found randomization broken."""


@dataclass(frozen=True, kw_only=True)
class AbPairs:
    """Pairs of headlines that were compared fairly.

    Attributes:
        left: shape (m,), row in the `AbTests`.
        right: shape (m,), row in the `AbTests`, after `left`.
        z: shape (m,), pooled two-proportion z statistic, above 0 where left was clicked more often.
        log_ratio: shape (m,), log of the ratio of click rates, left over right, with 1/2 added to clicks and
            impressions (Pettigrew, Gart and Thomas, Biometrika 73, 1986).
    """

    left: Ints
    right: Ints
    z: Floats
    log_ratio: Floats

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True, kw_only=True)
class AbTests:
    """Packages of A/B tests, n rows.

    Attributes:
        text: headlines, n of them.
        test: shape (n,), code of the test.
        image: shape (n,), code of the image; an unknown image has a code of its own.
        impressions: shape (n,), at least 1.
        clicks: shape (n,), at most the impressions.
        week: shape (n,), YYYYWW.
        n_dropped: rows of the file left out.
        test_ids: the archive's id of each test code; empty when the tests did not come from a file.
        lede: how the article behind each headline begins, plain text, n of them, empty where the file says nothing; none
            at all when the file has no such column.
    """

    text: tuple[str, ...]
    test: Ints
    image: Ints
    impressions: Ints
    clicks: Ints
    week: Ints
    n_dropped: int = 0
    test_ids: tuple[str, ...] = ()
    lede: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        bad = (self.clicks < 0) | (self.clicks > self.impressions) | (self.impressions < 1)
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"A/B tests row {row}: clicks must be 0 to impressions, and those at least 1, got "
                f"{self.clicks[row]} of {self.impressions[row]}; drop the row"
            )

    def __len__(self) -> int:
        return len(self.text)

    def take(self, rows: Bools | Ints) -> AbTests:
        """Return the rows of a mask (n,) or an index (m,); codes keep their meaning."""
        index = np.arange(len(self))[rows]
        names = ("test", "image", "impressions", "clicks", "week")
        columns = {name: getattr(self, name)[index] for name in names}
        kept = index.tolist()
        lede = tuple(self.lede[i] for i in kept) if self.lede else ()
        return replace(self, text=tuple(self.text[i] for i in kept), lede=lede, **columns)

    def arms(self) -> Arms:
        """Return the rows as arms; a group is one test with one image."""
        return Arms(texts=self.text, group=self._cell(), clicks=self.clicks, impressions=self.impressions)

    def _cell(self) -> Ints:
        """Code of each row's test and image, shape (n,)."""
        return np.unique(np.stack([self.test, self.image]), axis=1, return_inverse=True)[1].ravel()

    def pairs(self) -> AbPairs:
        """Return all pairs of different headlines within one test and one image."""
        cell = self._cell()
        order = np.argsort(cell, kind="stable")
        cells = cell[order]
        largest = int(np.bincount(cells).max(initial=0))
        starts = [np.flatnonzero(cells[gap:] == cells[:-gap]) for gap in range(1, largest)]
        first = np.concatenate([*starts, np.empty(0, np.int64)])
        gaps = np.repeat(np.arange(1, largest), [len(s) for s in starts])
        left, right = order[first], order[first + gaps]
        headline = ids(pd.Series(self.text, dtype=object))[0]
        keep = headline[left] != headline[right]
        left, right = left[keep], right[keep]
        by_row = np.lexsort((right, left))
        return self._compared(left[by_row], right[by_row])

    def _compared(self, left: Ints, right: Ints) -> AbPairs:
        clicks = self.clicks.astype(np.float64)
        shown = self.impressions.astype(np.float64)
        pooled = (clicks[left] + clicks[right]) / (shown[left] + shown[right])
        variance = pooled * (1 - pooled) * (1 / shown[left] + 1 / shown[right])
        difference = (clicks / shown)[left] - (clicks / shown)[right]
        z = np.divide(difference, np.sqrt(variance), out=np.zeros(len(left)), where=variance > 0)
        log_rate = np.log((clicks + 0.5) / (shown + 0.5))
        return AbPairs(left=left, right=right, z=z, log_ratio=log_rate[left] - log_rate[right])

    def components(self) -> Ints:
        """Return the component of each row, shape (n,): tests that share a headline or an image are one.

        Headlines are compared without case and outer spaces. Codes count from 0 in the order of first rows.
        """
        headline = ids(pd.Series(self.text, dtype=object).str.casefold().str.strip())[0]
        nodes = [np.unique(codes, return_inverse=True)[1] for codes in (self.test, headline, self.image)]
        test, headline, image = nodes
        n_tests, n_headlines = (int(codes.max(initial=-1)) + 1 for codes in nodes[:2])
        size = n_tests + n_headlines + int(image.max(initial=-1)) + 1
        other = np.concatenate([n_tests + headline, n_tests + n_headlines + image])
        edges = coo_array((np.ones(len(other)), (np.tile(test, 2), other)), shape=(size, size))
        label = connected_components(edges, directed=False)[1][test]
        codes: Ints = pd.factorize(label)[0].astype(np.int64)
        return codes

    def groups(self) -> NDArray[np.str_]:
        """Return an id of each row's component for `split_groups`, shape (n,): its first test id in order.

        Unlike the codes of `components`, it does not change with tests of other components.
        """
        component = self.components()
        name = self.test.astype(np.str_)
        if self.test_ids:
            name = np.array(self.test_ids, dtype=np.str_)[self.test]
        order = np.lexsort((name, component))
        _, first = np.unique(component[order], return_index=True)
        return name[order[first]][component]


def load_ab_tests(path: Path | str, keep_bad_weeks: bool = False) -> AbTests:
    """Read packages in the archive's columns; others than the six of `COLUMNS` and `lede` are not looked at.

    Packages of one test with the same headline and image are merged, their counts added; the first one's lede stays.

    Args:
        path: the archive's file, e.g. csv or csv.gz.
        keep_bad_weeks: keep weeks 201325 to 201402, which the archive's authors advise to leave out.

    Raises:
        DataError: for an unusable file or value, naming file, row and column.
    """
    frame, n_rows = _packages(path, keep_bad_weeks)
    merged = frame.groupby(["test", "headline", "image"], sort=False, as_index=False).agg(
        {"impressions": "sum", "clicks": "sum", "week": "min"}
        | ({"lede": "first"} if "lede" in frame else {})
    )
    test, test_ids = ids(merged["test"])
    return AbTests(
        text=tuple(merged["headline"]),
        test=test,
        image=ids(merged["image"])[0],
        impressions=merged["impressions"].to_numpy(np.int64),
        clicks=merged["clicks"].to_numpy(np.int64),
        week=merged["week"].to_numpy(np.int64),
        n_dropped=n_rows - len(frame),
        test_ids=test_ids,
        lede=tuple(map(plain_text, merged["lede"])) if "lede" in merged else (),
    )


def _packages(path: Path | str, keep_bad_weeks: bool) -> tuple[pd.DataFrame, int]:
    """Read and check the rows; return those that are kept, and how many the file has."""
    frame = read_table(path, COLUMNS, text=(*COLUMNS[:3], "lede"))
    shown, clicks, week = (integer_column(frame, name, path) for name in COLUMNS[3:])
    refuse(path, shown < 0, "impressions", frame["impressions"], "at least 0")
    refuse(path, (clicks < 0) | (clicks > shown), "clicks", frame["clicks"], "0 to its row's impressions")
    test, headline, image = (text_column(frame, name) for name in COLUMNS[:3])
    refuse(path, (test == "").to_numpy(), COLUMNS[0], test, "an id")
    row = pd.Series([f"unknown image of row {i}" for i in range(len(frame))], dtype=object)
    rows = pd.DataFrame(
        {
            "test": test,
            "headline": headline.str.split().str.join(" "),
            "image": image.where(image != "", row),
            "impressions": shown,
            "clicks": clicks,
            "week": week,
        }
    )
    if "lede" in frame:
        rows["lede"] = text_column(frame, "lede")
    keep = (shown > 0) & (headline != "").to_numpy()
    if not keep_bad_weeks:
        keep &= (week < BAD_WEEKS[0]) | (week > BAD_WEEKS[1])
    if not keep.any():
        raise DataError(
            f"{path}: no row has a headline, impressions and a week not in {BAD_WEEKS[0]}-{BAD_WEEKS[1]}, "
            f"got {len(rows)} rows; check the file, or keep bad weeks"
        )
    return rows[keep], len(rows)
