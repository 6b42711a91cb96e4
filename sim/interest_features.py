"""Products, and copy, as vectors of one space: LSA text, category and price band.

A piece of copy has a text and nothing else, so its category and price band are read off the text: a ridge regression of
them on the text of the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.sim.encoders import Lsa
from copybandit.sim.types import Floats, Product


@dataclass(frozen=True, kw_only=True)
class ProductFeatures:
    """Turns products, and copy, into vectors of one space.

    Attributes:
        lsa: text encoder, fitted on product texts.
        categories: labels, in column order.
        price_knots: shape (3,), log prices of the low, middle and high band.
        centre: shape (d,), mean product.
        inferred: shape (d_text, d - d_text), reads category and price band off a text.
        block_scale: weights of text, category and price.
    """

    lsa: Lsa
    categories: tuple[str, ...]
    price_knots: Floats
    centre: Floats
    inferred: Floats
    block_scale: tuple[float, float, float] = (1.0, 0.7, 0.5)

    @classmethod
    def fit(cls, products: Sequence[Product], dimension: int = 100) -> ProductFeatures:
        """Fit encoder, categories and price bands on a catalogue."""
        lsa = Lsa.fit([interest_text(product) for product in products], dimension)
        categories = tuple(sorted({product.category for product in products}))
        knots = np.quantile(np.log([product.price for product in products]), (0.1, 0.5, 0.9))
        blank = cls(
            lsa=lsa, categories=categories, price_knots=knots, centre=np.zeros(1), inferred=np.zeros((1, 1))
        )
        raw = blank._raw(products)
        x = raw - raw.mean(axis=0)
        text, rest = x[:, : lsa.dimension], x[:, lsa.dimension :]
        gram = text.T @ text
        inferred = np.linalg.solve(gram + 0.5 * np.trace(gram) / len(gram) * np.eye(len(gram)), text.T @ rest)
        return replace(blank, centre=raw.mean(axis=0), inferred=inferred)

    def _raw(self, products: Sequence[Product]) -> Floats:
        text, category, price = self.block_scale
        column = {label: index for index, label in enumerate(self.categories)}
        onehot = np.zeros((len(products), len(self.categories)))
        for row, product in enumerate(products):
            if product.category in column:
                onehot[row, column[product.category]] = category
        logs = np.log([product.price for product in products])
        width = max(float(np.diff(self.price_knots).mean()), 0.1)
        bands = price * np.exp(-(((logs[:, None] - self.price_knots) / width) ** 2))
        return np.hstack([text * self.lsa.encode([interest_text(p) for p in products]), onehot, bands])

    def products(self, products: Sequence[Product]) -> Floats:
        """Centred product vectors, shape (m, d)."""
        return self._raw(products) - self.centre

    def texts(self, texts: Sequence[str]) -> Floats:
        """Copy as if it were a product known by its text alone, not centred, shape (n, d)."""
        block = self.block_scale[0] * self.lsa.encode(texts)
        return np.hstack([block, block @ self.inferred])


def interest_text(product: Product) -> str:
    """Text that says what a product is, its category included."""
    return f"{product.category}. {product.text}"
