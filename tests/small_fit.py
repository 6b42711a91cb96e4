"""Small files for `copybandit fit`, and a fit of them without a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from copybandit.evaluation.fit_inputs import FitRequest
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.shop_fit import fit_files
from tests.small_world import small_world


def fit_quietly(request: FitRequest, out: Path) -> Mapping[str, Any]:
    with RunFolder.create(out, request) as folder:
        return fit_files(folder, Silent())


def write_events(folder: Path, n_shoppers: int = 600) -> tuple[Path, Path]:
    """The synthetic shop's log with views, carts, purchases, returns and searches, and its catalogue."""
    world = small_world(n_products=60, n_shoppers=n_shoppers)
    table = world.events.to_arrow().to_pandas()
    table["kind"] = table["kind"].astype(str)
    path, catalogue = folder / "events.csv", folder / "products.csv"
    table.to_csv(path, index=False)
    columns = ("product_id", "name", "title", "category", "brand", "price")
    rows = [{**{c: getattr(p, c) for c in columns}, "facts": ";".join(p.facts)} for p in world.products]
    pd.DataFrame(rows).to_csv(catalogue, index=False)
    return path, catalogue


def write_panel(path: Path, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    household = np.repeat(np.arange(80), 12)
    price = rng.choice([1.0, 1.2, 1.5], size=(len(household), 2))
    utility = np.log(price) * -3 + rng.normal(size=(80, 2))[household] + rng.gumbel(size=price.shape)
    choice = np.array(["red", "blue"])[utility.argmax(axis=1)]
    frame = pd.DataFrame(
        {"id": household, "choice": choice, "price.red": price[:, 0], "price.blue": price[:, 1]}
    )
    frame.to_csv(path, index=False)
    return path
