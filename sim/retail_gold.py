"""A second opinion on a real shop, to judge the fitted one by: another family, another encoder, later time.

Taste comes from what was bought together in the later part of the log (positive pointwise mutual information, factorised:
Levy and Goldberg, 2014); copy is placed in that space by ridge regression from character n-grams of product titles.
Wording comes from random Fourier features of style, fitted on the judge split of the A/B tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from copybandit.sim.encoders import CharGrams, RandomFourier, _right_singular
from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.interest_features import interest_text
from copybandit.sim.types import DataError, Floats, Product
from copybandit.sim.wording import Arms, LinearWording, fit_wording


@dataclass(frozen=True, kw_only=True)
class CollaborativeText:
    """Places texts among products by their characters.

    Attributes:
        grams: hashed character n-grams.
        matrix: shape (size, d).
    """

    grams: CharGrams
    matrix: Floats

    def texts(self, texts: Sequence[str]) -> Floats:
        """Vectors, shape (n, d)."""
        return np.asarray(self.grams.sparse(texts) @ self.matrix)


@dataclass(frozen=True, kw_only=True)
class Collaborative:
    """Tastes read off baskets.

    Attributes:
        shoppers: shape (n_shoppers, d); a shopper without later purchases has the mean taste.
        products: shape (n_products, d).
        text: places copy in the same space.
    """

    shoppers: Floats
    products: Floats
    text: CollaborativeText


def fit_collaborative(
    later: EventTable, products: Sequence[Product], dimension: int = 24, penalty: float = 1.0
) -> Collaborative:
    """Factorise the later purchases of a log.

    Args:
        later: events after the cut in time.
        products: the catalogue, in the log's product order.
        dimension: of the space.
        penalty: ridge penalty of the map from characters to the space.
    """
    bought = later.kind == PURCHASE
    if not bought.any():
        raise DataError(
            "gold taste: at least one purchase in the later part of the log is needed, got none; give a longer log"
        )
    shape = (len(later.shopper_ids), len(products))
    basket = sparse.csr_matrix(
        (np.ones(int(bought.sum())), (later.shopper[bought], later.product[bought])), shape=shape
    )
    basket.data = np.ones_like(basket.data)
    basket.sum_duplicates()
    basket.data = np.minimum(basket.data, 1.0)
    weights = 1 / np.sqrt(np.maximum(np.asarray(basket.sum(axis=1)).ravel(), 1.0))
    together = (sparse.diags(weights) @ basket).T @ basket
    items = _right_singular(
        sparse.csr_matrix(_ppmi(np.asarray(together.todense()))), min(dimension, len(products) - 1)
    )
    items = items / np.maximum(np.linalg.norm(items, axis=1, keepdims=True), 1e-9)
    count = np.asarray(basket.sum(axis=1)).ravel()
    shoppers = np.asarray(basket @ items) / (count + 5.0)[:, None]
    shoppers[count == 0] = shoppers[count > 0].mean(axis=0)
    return Collaborative(shoppers=shoppers, products=items, text=_place(products, items, penalty))


def _ppmi(together: Floats) -> Floats:
    """Positive pointwise mutual information of a co-occurrence matrix, its diagonal left out."""
    np.fill_diagonal(together, 0.0)
    total = together.sum() or 1.0
    expected = np.outer(together.sum(axis=1), together.sum(axis=0)) / total
    ratio = np.divide(together, expected, out=np.ones_like(together), where=expected > 0)
    return np.maximum(np.log(np.maximum(ratio, 1e-12)), 0.0)


def _place(products: Sequence[Product], items: Floats, penalty: float) -> CollaborativeText:
    grams = CharGrams(size=4096)
    x = grams.sparse([interest_text(product) for product in products])
    gram = (x @ x.T).toarray() + penalty * np.eye(len(products))
    return CollaborativeText(
        grams=grams, matrix=np.asarray(x.T @ np.linalg.solve(gram, items - items.mean(axis=0)))
    )


def fit_gold_wording(arms: Arms, rng: np.random.Generator) -> LinearWording:
    """One ridge over 128 random Fourier features of style, on the judge split of the A/B tests."""
    encoder = RandomFourier.fit(arms.texts, 128, 1.0, rng)
    return fit_wording(arms, (encoder,), rng, members=1)
