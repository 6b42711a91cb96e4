"""When shoppers come back and how much they do then: fitted to some shoppers of a log, simulated for others.

Times follow MBG/NBD (Batislam, Denizel and Filiztekin, IJRM 24(3), 2007): a shopper comes at a rate drawn from Gamma(r,
alpha) and after each visit, the first too, stays away for good with a chance drawn from Beta(a, b). Days being whole, a gap
is one day and the whole part of an exponential time. The size of a visit follows the sizes seen in the log; a Gaussian
copula ties the visits of one shopper together. Season and weekday are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, ndtr, ndtri

from copybandit.sim.types import DataError, Floats, Ints

MOST_VISITS = 1000


@dataclass(frozen=True, kw_only=True)
class Visits:
    """Visits, v of them, sorted by shopper and day.

    Attributes:
        shopper: shape (v,).
        day: shape (v,), whole days since any fixed day; one visit a day and shopper.
        size: shape (v,), at least 1.
    """

    shopper: Ints
    day: Ints
    size: Ints

    def gaps(self) -> Ints:
        """Days between one visit and the shopper's next, shape (at most v - 1,)."""
        return np.asarray(np.diff(self.day)[np.diff(self.shopper) == 0])


@dataclass(frozen=True, kw_only=True)
class VisitModel:
    """A fitted model of visits.

    Attributes:
        rate_shape, rate_scale: r and alpha of the module's formula; alpha in days.
        leave_a, leave_b: a and b of it.
        sizes: shape (s,), sorted sizes of the visits it was fitted on.
        tie: correlation of the normal scores of two visits of one shopper, 0 to 1.
    """

    rate_shape: float
    rate_scale: float
    leave_a: float
    leave_b: float
    sizes: Floats
    tie: float

    def simulate(self, first: Ints, last: int, rng: np.random.Generator) -> Visits:
        """Draw visits of shoppers from their first visit, shape (n,), to the last day of the log."""
        n = len(first)
        rate = rng.gamma(self.rate_shape, 1 / self.rate_scale, n)
        leave = rng.beta(self.leave_a, self.leave_b, n)
        now, alive = first.copy(), np.arange(n)
        shopper, day = [alive], [first]
        for _ in range(MOST_VISITS):
            alive = alive[rng.random(len(alive)) >= leave[alive]]
            wait = rng.exponential(1.0, len(alive)) / np.maximum(rate[alive], 1e-9)
            now[alive] += 1 + np.minimum(wait, 1e6).astype(np.int64)
            alive = alive[now[alive] <= last]
            if not len(alive):
                break
            shopper.append(alive)
            day.append(now[alive])
        pair = np.stack([np.concatenate(shopper), np.concatenate(day)])
        pair = pair[:, np.lexsort(pair[::-1])]
        return Visits(shopper=pair[0], day=pair[1], size=self._sizes(pair[0], n, rng))

    def _sizes(self, shopper: Ints, n: int, rng: np.random.Generator) -> Ints:
        z = np.sqrt(self.tie) * rng.normal(size=n)[shopper]
        z += np.sqrt(1 - self.tie) * rng.normal(size=len(shopper))
        place = (ndtr(z) * len(self.sizes)).astype(np.int64)
        return np.asarray(self.sizes[np.minimum(place, len(self.sizes) - 1)], np.int64)


def fit_visits(visits: Visits, last: int) -> VisitModel:
    """Fit to the visits of some shoppers, seen until the last day of the log.

    Raises:
        DataError: with fewer than 20 visits or none that is a shopper's second.
    """
    if len(visits.day) < 20 or not len(visits.gaps()):
        raise DataError(
            f"visits: needs at least 20 visits and a shopper who came twice, got {len(visits.day)} visits and "
            f"{len(visits.gaps())} returns; give a longer log"
        )
    _, start, count = np.unique(visits.shopper, return_index=True, return_counts=True)
    x = (count - 1).astype(np.float64)
    first = visits.day[start]
    # Of each gap, a day is not waited and half a day is lost to the whole part.
    t_x = (visits.day[start + count - 1] - first) - x / 2
    total = np.maximum(last - first - x / 2, t_x) + 0.5
    begin = np.log([1.0, max(float(np.median(total)) / 3, 1.0), 1.0, 3.0])
    found = minimize(
        lambda theta: -_log_likelihood(np.exp(theta), x, t_x, total) / len(x),
        begin,
        method="L-BFGS-B",
        bounds=[(-6.0, 8.0)] * 4,
    )
    r, alpha, a, b = np.exp(found.x).tolist()
    sizes = np.sort(visits.size).astype(np.float64)
    tie = _tie(visits)
    return VisitModel(rate_shape=r, rate_scale=alpha, leave_a=a, leave_b=b, sizes=sizes, tie=tie)


def _log_likelihood(theta: Floats, x: Floats, t_x: Floats, total: Floats) -> float:
    """MBG/NBD of repeats x, the last of them at t_x, seen for `total`, each of shape (n,)."""
    r, alpha, a, b = theta
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    alive = betaln(a, b + x + 1) - (r + x) * np.log(alpha + total)
    left = betaln(a + 1, b + x) - (r + x) * np.log(alpha + t_x)
    return float((common + np.logaddexp(alive, left)).sum())


def _tie(visits: Visits) -> float:
    """Intraclass correlation of the normal scores of sizes, by analysis of variance."""
    rank = np.argsort(np.argsort(visits.size, kind="stable"), kind="stable")
    # Equal sizes share the middle of their ranks.
    _, code = np.unique(visits.size, return_inverse=True)
    middle = np.bincount(code, rank)[code] / np.bincount(code)[code]
    z = ndtri((middle + 0.5) / len(rank))
    _, shopper = np.unique(visits.shopper, return_inverse=True)
    count = np.bincount(shopper)
    mean = np.bincount(shopper, z) / count
    n, k = len(z), len(count)
    within = float(((z - mean[shopper]) ** 2).sum()) / max(n - k, 1)
    between = float((count * (mean - z.mean()) ** 2).sum()) / max(k - 1, 1)
    typical = (n - float((count**2).sum()) / n) / max(k - 1, 1)
    return float(np.clip((between - within) / max(between + (typical - 1) * within, 1e-12), 0.0, 0.99))
