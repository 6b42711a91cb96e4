"""How tired a shopper is of a copy: what he was shown of it and its like, fading by the clock.

    S(u, t, c) = sum over exposures i of u before t of exp(-(t - t_i) / tau) * similarity(copy i, c)

Similarity is 1 for the same copy, ``kin`` for another of its cluster and 0 otherwise. As a channel of `Batch.state` that a
policy's model has a coefficient for (`policy_features.LinearOptions.state_channels`), it makes arms that wear off and
recover: how much is learned, and where it stands is used at every decision. After the recovering arms of Yancey & Settles,
KDD 2020. A shopper's last 16 exposures are remembered.
"""

from __future__ import annotations

import numpy as np

from copybandit.sim.exposures import Ring
from copybandit.sim.types import DataError, Floats, Ints


class ExposureStock:
    """The exposures of all shoppers; `remember` is the only method that changes them.

    Args:
        n_shoppers: shoppers, numbered from 0.
        cluster: shape (m,), cluster of each copy, e.g. by `copy_clusters`.
        tau_days: days in which an exposure fades to 1/e, above 0.
        kin: similarity of two copies of one cluster, in [0, 1].

    Raises:
        DataError: a setting is out of range.
    """

    def __init__(self, *, n_shoppers: int, cluster: Ints, tau_days: float, kin: float = 0.5) -> None:
        if not (0 < tau_days < np.inf and 0 <= kin <= 1):
            raise DataError(
                f"exposure stock: tau_days must be above 0 and kin in [0, 1], got {tau_days} and {kin}; correct them"
            )
        self.tau_days, self.kin = tau_days, kin
        self._cluster = cluster.astype(np.int64)
        self._ring = Ring(n_shoppers)
        self._time: Floats = np.zeros(self._ring.seen.shape)

    def stock(self, shopper: Ints, candidates: Ints, time: Floats) -> Floats:
        """S of each candidate, shape (n, k); 0 where absent (-1). Exposures after ``time`` do not count.

        Args:
            shopper: shape (n,).
            candidates: shape (n, k).
            time: shape (n,), days.

        Raises:
            DataError: there is no such shopper or copy, or the shapes do not fit.
        """
        self._check(shopper, candidates, time, -1)
        seen, age = self._ring.seen[shopper], time[:, None] - self._time[shopper]
        weight = np.where((seen >= 0) & (age >= 0), np.exp(-np.maximum(age, 0.0) / self.tau_days), 0.0)
        same = seen[:, None, :] == candidates[:, :, None]
        like = self._cluster[seen][:, None, :] == self._cluster[candidates][:, :, None]
        # What was never shown and what is absent is -1, and would be like the last copy.
        total = ((same + self.kin * (like & ~same)) * weight[:, None, :]).sum(axis=2)
        return np.where(candidates >= 0, total, 0.0)

    def remember(self, shopper: Ints, variant: Ints, time: Floats) -> None:
        """Exposures in order of time, shape (n,) each; a shopper may stand in several rows.

        Raises:
            DataError: there is no such shopper or copy, a time is not finite, or the shapes do not fit; nothing is changed.
        """
        self._check(shopper, variant, time, 0)
        if not np.isfinite(time).all():
            raise DataError("exposure stock: time must be finite days, got NaN or infinity; repair the rows")
        order = np.argsort(shopper, kind="stable")
        who = shopper[order]
        turn = np.empty(len(who), dtype=np.int64)
        turn[order] = np.arange(len(who)) - np.searchsorted(who, who)
        for now in range(int(turn.max(initial=-1)) + 1):
            rows = turn == now
            slot = self._ring.remember(shopper[rows], variant[rows])
            self._time[shopper[rows], slot] = time[rows]

    def _check(self, shopper: Ints, variant: Ints, time: Floats, least: int) -> None:
        n = len(shopper)
        if shopper.shape != (n,) or time.shape != (n,) or variant.shape[0] != n:
            raise DataError(
                f"exposure stock: shopper and time must be ({n},) and so many copies, got {shopper.shape}, {time.shape} and "
                f"{variant.shape}; give one row per exposure"
            )
        for name, values, low, high in (
            ("shopper", shopper, 0, len(self._time)),
            ("variant", variant, least, len(self._cluster)),
        ):
            if values.size and not (values.min() >= low and values.max() < high):
                raise DataError(
                    f"exposure stock: {name} must be in [{low}, {high}), got {values.min()} to {values.max()}; "
                    "make the stock for all of them"
                )
