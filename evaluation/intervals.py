"""Intervals by hierarchical bootstrap: seeds are resampled, then products; the cells of a product stay together."""

from __future__ import annotations

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


def mean_interval(values: Floats, product: Ints, replicates: int, rng: np.random.Generator) -> Interval:
    """Mean over seeds and cells, values of shape (s, n)."""
    by_product = product_means(values, product)
    weights = resample(by_product.shape[0], by_product.shape[1], replicates, rng)
    return _interval(float(by_product.mean()), (weights * by_product).sum(axis=(1, 2)))


def lift_interval(
    ours: Floats, theirs: Floats, product: Ints, replicates: int, rng: np.random.Generator
) -> Interval:
    """Relative lift of mean(ours) over mean(theirs), paired by seed and product.

    Args:
        ours: shape (s, n), click rates.
        theirs: shape (s, n), the same of the other writer; one without seeds repeats its row.
        product: shape (n,).
        replicates: of the bootstrap.
        rng: draws them.
    """
    a, b = product_means(ours, product), product_means(theirs, product)
    weights = resample(a.shape[0], a.shape[1], replicates, rng)
    draws = (weights * a).sum(axis=(1, 2)) / (weights * b).sum(axis=(1, 2)) - 1
    return _interval(float(a.mean() / b.mean() - 1), draws)


def _interval(value: float, draws: Floats) -> Interval:
    low, high = np.quantile(draws, (0.025, 0.975))
    return Interval(value=value, ci_low=float(low), ci_high=float(high))
