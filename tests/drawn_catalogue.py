"""A drawn catalogue as a file, for tests and benchmarks of `copybandit generate`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from copybandit.sim.catalogue import draw_product


def write_catalogue(path: Path, n: int, seed: int = 0) -> Path:
    """A catalogue of `n` drawn products as CSV."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["product_id", "name", "title", "category", "brand", "price", "facts"])
        for number in range(n):
            p = draw_product(f"p{number:06d}", rng)
            table.writerow([p.product_id, p.name, p.title, p.category, p.brand, p.price, "; ".join(p.facts)])
    return path
