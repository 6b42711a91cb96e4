"""The storefront of an existing `Shop`, so that the environment plays on a world that was fitted."""

from __future__ import annotations

import numpy as np

from copybandit.sim.drawn_shop import CLUSTER_BITS, SEGMENT_BITS
from copybandit.sim.shop import Shop
from copybandit.sim.storefront import Account, Storefront, account_of, alike, browsing
from copybandit.sim.types import Ints
from copybandit.sim.world import Copy, World


def storefront_of(shop: Shop, *, seed: int = 0) -> Storefront:
    """The same shoppers, assortment and worlds as a `Shop`, so that the environment plays on a fitted shop.

    Args:
        shop: its gold world becomes the truth, its fitted world the belief; it is not changed.
        seed: of what a `Shop` does not have: the planes that segments and clusters are cut by, drift and shift.
    """
    rng = np.random.default_rng([seed, 37])
    goods, k = shop.goods, shop.goods.variants.shape[1]
    rows = np.maximum(goods.variants, 0)
    truth = _of_world(shop.gold, goods.products, goods.truth, rows)
    belief = _of_world(shop.fitted, goods.products, goods.belief, rows)
    segment = alike(truth.shoppers, SEGMENT_BITS, seed)
    return Storefront(
        truth=truth,
        belief=belief,
        segment=segment,
        browse=browsing(truth, segment, 0.5 / max(shop.gold.coefficients.b_interest, 1e-9)),
        price=shop.price[goods.products],
        relative=shop.relative_price[goods.products],
        sensitivity=shop.sensitivity,
        lean=1 - 2 * rng.integers(2, size=len(rows)),
        change=rng.normal(size=rows.shape),
        present=goods.variants >= 0,
        cluster=alike(belief.topics, CLUSTER_BITS, seed),
        features=np.asarray(goods.actions[rows], dtype=np.float32) * (goods.variants >= 0)[:, :, None],
        names=tuple(f"product {index}" for index in goods.products.tolist()),
        texts=tuple(tuple(f"copy {row[j]}" for j in range(k)) for row in goods.variants.tolist()),
    )


def _of_world(world: World, products: Ints, copies: Copy, rows: Ints) -> Account:
    """Fold the sizes of a world's terms into its vectors: log-odds as `World.terms`, rested, at the first place."""
    c, taste = world.coefficients, world.taste
    per_logit = c.b_interest / taste.scale
    topics = c.b_match * copies.topic[rows]
    return account_of(
        c.base,
        taste.shoppers,
        per_logit * taste.products[products],
        per_logit * (taste.quality[products] - taste.centre),
        topics,
        copies.wording.mean(axis=0)[rows] - topics @ taste.mean_shopper,
    )
