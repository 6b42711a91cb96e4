"""One split for everything that is fitted, chosen or judged: fit 40 %, select 20 %, judge 40 % of the groups.

A group (a household, a shopper, a component of tests that share a headline or an image) lies on one side
whole. Its side follows from the seed and its own id alone, by a keyed hash, so neither the order of rows nor
the other groups of a file can move it. A model carries the digest of the split it was fitted on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from copybandit.sim.types import Bools, DataError, Floats, Ints

SHARES = (0.4, 0.2, 0.4)
PARTS = ("fit", "select", "judge")


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which rows serve which purpose.

    Attributes:
        fit: shape (n,), rows that models are fitted on and tuners see.
        select: shape (n,), rows that choose among models or steps.
        judge: shape (n,), rows that are read once, for the report.
        digest: hash of seed, shares and the side of every group.

    Raises:
        DataError: unless every row lies in exactly one part.
    """

    fit: Bools
    select: Bools
    judge: Bools
    digest: str

    def __post_init__(self) -> None:
        times = self.fit.astype(np.int8) + self.select + self.judge
        if (times != 1).any():
            row = int(np.argmax(times != 1))
            raise DataError(
                f"split row {row}: must lie in one of fit, select and judge, got {int(times[row])} of them; "
                "use split_groups"
            )

    def __len__(self) -> int:
        return len(self.fit)

    @property
    def part(self) -> NDArray[np.int8]:
        """Code of each row's part, shape (n,): an index into `PARTS`."""
        return (self.select + 2 * self.judge.astype(np.int8)).astype(np.int8)


def split_groups(groups: ArrayLike, seed: int, shares: Sequence[float] = SHARES) -> Split:
    """Split rows by the group they belong to.

    Args:
        groups: shape (n,), id of each row's group; ids count by their text, so 7 and "7" are one group.
        seed: another seed gives an independent split.
        shares: of fit, select and judge; they hold for groups in expectation.

    Raises:
        DataError: for no rows, or shares that are not above 0 or do not sum to 1.
    """
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise DataError(f"split: shares must be three numbers above 0 that sum to 1, got {tuple(shares)}")
    names, row_group = np.unique(np.asarray(groups).astype(np.str_), return_inverse=True)
    if not len(names):
        raise DataError("split: there must be rows to split, got 0; check what was dropped before")
    part = np.searchsorted(np.cumsum(shares)[:2], _uniform(names, seed), side="right").astype(np.int8)
    digest = hashlib.blake2b(repr((seed, tuple(map(float, shares)))).encode(), digest_size=16)
    digest.update("\0".join(names.tolist()).encode())
    digest.update(part.tobytes())
    rows = part[row_group]
    return Split(fit=rows == 0, select=rows == 1, judge=rows == 2, digest=digest.hexdigest())


def fold_groups(groups: ArrayLike, seed: int, folds: int) -> Ints:
    """Fold of each row, shape (n,), 0 to folds - 1; a group lies in one, by the seed and its own id alone.

    Args:
        groups: shape (n,), id of each row's group.
        seed: another seed gives independent folds.
        folds: at least 2.

    Raises:
        DataError: fewer than 2 folds.
    """
    if folds < 2:
        raise DataError(f"folds: must be at least 2, got {folds}; raise it")
    names, row_group = np.unique(np.asarray(groups).astype(np.str_), return_inverse=True)
    return np.floor(_uniform(names, seed) * folds).astype(np.int64)[row_group]


def _uniform(names: NDArray[np.str_], seed: int) -> Floats:
    """A number in [0, 1) for each name, from the name and the seed alone."""
    key = str(seed).encode()
    digests = b"".join(hashlib.blake2b(n.encode(), digest_size=8, key=key).digest() for n in names.tolist())
    return (np.frombuffer(digests, ">u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53


def check_disjoint(left: ArrayLike, right: ArrayLike, *, what: str = "group") -> None:
    """Refuse two sets of rows that share a group.

    Args:
        left: shape (n,), group ids, e.g. of the rows a model was fitted on.
        right: shape (m,), group ids, e.g. of the rows it is judged on.
        what: what a group is, for the message.

    Raises:
        DataError: naming how many are shared and one of them.
    """
    shared = np.intersect1d(np.asarray(left).astype(np.str_), np.asarray(right).astype(np.str_))
    if len(shared):
        raise DataError(
            f"split: fitted and judged rows must share no {what}, got {len(shared)} shared, e.g. "
            f"{str(shared[0])!r}; split with split_groups before fitting"
        )


def check_digest(model_digest: str, split: Split, *, model: str = "model") -> None:
    """Refuse to judge a model on a split other than the one it was fitted on.

    Raises:
        DataError: naming both digests.
    """
    if model_digest != split.digest:
        raise DataError(
            f"{model}: was fitted on split {model_digest or '(none)'}, but is judged on {split.digest}; "
            "fit it again on this split"
        )
