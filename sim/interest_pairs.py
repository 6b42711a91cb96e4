"""What a model of interest learns from and is judged on: purchases beside products that were not bought, later in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.types import Bools, DataError, Ints


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Shopper-product pairs with a label, each array of shape (n,)."""

    shopper: Ints
    product: Ints
    label: Ints


Negatives = Literal["matched", "uniform"]
"""How products that were not bought are drawn: as often as they are bought, or all alike."""


def purchase_pairs(
    events: EventTable,
    shoppers: Bools,
    n_products: int,
    rng: np.random.Generator,
    negatives: int = 3,
    scheme: Negatives = "matched",
) -> Pairs:
    """First purchases of the given shoppers in a log, each with `negatives` products that the shopper did not buy.

    Args:
        events: the later part of the log.
        shoppers: shape (n_shoppers,), which shoppers to use.
        n_products: size of the catalogue.
        rng: draws the negatives.
        negatives: per positive; a negative that the shopper did buy is dropped.
        scheme: how they are drawn; popularity alone tells uniform ones apart, matched ones hardly.
    """
    bought = events.kind == PURCHASE
    code = np.unique(events.shopper[bought] * n_products + events.product[bought])
    popularity = np.bincount(code % n_products, minlength=n_products).astype(np.float64)
    code = code[shoppers[code // n_products]]
    if not len(code):
        raise DataError("interest: at least one later purchase is needed, got none; give a longer log")
    chance = popularity if scheme == "matched" else np.ones(n_products)
    fake = rng.choice(n_products, size=(len(code), negatives), p=chance / chance.sum())
    fake_code = (code // n_products)[:, None] * n_products + fake
    fake_code = fake_code[~np.isin(fake_code, code)]
    both = np.concatenate([code, fake_code])
    label = np.repeat([1, 0], [len(code), len(fake_code)])
    return Pairs(shopper=both // n_products, product=both % n_products, label=label)


def cut_in_time(events: EventTable, share: float = 0.7) -> tuple[EventTable, EventTable]:
    """Split a log at the time before which `share` of its rows lie."""
    cut = np.sort(events.time)[int(share * (len(events.time) - 1))]
    return events.take(events.time <= cut), events.take(events.time > cut)
