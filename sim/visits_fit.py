"""When shoppers come back and how much they do then: fitted to some shoppers of a log, simulated for others.

Times follow MBG/CNBD-k (Reutterer, Platzer and Schroeder, IJRM 38(1), 2021): the waiting time between visits is Gamma(k,
rate), more regular than chance where k > 1, the rate of a shopper drawn from Gamma(r, alpha); after each visit, the first
too, a shopper stays away for good with a chance drawn from Beta(a, b). With k = 1 it is MBG/NBD (Batislam, Denizel and
Filiztekin, IJRM 24(3), 2007). Each k has its own likeliest r, alpha, a and b; k is the one whose simulated gaps lie nearest
those of shoppers that were not fitted on. Likelihood alone would take 2 for Online Retail, whose gaps then lie further off
(Kolmogorov-Smirnov distance .09 against .06 on the select shoppers).

Days being whole, a gap is one day and the whole part of the waiting time. A log may tell gaps up to a longest one that
stands for more, which is fitted as it is told; then the simulated log tells them so too. The size of a visit follows the
sizes seen in the log; a Gaussian copula ties the visits of one shopper together. Season and weekday are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, logsumexp, ndtr, ndtri
from scipy.stats import ks_2samp

from copybandit.sim.types import DataError, Floats, Ints

MOST_VISITS = 1000
REGULARITIES = (1, 2, 3, 4)
"""Candidates for k."""


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
        regularity: k of it, at least 1.
        leave_a, leave_b: a and b of it.
        sizes: shape (s,), sorted sizes of the visits it was fitted on.
        tie: correlation of the normal scores of two visits of one shopper, 0 to 1.
        longest_gap: days that stand for more in the log; None where the log tells every gap.
    """

    rate_shape: float
    rate_scale: float
    regularity: int
    leave_a: float
    leave_b: float
    sizes: Floats
    tie: float
    longest_gap: int | None = None

    def simulate(self, first: Ints, last: int, rng: np.random.Generator) -> Visits:
        """Draw visits of shoppers from their first visit, shape (n,), to the last day of the log."""
        n = len(first)
        rate = rng.gamma(self.rate_shape, 1 / self.rate_scale, n)
        leave = rng.beta(self.leave_a, self.leave_b, n)
        now, alive = first.copy(), np.arange(n)
        shopper, day = [alive], [first]
        for _ in range(MOST_VISITS):
            alive = alive[rng.random(len(alive)) >= leave[alive]]
            wait = rng.standard_gamma(self.regularity, len(alive)) / np.maximum(rate[alive], 1e-9)
            gap = 1 + np.minimum(wait, 1e6).astype(np.int64)
            now[alive] += gap if self.longest_gap is None else np.minimum(gap, self.longest_gap)
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


@dataclass(frozen=True, kw_only=True)
class _Histories:
    """What the likelihood needs of each shopper, shape (n,) each.

    Attributes:
        x: visits after the first.
        t_x: days waited until the last of them.
        total: days waited until the log ends.
        log_waits: sum of the logarithms of the single waiting times.
    """

    x: Floats
    t_x: Floats
    total: Floats
    log_waits: Floats

    @classmethod
    def of(cls, visits: Visits, last: int) -> _Histories:
        """Of each gap, a day is not waited and half a day is lost to the whole part."""
        _, start, count = np.unique(visits.shopper, return_index=True, return_counts=True)
        x = (count - 1).astype(np.float64)
        first = visits.day[start]
        t_x = (visits.day[start + count - 1] - first) - x / 2
        total = np.maximum(last - first - x / 2, t_x) + 0.5
        shopper = np.repeat(np.arange(len(count)), count - 1)
        log_waits = np.bincount(shopper, np.log(visits.gaps() - 0.5), len(count)).astype(np.float64)
        return cls(x=x, t_x=t_x, total=total, log_waits=log_waits)

    def log_likelihood(self, theta: Floats, k: int) -> float:
        """Of MBG/CNBD-k, summed over shoppers; theta = (r, alpha, a, b)."""
        r, alpha, a, b = theta
        events = r + k * self.x
        common = (
            (k - 1) * self.log_waits - self.x * gammaln(k) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
        )
        left = betaln(a + 1, b + self.x) + gammaln(events) - events * np.log(alpha + self.t_x)
        # Alive, and fewer than k of the rate's events since the last visit.
        j = np.arange(k)[:, None]
        since = j * np.log(self.total - self.t_x) - gammaln(j + 1)
        waiting = since + gammaln(events + j) - (events + j) * np.log(alpha + self.total)
        alive = betaln(a, b + self.x + 1) + logsumexp(waiting, axis=0)
        return float((common + np.logaddexp(alive, left)).sum())


def fit_visits(
    visits: Visits, held: Visits, last: int, rng: np.random.Generator, longest_gap: int | None = None
) -> VisitModel:
    """Fit to the visits of some shoppers, seen until the last day of the log.

    Args:
        visits: of the shoppers fitted on.
        held: of others, who choose k; with no return among them it is 1.
        last: the last day.
        rng: simulates the others for the choice.
        longest_gap: days that stand for more in this log, taken as they are told.

    Raises:
        DataError: with fewer than 20 visits or none that is a shopper's second.
    """
    if len(visits.day) < 20 or not len(visits.gaps()):
        raise DataError(
            f"visits: needs at least 20 visits and a shopper who came twice, got {len(visits.day)} visits and "
            f"{len(visits.gaps())} returns; give a longer log"
        )
    seen = _Histories.of(visits, last)
    plain = VisitModel(
        rate_shape=1.0,
        rate_scale=1.0,
        regularity=1,
        leave_a=1.0,
        leave_b=1.0,
        sizes=np.sort(visits.size).astype(np.float64),
        tie=_tie(visits),
        longest_gap=longest_gap,
    )
    if not len(held.gaps()):
        return _likeliest(plain, seen, 1)
    models = [_likeliest(plain, seen, k) for k in REGULARITIES]
    return min(models, key=lambda model: _distance(model, held, last, rng))


def _likeliest(model: VisitModel, seen: _Histories, k: int) -> VisitModel:
    """The model with the likeliest times of regularity k."""
    begin = np.log([1.0, max(float(np.median(seen.total)) / (3 * k), 1.0), 1.0, 3.0])
    found = minimize(
        lambda theta: -seen.log_likelihood(np.exp(theta), k) / len(seen.x),
        begin,
        method="L-BFGS-B",
        bounds=[(-6.0, 8.0)] * 4,
    )
    r, alpha, a, b = np.exp(found.x).tolist()
    return replace(model, rate_shape=r, rate_scale=alpha, regularity=k, leave_a=a, leave_b=b)


def _distance(model: VisitModel, held: Visits, last: int, rng: np.random.Generator) -> float:
    """Kolmogorov-Smirnov distance of simulated gaps and those of `held`; 1 where no gap is simulated."""
    _, start = np.unique(held.shopper, return_index=True)
    drawn = model.simulate(held.day[start], last, rng).gaps()
    return float(ks_2samp(held.gaps(), drawn, method="asymp").statistic) if len(drawn) else 1.0


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
