"""Anytime-valid confidence sequence by betting: m is ruled out once a fair game against m has made a gambler rich.

For terms x in [0, 1] whose mean is m, given the past, the wealth of who puts the share f of it on "more than m" each time,

    K_f(m) = prod_i (1 - f + f x_i / m),     and their mixture     K(m) = sum_f prior(f) K_f(m),

is a nonnegative martingale that starts at 1, so it ever reaches 1 / alpha with probability at most alpha (Ville). The lower
end is the least m with K(m) < 1 / alpha, at every time at once; the upper end is 1 minus that of 1 - x. The mixture of
fixed shares is Cover's universal portfolio on a grid: no variance is guessed, and nothing depends on the order of rows
(Waudby-Smith & Ramdas, JRSS-B 2023, for betting; Orabona & Jun, arXiv 2110.14099, for portfolios).

So counts of x suffice. They are kept on a fixed grid of edges, each x split between its neighbours such that the mean
is kept: log is concave, so the wealth so computed is never above the true one, and the interval never too short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.bounds import Bounds, Side, Span, per_side, sided
from copybandit.sim.types import Bools, DataError, Floats

_HALF = np.geomspace(1e-7, 0.5, 400)
EDGES: Floats = np.concatenate([[0.0], _HALF, 1 - _HALF[-2::-1], [1.0]])
"""Shape (801,), symmetric, 4% apart next to either end: clicks are rare, and weights rarely near their bound."""
SHARES: Floats = np.concatenate([[0.98, 0.9, 0.7], 0.5 ** np.arange(1, 18)])
PRIOR: Floats = 1 / np.arange(1, 21) / (1 / np.arange(1, 21)).sum()
"""Large shares first: they win while rows are few, and for the upper end of rare rewards."""
_START = -40.0
"""log of (where the search for an end begins / mean): an end below is told as 0."""
_LEAST = 1e-100
"""The lower end of a mean that is smaller is told as 0."""
_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class BettingSequence:
    """All that a betting sequence remembers of its rows; `update` gives the next one.

    Attributes:
        span: range that the terms are known to keep.
        mass: shape (runs, 801), how many rows at each edge.
    """

    span: Span
    mass: Floats

    @staticmethod
    def start(span: Span, runs: int = 1) -> BettingSequence:
        """Before the first row."""
        return BettingSequence(span=span, mass=np.zeros((runs, len(EDGES))))

    def update(self, terms: Floats) -> BettingSequence:
        """Learn a batch of rows, which together with the others gives what all at once would.

        Args:
            terms: shape (runs, rows), or (rows,) for one run; each with the wanted mean, given the rows before it.

        Raises:
            DataError: terms leave the span, or there are other runs.
        """
        x = self.span.unit(terms)
        if len(x) != len(self.mass):
            raise DataError(
                f"BettingSequence: terms must have {len(self.mass)} runs, got {len(x)}; keep their order"
            )
        return replace(self, mass=self.mass + _spread(x))

    def log_wealth_above(self, mean: Floats | float) -> Floats:
        """Evidence, log K of the bet that the mean is above a value, shape (runs,).

        Args:
            mean: in the terms' unit; shape (runs,) or one number.

        Raises:
            DataError: it is not strictly inside the span.
        """
        return _log_wealth(self.mass, self._share(mean))[0]

    def log_wealth_below(self, mean: Floats | float) -> Floats:
        """Evidence, log K of the bet that the mean is below a value, as `log_wealth_above`."""
        return _log_wealth(self.mass[:, ::-1], 1 - self._share(mean))[0]

    def excludes(self, mean: Floats | float, *, alpha: float = 0.05, side: Side = "two") -> Bools:
        """Shape (runs,): whether `bounds` leave a value out, without the search for their ends."""
        rich = -np.log(per_side(alpha, side))
        below = side != "upper" and self.log_wealth_above(mean) >= rich
        above = side != "lower" and self.log_wealth_below(mean) >= rich
        return np.asarray(below | above)

    def bounds(self, *, alpha: float = 0.05, side: Side = "two") -> Bounds:
        """The interval now: valid at every time, however often one looks and whenever one stops.

        Raises:
            DataError: no row was seen, or alpha or side is unknown.
        """
        rich = -np.log(per_side(alpha, side))
        n = self.mass.sum(axis=1)
        if not (n > 0).all():
            raise DataError("BettingSequence: at least 1 row is needed for bounds, got 0; update it first")
        mean = self.mass @ EDGES / n
        low = np.minimum(_lower_end(self.mass, rich), mean) if side != "upper" else mean
        high = np.maximum(1 - _lower_end(self.mass[:, ::-1], rich), mean) if side != "lower" else mean
        value = self.span.value
        return sided(value(mean), value(low), value(high), side, self.span)

    def _share(self, mean: Floats | float) -> Floats:
        m = np.broadcast_to((np.asarray(mean, dtype=float) - self.span.low) / self.span.width, len(self.mass))
        if not ((m > 0) & (m < 1)).all():
            raise DataError(
                f"BettingSequence: a mean to bet against must lie strictly in {self.span}, got {mean}; choose another"
            )
        return np.asarray(m)


def _spread(x: Floats) -> Floats:
    """Counts at the edges, shape (runs, rows) to (runs, 801), with the same mean; zeros, the many, are only counted."""
    run, row = np.nonzero(x)
    seen = x[run, row]
    left = np.minimum(np.searchsorted(EDGES, seen, side="right") - 1, len(EDGES) - 2)
    right_part = (seen - EDGES[left]) / (EDGES[left + 1] - EDGES[left])
    place, size = run * len(EDGES) + left, len(x) * len(EDGES)
    mass = np.bincount(place, 1 - right_part, size) + np.bincount(place + 1, right_part, size)
    mass = mass.reshape(len(x), -1)
    mass[:, 0] += x.shape[1] - np.bincount(run, minlength=len(x))
    return np.asarray(mass)


def _log_wealth(mass: Floats, m: Floats) -> tuple[Floats, Floats]:
    """Logarithm of K(m) and its derivative by log m, shape (runs,) each; m of shape (runs,), in (0, 1]."""
    used = np.flatnonzero(mass.any(axis=0))
    counts, ratio = mass[:, used], EDGES[used] / m[:, None]
    logs, slopes = np.empty((2, len(SHARES), len(m)))
    for d, share in enumerate(SHARES):
        factor = (1 - share) + share * ratio
        logs[d] = np.log(PRIOR[d]) + np.einsum("re,re->r", counts, np.log(factor))
        slopes[d] = -np.einsum("re,re->r", counts, share * ratio / factor)
    top = logs.max(axis=0)
    parts = np.exp(logs - top)
    return np.asarray(top + np.log(parts.sum(axis=0))), np.asarray(
        (parts * slopes).sum(axis=0) / parts.sum(axis=0)
    )


def _lower_end(mass: Floats, rich: float) -> Floats:
    """Where log K(m) = rich, shape (runs,), in [0, mean].

    log K is convex and falls with log m, so Newton's steps from the left stay on the left: valid wherever they end.
    """
    mean = mass @ EDGES / mass.sum(axis=1)
    live = np.flatnonzero(mean > _LEAST)
    log_m = np.full(len(mass), -np.inf)
    log_m[live] = np.log(mean[live]) + _START
    for step in range(_STEPS):
        value, slope = _log_wealth(mass[live], np.exp(log_m[live]))
        if step == 0:
            log_m[live[value <= rich]] = -np.inf
        move = np.where(value > rich, (rich - value) / np.minimum(slope, -1e-300), 0.0)
        log_m[live] += move
        live = live[move > 1e-10]
        if not len(live):
            break
    return np.asarray(np.exp(log_m))
