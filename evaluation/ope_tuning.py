"""How far to shrink: SLOPE++ (Tucker, Lee 2021, after Su, Srinath, Krishnamurthy 2020).

The settings are put in order of their confidence widths, widest first: much variance and little bias at the start, the
other way round at the end. The last one is chosen whose value agrees with all before it,

    |theta_i - theta_j| <= width_i + (sqrt(6) - 1) width_j   for all j < i,

for then its bias is not yet more than the noise. No bound on the bias need be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from copybandit.evaluation.ope_estimate import Estimate, evaluate
from copybandit.evaluation.ope_estimators import Estimator
from copybandit.evaluation.ope_rows import Rows
from copybandit.sim.types import DataError, Floats

AGREEMENT = 6**0.5 - 1
GRID = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, float("inf"))
"""Of c for clipped and Switch-DR, in the unit of weights; its squares suit DR-os."""
DELTA = 0.1
"""Chance that a one-sided interval fails; it sets the widths."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The chosen setting.

    Attributes:
        setting: its value.
        estimate: what it gives; the interval does not know that it was chosen.
        tried: the settings in order of their widths, widest first.
        values: what each gives, in that order.
    """

    setting: float
    estimate: Estimate
    tried: tuple[float, ...]
    values: tuple[float, ...]


def tune(
    log: Rows | Iterable[Rows],
    family: Callable[[float], Estimator],
    grid: Sequence[float] = GRID,
    *,
    refuse: bool = True,
) -> Tuned:
    """Choose c for `clipped`, `switch_dr` or `dr_os` in one pass over the log.

    Args:
        log: the rows, whole or in chunks.
        family: c to estimator.
        grid: values of c.
        refuse: as of `evaluate`, for the chosen one.

    Raises:
        DataError: an empty grid, or as of `evaluate`.
    """
    settings = _settings(grid)
    found = evaluate(log, [family(c) for c in settings], refuse=False)
    return choose(settings, found, refuse)


def tune_rows(
    rows_of: Callable[[float], Rows], estimator: Estimator, grid: Sequence[float], *, refuse: bool = True
) -> Tuned:
    """Choose a setting that makes the rows themselves, such as the width of `kernel_rows`.

    Args:
        rows_of: setting to rows.
        estimator: of their value.
        grid: settings.
        refuse: as of `evaluate`, for the chosen one.

    Raises:
        DataError: an empty grid, or as of `evaluate`.
    """
    settings = _settings(grid)
    found = tuple(evaluate(rows_of(setting), [estimator], refuse=False)[0] for setting in settings)
    return choose(settings, found, refuse)


def slope(values: Floats, widths: Floats) -> int:
    """Index of the choice.

    Args:
        values: shape (m,), estimates.
        widths: shape (m,), half-widths of their intervals.
    """
    order = np.argsort(-widths, kind="stable")
    chosen = int(order[0])
    for place, i in enumerate(order[1:].tolist(), start=1):
        before = order[:place]
        if (np.abs(values[before] - values[i]) > widths[i] + AGREEMENT * widths[before]).any():
            break
        chosen = i
    return chosen


def _settings(grid: Sequence[float]) -> tuple[float, ...]:
    if len(grid) == 0:
        raise DataError("tune: grid must have at least 1 value, got none; name some")
    return tuple(float(c) for c in grid)


def choose(grid: Sequence[float], found: Sequence[Estimate], refuse: bool) -> Tuned:
    """The setting that SLOPE++ takes.

    Args:
        grid: settings.
        found: what each gives, with its number even where a gate refuses it.
        refuse: whether the chosen one keeps its number then.
    """
    values = np.array([estimate.value for estimate in found])
    widths = float(ndtri(1 - DELTA)) * np.array([estimate.std_err for estimate in found])
    chosen, order = slope(values, widths), np.argsort(-widths, kind="stable").tolist()
    best = found[chosen]
    return Tuned(
        setting=grid[chosen],
        estimate=best.without_number() if refuse and best.refused else best,
        tried=tuple(grid[i] for i in order),
        values=tuple(found[i].value for i in order),
    )
