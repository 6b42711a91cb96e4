"""Intervals by hierarchical bootstrap: seeds are resampled, then products; the cells of a product stay together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from copybandit.sim.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An effect with its 95% interval."""

    value: float
    ci_low: float
    ci_high: float


def product_means(values: Floats, product: Ints) -> Floats:
    """Mean of each product's cells, values of shape (s, n) to shape (s, p)."""
    _, code = np.unique(product, return_inverse=True)
    count = np.bincount(code)
    return np.stack([np.bincount(code, row) / count for row in values])


def resample(n_seeds: int, n_products: int, replicates: int, rng: np.random.Generator) -> Floats:
    """Weights of seeds and products in each replicate, shape (replicates, n_seeds, n_products), summing to 1."""
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=replicates) / n_seeds
    products = rng.multinomial(n_products, np.full(n_products, 1 / n_products), size=replicates) / n_products
    return np.asarray(seeds[:, :, None] * products[:, None, :])


def sum_interval(
    sums: Floats, statistic: Callable[[Floats], Floats], replicates: int, rng: np.random.Generator
) -> Interval:
    """Any function of sums over seeds and products; it is nan where the function is nan in some replicate.

    Args:
        sums: shape (k, s, p), k quantities of each seed and product.
        statistic: of k weighted sums, shape (..., k) to shape (...).
        replicates: of the bootstrap.
        rng: draws them.
    """
    _, seeds, products = sums.shape
    weights = resample(seeds, products, replicates, rng)
    draws = statistic(np.einsum("rsp,ksp->rk", weights, sums))
    low, high = np.quantile(draws, (0.025, 0.975))
    value = float(statistic(sums.mean(axis=(1, 2))))
    return Interval(value=value, ci_low=float(low), ci_high=float(high))


def mean_interval(values: Floats, product: Ints, replicates: int, rng: np.random.Generator) -> Interval:
    """Mean over seeds and products, each product by its mean over its cells; values of shape (s, n)."""
    sums = product_means(values, product)[None]
    return sum_interval(sums, lambda total: total[..., 0], replicates, rng)


def lift_of(total: Floats) -> Floats:
    """Relative lift of the first of two sums over the second, shape (..., 2) to (...); nan where the second is 0."""
    bottom = np.where(total[..., 1] == 0, np.nan, total[..., 1])
    return np.asarray(total[..., 0] / bottom - 1)


def lift_interval(
    ours: Floats, theirs: Floats, product: Ints, replicates: int, rng: np.random.Generator
) -> Interval:
    """Relative lift of mean(ours) over mean(theirs), paired by seed and product, each product counting once.

    Args:
        ours: shape (s, n), click rates.
        theirs: shape (s, n), the same of the other writer; one without seeds repeats its row.
        product: shape (n,).
        replicates: of the bootstrap.
        rng: draws them.
    """
    sums = np.stack([product_means(ours, product), product_means(theirs, product)])
    return sum_interval(sums, lift_of, replicates, rng)
