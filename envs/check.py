"""The conformance check of the shop environment: Gymnasium's rules, seeds, masks, and one visit at a time = a batch."""

from __future__ import annotations

import warnings

import numpy as np
from gymnasium.utils.env_checker import check_env

from copybandit.envs.shop_env import ShopEnv
from copybandit.sim.shop import Shop
from copybandit.sim.types import DataError, Ints


def check_shop_env(shop: Shop, *, n_shoppers: int = 8, visits: int = 20, seed: int = 0) -> None:
    """Check an environment over a shop; the shop is not changed.

    Gymnasium's own checker shows any column, so it runs only where no candidate is absent.

    Args:
        shop: worlds and assortment.
        n_shoppers: the first of them live one visit at a time and as a batch.
        visits: of each shopper.
        seed: of the shop's draws and of the columns shown.

    Raises:
        DataError: the environment differs from the batch.
        AssertionError: Gymnasium finds a broken rule; its warnings are errors here.
    """
    if (shop.goods.variants >= 0).all():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(ShopEnv(shop), skip_render_check=True)
    shopper = np.arange(min(n_shoppers, len(shop.gold.taste.shoppers)))
    batch, clicks = _batch(shop, shopper, visits, seed)
    for row in shopper:
        single = _single(shop, int(row), batch[:, row], seed)
        if not np.array_equal(single, clicks[:, row]):
            visit = int((single != clicks[:, row]).any(axis=1).argmax())
            raise DataError(
                f"shopper {row}, visit {visit}: click, value and context must equal the batch's "
                f"{clicks[visit, row].tolist()}, got {single[visit].tolist()}; key every draw by shopper and visit"
            )


def _batch(shop: Shop, shopper: Ints, visits: int, seed: int) -> tuple[Ints, np.ndarray]:
    """Columns shown, shape (visits, n), and click, value and context, shape (visits, n, 3)."""
    shop, rng = shop.fresh(seed), np.random.default_rng(seed)
    columns, rows = [], []
    for visit in range(visits):
        now = shop.visits_of(shopper, visit, np.full(len(shopper), 0.25 * visit))
        column = np.where(now.candidates >= 0, rng.random(now.candidates.shape), -1.0).argmax(axis=1)
        answer = shop.respond(now, column)
        columns.append(column)
        rows.append(np.stack([answer.click, answer.value, now.context[:, 0].astype(np.float32)], axis=1))
    return np.array(columns), np.array(rows)


def _single(shop: Shop, shopper: int, columns: Ints, seed: int) -> np.ndarray:
    """The same of one shopper through the environment, shape (visits, 3)."""
    env = ShopEnv(shop, visits_per_episode=len(columns), days_between_visits=0.25)
    seen, _ = env.reset(options={"shopper": shopper, "shop_seed": seed, "day": 0.0})
    rows = []
    for column in columns:
        if not env.action_masks()[column]:
            raise DataError(
                f"shopper {shopper}: column {column} must be open, got a mask of 0; correct the mask"
            )
        context = seen["context"][0]
        seen, _, _, _, info = env.step(column)
        rows.append((info["click"], info["value"], context))
    return np.array(rows, dtype=np.float64)
