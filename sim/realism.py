"""How far a simulated shop is from the real one: distances of marginals, and the pull of prices."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from copybandit.sim.baskets import Marginals
from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.types import DataError, Floats

GRID = 101


@dataclass(frozen=True, kw_only=True)
class MarginalGap:
    """One marginal, simulated against real.

    Attributes:
        name: field of `Marginals`.
        ks: Kolmogorov-Smirnov distance, 0 to 1.
        js: Jensen-Shannon divergence in bits over 20 bins of equal real count, 0 to 1.
        ks_floor: Kolmogorov-Smirnov distance of two sets of real shoppers, those fitted on and those judged.
        n_real, n_simulated: sample sizes.
        real, simulated: shape (101,), percentiles 0 to 100.
    """

    name: str
    ks: float
    js: float
    ks_floor: float
    n_real: int
    n_simulated: int
    real: Floats
    simulated: Floats


def compare_marginals(real: Marginals, simulated: Marginals, fitted: Marginals) -> tuple[MarginalGap, ...]:
    """Compare every marginal of judged shoppers with the simulated ones; `fitted` sets the floor."""
    found = []
    for field in fields(Marginals):
        a, b, c = (getattr(sample, field.name) for sample in (real, simulated, fitted))
        if not len(a) or not len(b):
            raise DataError(
                f"realism: {field.name} needs a real and a simulated value, got {len(a)} and {len(b)}; "
                "give a longer log"
            )
        grid = np.linspace(0, 1, GRID)
        found.append(
            MarginalGap(
                name=field.name,
                ks=ks_distance(a, b),
                js=js_divergence(a, b),
                ks_floor=ks_distance(a, c),
                n_real=len(a),
                n_simulated=len(b),
                real=np.quantile(a, grid),
                simulated=np.quantile(b, grid),
            )
        )
    return tuple(found)


def ks_distance(a: Floats, b: Floats) -> float:
    """Largest distance of two empirical distribution functions."""
    points = np.concatenate([a, b])
    upto = [np.searchsorted(np.sort(x), points, side="right") / len(x) for x in (a, b)]
    return float(np.abs(upto[0] - upto[1]).max())


def js_divergence(real: Floats, simulated: Floats, bins: int = 20) -> float:
    """Jensen-Shannon divergence in bits (Lin, 1991) over bins at the quantiles of the real sample."""
    edges = np.unique(np.quantile(real, np.linspace(0, 1, bins + 1)[1:-1]))
    p, q = (
        np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1) / len(x)
        for x in (real, simulated)
    )
    middle = (p + q) / 2
    parts = [
        np.where(x > 0, x * np.log2(np.where(x > 0, x, 1) / np.maximum(middle, 1e-300)), 0) for x in (p, q)
    ]
    return float(0.5 * (parts[0].sum() + parts[1].sum()))


@dataclass(frozen=True, kw_only=True)
class LogElasticity:
    """Per cent that weekly units of a product change when its price rises by 1 per cent.

    Attributes:
        value: within products and weeks; NaN where no price ever changes.
        error: standard error, clustered by product.
        n: product-weeks.
        n_products: products seen in at least two weeks.
    """

    value: float
    error: float
    n: int
    n_products: int


def log_elasticity(events: EventTable) -> LogElasticity:
    """Regress log units on log mean unit price over product-weeks with sales, less product and week means.

    Two-way means are taken out by alternation (Guimaraes and Portugal, 2010). Weeks without sales are not seen, and
    a discount for large orders looks like a response to price: it is a check of plausibility, no causal estimate.
    """
    rows = events.kind == PURCHASE
    week = events.time[rows].astype("datetime64[W]").astype(np.int64)
    cell, code = np.unique(np.stack([events.product[rows], week]), axis=1, return_inverse=True)
    units = np.bincount(code.ravel(), events.quantity[rows])
    spent = np.bincount(code.ravel(), events.quantity[rows] * events.price[rows])
    kept = np.bincount(cell[0])[cell[0]] >= 2
    if not kept.any():
        return LogElasticity(value=np.nan, error=np.nan, n=0, n_products=0)
    _, product = np.unique(cell[0, kept], return_inverse=True)
    _, by_week = np.unique(cell[1, kept], return_inverse=True)
    y, x = np.log(units[kept]), np.log(spent[kept] / units[kept])
    for _ in range(30):
        for group in (product, by_week):
            count = np.bincount(group)
            y, x = (v - (np.bincount(group, v) / count)[group] for v in (y, x))
    energy = float(x @ x)
    if energy < 1e-9 * len(x):
        return LogElasticity(value=np.nan, error=np.nan, n=len(x), n_products=int(product.max()) + 1)
    slope = float(x @ y) / energy
    pull = np.bincount(product, x * (y - slope * x))
    error = float(np.sqrt((pull**2).sum())) / energy
    return LogElasticity(value=slope, error=error, n=len(x), n_products=int(product.max()) + 1)
