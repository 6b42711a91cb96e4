"""Ranks of many contenders that met the same draws, with intervals that hold all at once.

For every pair i < j, d_ij = mean_i - mean_j with standard error s_ij over clusters. The intervals d_ij +- c s_ij hold all at
once with 95% where c is the 95% point of max_ij |d*_ij - d_ij| / s_ij over a bootstrap of whole clusters (max-t; Romano &
Wolf, Econometrica 2005), and never less than one interval alone needs; with fewer than `LEAST_CLUSTERS` it is Student's, by
Bonferroni, exact where all clusters count the same, as seasons do. Whoever is surely better or worse
than a contender bounds its rank (Mogstad, Romano, Shaikh, Wilhelm, Review of Economic Studies 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.smooth import Smooth, critical
from copybandit.sim.types import DataError, Floats

LEAST_CLUSTERS = 30
"""Below it a bootstrap of clusters says too little of its tails."""
SLICE = 100
"""Resamples that are held at a time."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One contender.

    Attributes:
        name: of it.
        mean: with its own 95% interval.
        difference: to the reference, its interval holding together with all others; 0 for the reference itself.
        rank: by mean, 1 is the best.
        best, worst: ranks that the intervals leave open.
    """

    name: str
    mean: Interval
    difference: Interval
    rank: int
    best: int
    worst: int


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """All contenders, the best first.

    Attributes:
        rows: of them.
        reference: name of the one that all are compared with.
        clusters: how many clusters the intervals are from.
        critical: c of the module's formula.
        method: ``max-t bootstrap`` or ``Bonferroni``.
    """

    rows: tuple[Ranked, ...]
    reference: str
    clusters: int
    critical: float
    method: str


def rank(
    names: Sequence[str],
    total: Floats,
    count: Floats,
    *,
    reference: int,
    replicates: int,
    rng: np.random.Generator,
) -> Ranking:
    """Rank contenders by their means.

    Args:
        names: of the m contenders, all different.
        total: shape (m, g), sums of each contender in each cluster.
        count: shape (g,), what was counted in each cluster, the same for all.
        reference: place of the one that all are compared with.
        replicates: resamples of clusters.
        rng: draws them.

    Raises:
        DataError: fewer than two contenders or clusters, shapes that do not fit, or one name twice.
    """
    _check(names, total, count)
    m, g = total.shape
    means = [Smooth.mean(row, count) for row in total]
    pairs = [(i, j) for i in range(m) for j in range(i)]
    gaps = {pair: means[pair[0]] - means[pair[1]] for pair in pairs}
    if g < LEAST_CLUSTERS:
        c, method = critical(g, 1 - 0.05 / len(pairs)), "Bonferroni"
    else:
        c, method = _max_t(total, count, gaps, replicates, rng), "max-t bootstrap"
    order = np.argsort([-mean.value for mean in means], kind="stable").tolist()
    better = _surely_better(gaps, m, c)
    rows = tuple(
        Ranked(
            name=names[i],
            mean=means[i].interval(),
            difference=_reach(means[i] - means[reference], c),
            rank=place,
            best=1 + int(better[:, i].sum()),
            worst=m - int(better[i].sum()),
        )
        for place, i in enumerate(order, start=1)
    )
    return Ranking(rows=rows, reference=names[reference], clusters=g, critical=c, method=method)


def _check(names: Sequence[str], total: Floats, count: Floats) -> None:
    """Refuse what cannot be ranked; see `rank`."""
    m, g = total.shape
    if m < 2 or g < 2 or count.shape != (g,) or len(names) != m or len(set(names)) != m:
        raise DataError(
            f"rank: needs at least 2 contenders of different names and 2 clusters, got {list(names)} with {total.shape} "
            f"and {count.shape}; name each once"
        )


def _reach(gap: Smooth, c: float) -> Interval:
    reach = c * gap.std_err
    return Interval(value=gap.value, ci_low=gap.value - reach, ci_high=gap.value + reach)


def _surely_better(gaps: dict[tuple[int, int], Smooth], m: int, c: float) -> np.ndarray:
    """Whether the first is above the second beyond its interval, shape (m, m)."""
    found = np.zeros((m, m), dtype=np.bool_)
    for (i, j), gap in gaps.items():
        reach = c * gap.std_err
        found[i, j], found[j, i] = gap.value > reach, gap.value < -reach
    return found


def _max_t(
    total: Floats,
    count: Floats,
    gaps: dict[tuple[int, int], Smooth],
    replicates: int,
    rng: np.random.Generator,
) -> float:
    """The 95% point of the largest |t| of a pair; pairs that never differ have none."""
    told = {pair: gap for pair, gap in gaps.items() if gap.std_err > 0}
    if not told:
        return critical(len(count))
    first, second = (np.array([pair[side] for pair in told]) for side in (0, 1))
    value = np.array([gap.value for gap in told.values()])
    std_err = np.array([gap.std_err for gap in told.values()])
    g, largest = len(count), list[Floats]()
    for start in range(0, replicates, SLICE):
        size = min(SLICE, replicates - start)
        weights = rng.multinomial(g, np.full(g, 1 / g), size=size).astype(np.float64)
        drawn = (weights @ total.T) / (weights @ count)[:, None]
        t = np.abs(drawn[:, first] - drawn[:, second] - value) / std_err
        largest.append(t.max(axis=1))
    return max(float(np.quantile(np.concatenate(largest), 0.95)), critical(g))
