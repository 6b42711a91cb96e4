"""A shop as arrays: who likes what in truth and as far as the shop knows, what is on show, and who looks at what.

    log-odds(u, p, j) = base + level[p] + wording[p, j] + shoppers[u] . (products[p] + topics[p, j])

for shopper u and copy j of product p. `interest` is level[p] + shoppers[u] . products[p].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.types import Bools, DataError, Floats, Ints

Floats32 = NDArray[np.float32]
"""float32 array; its shape is given where it is used."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account of who clicks what, the truth or a belief; S shoppers, P products with k copies each, d dimensions.

    Attributes:
        base: log-odds of a click on average copy in the first place.
        shoppers: shape (S, d).
        products: shape (P, d).
        level: shape (P,), what everybody thinks of the product, in log-odds.
        topics: shape (P, k, d), what the copy talks about, on the scale of the match.
        wording: shape (P, k), what the copy does to everybody, in log-odds.
    """

    base: float
    shoppers: Floats32
    products: Floats32
    level: Floats32
    topics: Floats32
    wording: Floats32

    def __post_init__(self) -> None:
        p, k, d = self.topics.shape if self.topics.ndim == 3 else (0, 0, 0)
        wanted = {"products": (p, d), "level": (p,), "topics": (p, k, d), "wording": (p, k)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape or not np.isfinite(getattr(self, name)).all():
                raise DataError(
                    f"account: {name} must be finite and {shape} beside topics {self.topics.shape}, "
                    f"got {getattr(self, name).shape}; give one row per product"
                )
        if self.shoppers.ndim != 2 or self.shoppers.shape[1] != d or not len(self.shoppers):
            raise DataError(
                f"account: shoppers must be (n, {d}) with n >= 1, got {self.shoppers.shape}; use one vector space"
            )

    @property
    def size(self) -> tuple[int, int, int]:
        """How many shoppers, products, and copies of a product: S, P, k."""
        return len(self.shoppers), *self.wording.shape

    def spread(self, heterogeneity: float) -> Floats32:
        """Shoppers whose distance from the average one is multiplied, shape (S, d)."""
        mean = self.shoppers.mean(axis=0, dtype=np.float64)
        return np.asarray(mean + heterogeneity * (self.shoppers - mean), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Storefront:
    """What an environment is made of; the shop does not know `truth`, `sensitivity`, `lean` and `change`.

    Attributes:
        truth, belief: accounts of the same shoppers, products and copies; their vector spaces may differ.
        segment: shape (S,), who browses alike.
        browse: shape (G, P), share of the products among the visits of each segment; rows sum to 1.
        price: shape (P,), in the shop's currency.
        relative: shape (P,), log(price / median price of its category).
        sensitivity: shape (S,), how much a shopper minds the price; 1 on average.
        lean: shape (P,), 1 or -1, whether a product gains or loses when a shopper's interest takes a step up.
        change: shape (P, k), how the wording of a copy changes with the abrupt shift, in standard deviations.
        present: shape (P, k), which copies exist; each product needs one.
        cluster: shape (P, k), cluster of similar copies.
        features: shape (P, k, q), what policies see of the copies.
        names: of the P products, or empty.
        texts: k copies of each product, or empty.
    """

    truth: Account
    belief: Account
    segment: Ints
    browse: Floats
    price: Floats
    relative: Floats
    sensitivity: Floats
    lean: Ints
    change: Floats
    present: Bools
    cluster: Ints
    features: Floats32
    names: tuple[str, ...] = ()
    texts: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.truth.size != self.belief.size:
            raise DataError(
                f"storefront: truth and belief must have the same sizes, got {self.truth.size} and "
                f"{self.belief.size}; fit the belief on the shop's own shoppers and products"
            )
        s, p, k = self.truth.size
        shapes = {
            "segment": (s,),
            "browse": (len(self.browse), p),
            "price": (p,),
            "relative": (p,),
            "sensitivity": (s,),
            "lean": (p,),
            "change": (p, k),
            "present": (p, k),
            "cluster": (p, k),
            "features": (p, k, self.features.shape[-1]),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise DataError(
                    f"storefront: {name} must be {shape}, got {getattr(self, name).shape}; correct its shape"
                )
        self._check_values()

    def _check_values(self) -> None:
        if not self.present.any(axis=1).all():
            row = int((~self.present.any(axis=1)).argmax())
            raise DataError(f"storefront: product {row} must have a copy, got none; drop it or add one")
        if not (np.abs(self.lean) == 1).all():
            raise DataError(
                f"storefront: lean must be 1 or -1, got {np.unique(self.lean)[:5].tolist()}; use signs"
            )
        if self.segment.min() < 0 or self.segment.max() >= len(self.browse):
            raise DataError(
                f"storefront: segment must be in [0, {len(self.browse)}), got {self.segment.min()} to "
                f"{self.segment.max()}; give browse one row per segment"
            )
        if self.cluster.min() < 0:
            raise DataError(
                f"storefront: cluster must be at least 0, got {self.cluster.min()}; number from 0"
            )
        total = self.browse.sum(axis=1)
        if (self.browse < 0).any() or not np.allclose(total, 1):
            raise DataError(
                f"storefront: rows of browse must be >= 0 and sum to 1, got sums {total.min():.3g} to "
                f"{total.max():.3g}; normalise them"
            )


def account_of(
    base: float, shoppers: Floats, products: Floats, level: Floats, topics: Floats, wording: Floats
) -> Account:
    """An account from parts of any precision; see `Account` for their shapes."""
    small = (np.asarray(part, dtype=np.float32) for part in (shoppers, products, level, topics, wording))
    shoppers32, products32, level32, topics32, wording32 = small
    return Account(
        base=base, shoppers=shoppers32, products=products32, level=level32, topics=topics32, wording=wording32
    )


def browsing(account: Account, segment: Ints, keenness: float) -> Floats:
    """Share of each product among the visits of a segment: softmax of the interest of its average shopper.

    Args:
        account: the truth.
        segment: shape (S,); numbers from 0, each with a shopper.
        keenness: how much interest decides; 0 looks at all products alike.

    Returns:
        Shape (G, P).
    """
    count = np.bincount(segment)[:, None]
    mean = np.stack([np.bincount(segment, column) for column in account.shoppers.T], axis=1) / count
    interest = mean @ account.products.T.astype(np.float64) + account.level
    odds = np.exp(keenness * (interest - interest.max(axis=1, keepdims=True)))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def alike(vectors: NDArray[np.floating], bits: int, seed: int) -> Ints:
    """Groups of similar vectors by the signs of random projections, numbered from 0 without gaps.

    SimHash: vectors at an angle a fall on the same side of a plane with chance 1 - a / pi (Charikar, STOC 2002).

    Args:
        vectors: shape (..., d).
        bits: planes; at most 2**bits groups.
        seed: of the planes.

    Returns:
        Shape (...).
    """
    planes = np.random.default_rng(seed).normal(size=(vectors.shape[-1], bits))
    flat = np.asarray(vectors, dtype=np.float64).reshape(-1, vectors.shape[-1])
    code = ((flat - flat.mean(axis=0)) @ planes > 0) @ (1 << np.arange(bits))
    return np.asarray(np.unique(code, return_inverse=True)[1]).reshape(vectors.shape[:-1])
