"""The environment: Gymnasium's rules, the shop's numbers, and nothing that a shop could not know."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from copybandit.envs.check import check_shop_env
from copybandit.envs.shop_env import FEATURE_LIMIT, ShopEnv
from copybandit.sim.shop import EXPOSURE, Shop
from copybandit.sim.types import DataError
from tests.small_world import small_assortment, small_shop, small_world


def shop(gaps: bool = False) -> Shop:
    goods = small_assortment(small_world())
    if gaps:
        gone = np.random.default_rng(0).random(goods.variants.shape) < 0.4
        gone[:, 3] = False
        goods = replace(goods, variants=np.where(gone, -1, goods.variants))
    return small_shop(small_world(), goods)


def play(env: ShopEnv, seed: int | None, actions: list[int]) -> list[Any]:
    rows: list[Any] = [env.reset(seed=seed)]
    for action in actions:
        rows.append(env.step(np.int64(action)))
    return rows


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
    if isinstance(left, (tuple, list)):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(np.array_equal(left, right))


@pytest.mark.parametrize("options", [{}, {"oracle": True, "value_weight": 0.1}])
def test_gymnasium_finds_nothing_to_say(options: dict[str, Any]) -> None:
    # Made from a spec, so that closing twice and every declared render mode are tried as well.
    spec = EnvSpec(
        id="copybandit/Shop-v0",
        entry_point="copybandit.envs.shop_env:ShopEnv",
        kwargs={"shop": shop()} | options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(spec)
        check_env(env.unwrapped)


@pytest.mark.parametrize("gaps", [False, True])
def test_one_visit_at_a_time_is_the_batch(gaps: bool) -> None:
    check_shop_env(shop(gaps), n_shoppers=12, visits=20)


def test_the_check_notices_a_life_of_its_own() -> None:
    class Moody(Shop):
        """Draws by the number of shoppers in the batch, as a shared generator would."""

        def visits_of(self, shopper: Any, step: Any, day: Any) -> Any:
            return super().visits_of(shopper, step + 100 * (len(shopper) > 1), day)

    world = small_world()
    moody = Moody(
        world.gold, world.fitted, small_assortment(world), world.products, seed=0, n_impressions=100
    )
    with pytest.raises(DataError, match="must equal the batch's"):
        check_shop_env(moody)


def test_a_seed_is_an_episode_and_episodes_differ() -> None:
    env, twin = ShopEnv(shop()), ShopEnv(shop())
    actions = [0, 5, 2, 2, 1, 3, 4, 0]
    first = play(env, 3, actions)
    assert equal(first, play(twin, 3, actions))
    second = play(env, None, actions)
    assert equal(second, play(twin, None, actions)) and not equal(first, second)
    assert equal(first, play(env, 3, actions))


def test_an_episode_is_truncated_after_its_visits() -> None:
    env = ShopEnv(shop(), visits_per_episode=3, days_between_visits=0.5)
    with pytest.raises(ResetNeeded):
        env.step(np.int64(0))
    with pytest.raises(ResetNeeded):
        env.action_masks()
    _, info = env.reset(seed=0)
    ends = [env.step(np.int64(0)) for _ in range(3)]
    assert [(terminated, truncated) for _, _, terminated, truncated, _ in ends] == [
        (False, False),
        (False, False),
        (False, True),
    ]
    assert np.isclose(ends[-1][4]["day"] - info["day"], 1.5)
    with pytest.raises(ResetNeeded):
        env.step(np.int64(0))


def test_the_observation_is_what_the_shop_sees() -> None:
    env, twin = ShopEnv(shop(gaps=True)), shop(gaps=True).fresh(7)
    seen, info = env.reset(options={"shopper": 11, "shop_seed": 7, "day": 2.0})
    now = twin.visits_of(np.array([11]), 0, np.array([2.0]))
    taste, present = small_world().fitted.taste, now.candidates[0] >= 0
    assert (seen["state"] == now.state[0].astype(np.float32)).all()
    assert (seen["context"] == now.context[0].astype(np.float32)).all()
    assert (seen["shopper"] == taste.shoppers[11].astype(np.float32)).all()
    assert (seen["product"] == taste.products[now.product[0]].astype(np.float32)).all()
    assert (seen["candidates"][present] == twin.actions[now.candidates[0][present]].astype(np.float32)).all()
    assert (seen["candidates"][~present] == 0).all() and (seen["action_mask"] == present).all()
    assert (env.action_masks() == present).all() and info["product"] == now.product[0]
    assert seen["position"] == now.position and seen["time"] == 2.0
    assert max(np.abs(taste.shoppers).max(), np.abs(twin.actions).max()) < FEATURE_LIMIT


def test_reward_adds_value_by_its_weight() -> None:
    world = small_world()
    keen = replace(world.gold, coefficients=replace(world.gold.coefficients, base=5.0, conversion_base=5.0))
    rich = Shop(keen, world.fitted, small_assortment(world), world.products, seed=0, n_impressions=10)
    env = ShopEnv(rich, value_weight=0.5, visits_per_episode=20)
    rows = play(env, 1, [0] * 20)[1:]
    assert sum(info["conversion"] for *_, info in rows) > 3
    for _, reward, _, _, info in rows:
        assert reward == info["click"] + 0.5 * info["value"]
    before = play(env, 1, [0])[0][1]
    assert rows[0][4]["shown"] == before["candidates"][0]


def test_fatigue_is_seen_and_forgotten_with_the_episode() -> None:
    env = ShopEnv(shop(), visits_per_episode=30)
    rows = play(env, 0, [1] * 30)
    assert max(seen["state"][:, EXPOSURE].max() for seen, *_ in rows) > 0.4
    seen, _ = env.reset(options={"shopper": rows[0][1]["shopper"]})
    assert (seen["state"][:, EXPOSURE] == 0).all()


def test_the_truth_is_told_only_to_who_asks() -> None:
    plain, oracle = ShopEnv(shop()), ShopEnv(shop(), oracle=True)
    told = [play(env, 5, [0, 1, 2]) for env in (plain, oracle)]
    facts = {"shopper", "product", "candidates", "visit", "shop_seed", "day"}
    assert set(told[0][0][1]) == facts and set(told[1][0][1]) == facts | {"expected_click"}
    assert set(told[0][1][4]) == facts | {"shown", "click", "conversion", "value"}
    for left, right in zip(*told, strict=True):
        assert equal(left[0], right[0])
    p = told[1][0][1]["expected_click"]
    assert p.shape == (6,) and (p > 0).all() and (p < 1).all()


def test_the_shop_handed_in_is_not_changed() -> None:
    mine = shop()
    before = mine.visits_of(np.array([3]), 0, np.zeros(1)).state
    env = ShopEnv(mine)
    env.reset(options={"shopper": 3})
    env.step(np.int64(0))
    assert (mine.visits_of(np.array([3]), 0, np.zeros(1)).state == before).all()


def test_absent_and_foreign_columns_are_refused_and_masks_avoid_them() -> None:
    env = ShopEnv(shop(gaps=True), visits_per_episode=200)
    seen, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(200):
        closed = np.flatnonzero(~env.action_masks())
        if len(closed):
            with pytest.raises(DataError, match="which is absent; mask absent candidates"):
                env.step(closed[0])
        seen, *_ = env.step(env.action_space.sample(mask=seen["action_mask"]))
    env.reset()
    for action in (6, -1):
        with pytest.raises(DataError, match=r"in \[0, 6\)"):
            env.step(np.int64(action))


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"shoper": 1}, "unknown reset option 'shoper'; choose from shopper, shop_seed, day"),
        ({"shopper": 200}, r"shopper must be in \[0, 199\], got 200"),
        ({"shop_seed": -1}, "shop_seed must be in"),
        ({"day": np.nan}, "day must be in"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        ShopEnv(shop()).reset(options=options)


@pytest.mark.parametrize(
    "options", [{"visits_per_episode": 0}, {"days_between_visits": -1.0}, {"value_weight": np.nan}]
)
def test_bad_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="ShopEnv: visits_per_episode must be at least 1"):
        ShopEnv(shop(), **options)
