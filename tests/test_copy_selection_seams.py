"""What surrounds the copy-selection environments: pictures, RLlib's creators, memory of a large shop, light imports."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from copybandit.envs import COPY_SELECTION, COPY_WRITING
from copybandit.envs.copy_selection import CopySelectionEnv
from copybandit.envs.copy_selection_vector import CopySelectionVectorEnv
from copybandit.envs.picture import Scene, as_pixels
from copybandit.envs.rllib import make_rllib_env, make_rllib_vector_env
from copybandit.sim.drawn_shop import draw_storefront
from copybandit.sim.effects import Effects
from copybandit.sim.from_shop import storefront_of
from copybandit.sim.odds import LowRankOdds
from copybandit.sim.season import Plan, Season
from copybandit.sim.types import DataError
from tests.copy_selection_lives import assert_equal, front, lively
from tests.small_world import small_shop, small_world

SHOWN_RED = np.array([0xD1, 0x49, 0x5B])


def reds(pixels: Any) -> int:
    return int((np.abs(pixels.astype(int) - SHOWN_RED).max(axis=2) < 3).sum())


def test_a_picture_shows_the_visit() -> None:
    env = CopySelectionEnv(lively(), render_mode="rgb_array")
    with pytest.raises(ResetNeeded, match="call reset"):
        env.render()
    env.reset(seed=0)
    waiting = env.render()
    assert waiting.shape == (400, 800, 3) and waiting.dtype == np.uint8
    assert reds(waiting) == 0 and waiting.std() > 20 and len(np.unique(waiting.reshape(-1, 3), axis=0)) > 50
    env.step(np.int64(2))
    answered = env.render()
    assert reds(answered) > 1_000
    env.step(np.int64(0))
    assert (env.render() != answered).any() and (answered == answered.copy()).all()


def test_a_text_tells_the_visit() -> None:
    env = CopySelectionEnv(lively(gaps=True), render_mode="ansi")
    _, info = env.reset(seed=0)
    product, masks = info["product"], env.action_masks()
    assert "waiting for a choice" in env.render() and front().names[product] in env.render()
    seen, *_, after = env.step(np.int64(3))
    text = env.render()
    assert ("not clicked" in text) == (after["click"] == 0)
    for j, copy in enumerate(front().texts[product]):
        assert (copy in text) == masks[j]
    assert next(line for line in text.splitlines() if line[0] == ">").endswith(front().texts[product][3])
    assert f"shopper {after['shopper']}, visit 1," in text and seen is not None


def test_the_vector_draws_its_rows() -> None:
    many, one = (
        CopySelectionVectorEnv(3, lively(), render_mode="ansi"),
        CopySelectionEnv(lively(), render_mode="ansi"),
    )
    many.reset(seed=5)
    one.reset(seed=5)
    assert many.render()[0] == one.render()  # type: ignore[index]
    many.step(np.array([1, 2, 3]))
    one.step(np.int64(1))
    frames = many.render()
    assert frames is not None and len(frames) == 3 and frames[0] == one.render()
    for _ in range(60):
        # The step after an end resets the row, whose picture is that of the new shopper's first visit.
        over = one._over
        one.reset() if over else one.step(np.int64(0))
        many.step(np.zeros(3, dtype=np.int64))
        assert many.render()[0] == one.render()  # type: ignore[index]


def test_odd_characters_are_drawn_as_they_are() -> None:
    odd = Scene(
        product="$5 & _x^ mug", texts=("a $1 $2 \\frac", "b" * 90), present=(True, True), prior=(0.2, 0.0),
        shopper=0, visit=0, day=0.0, position=1,
    )  # fmt: skip
    assert as_pixels(odd).std() > 10


def test_rllib_gets_what_it_asks_for() -> None:
    config = {"effects": {"walk": 0.0}, "plan": {"visits": 4}, "reward": "value", "num_envs": 3}
    many = make_rllib_vector_env(config)
    one = make_rllib_env({name: value for name, value in config.items() if name != "num_envs"})
    assert many.num_envs == 3
    left, right = many.reset(seed=2)[0], one.reset(seed=2)[0]
    assert_equal({name: values[0] for name, values in left.items()}, right)
    same = make_rllib_env(config)
    assert isinstance(same, CopySelectionVectorEnv) and same.num_envs == 3
    assert_equal(same.reset(seed=2)[0], left)
    assert isinstance(make_rllib_env({}), CopySelectionEnv) and make_rllib_vector_env({}, 2).num_envs == 2
    with pytest.raises(DataError, match="walk must be"):
        make_rllib_env({"effects": {"walk": -1.0}})


def test_a_large_shop_needs_no_array_over_shoppers_and_products() -> None:
    shop = draw_storefront(0, n_shoppers=20_000, n_products=2_000, k=10, d=8)
    tracemalloc.start()
    season = Season(shop, Effects(), Plan())
    env = CopySelectionVectorEnv(20_000, season)
    env.reset(seed=0)
    for step in range(3):
        env.step(np.full(20_000, step))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(season.odds, LowRankOdds)
    # A byte for each shopper and product would be 40 MB, and the tables 2.6 GB.
    assert peak < 150e6, f"{peak / 1e6:.0f} MB"


@pytest.mark.parametrize("numbers", [{"k": 11}, {"k": 0}, {"n_shoppers": 0}])
def test_bad_drawn_shops_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(DataError, match=r"drawn shop: .* k in \[1, 10\]"):
        draw_storefront(**numbers)


def test_making_one_loads_neither_torch_nor_matplotlib_nor_ray() -> None:
    code = (
        "import json, sys, gymnasium, copybandit.envs, copybandit.envs.rllib\n"
        f"for name in ({COPY_SELECTION!r}, {COPY_WRITING!r}): gymnasium.make(name).reset(seed=0)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "matplotlib", "ray", "transformers"} & set(json.loads(done.stdout.splitlines()[-1]))


def test_environments_over_a_season_share_its_tables() -> None:
    one, many = (
        gymnasium.make(COPY_SELECTION, shop=lively()),
        gymnasium.make_vec(COPY_SELECTION, 2, shop=lively()),
    )
    assert one.unwrapped._season is many.unwrapped._season is lively()  # type: ignore[attr-defined]


def test_the_registry_holds_them() -> None:
    for name in (COPY_SELECTION, COPY_WRITING):
        spec = gymnasium.spec(name)
        assert spec.vector_entry_point is not None and spec.max_episode_steps is None


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"num_envs": 0}, "num_envs must be at least 1"),
        ({"reward": "money"}, "reward in"),
        ({"render_mode": "human"}, "render_mode None or in"),
        ({"shop": -1}, "shop must be a Storefront"),
        ({"shop": "small"}, "shop must be a Storefront"),
        ({"autoreset_mode": "Never"}, "autoreset_mode must be"),
        ({"shop": lively(), "plan": Plan()}, "a Season has its effects and plan"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        CopySelectionVectorEnv(**({"num_envs": 2} | arguments))


def test_seeds_of_another_number_are_refused() -> None:
    with pytest.raises(DataError, match="one for each of 2 environments, got 3"):
        CopySelectionVectorEnv(2, lively()).reset(seed=[1, 2, 3])


def test_a_shop_becomes_the_same_odds() -> None:
    world = small_world()
    shop = small_shop(world)
    season = Season(storefront_of(shop), Effects.only(heterogeneity=1.0), Plan())
    rng = np.random.default_rng(0)
    shopper, product = rng.integers(200, size=60), rng.integers(20, size=60)
    cell, zero = shopper * 20 + product, np.zeros(60, dtype=np.int64)
    for column in range(6):
        rows = shop.goods.variants[product, column]
        gold = world.gold.terms(shopper, shop.goods.truth.take(rows)).click_prob
        fitted = world.fitted.terms(shopper, shop.goods.belief.take(rows)).click_prob
        assert np.allclose(1 / (1 + season.odds.against(cell, zero, zero + column)), gold, rtol=1e-4)
        assert np.allclose(season.odds.prior(cell)[:, column], fitted, rtol=1e-4)
