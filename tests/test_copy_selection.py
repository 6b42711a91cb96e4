"""The copy-selection environments: Gymnasium's rules, a row of the vector = the single environment, and what may be seen."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.envs import COPY_SELECTION
from copybandit.envs.check import check_copy_selection
from copybandit.envs.copy_selection import CopySelectionEnv
from copybandit.envs.copy_selection_vector import CopySelectionVectorEnv
from copybandit.envs.oracle import Oracle
from copybandit.sim.draws import words_of
from copybandit.sim.effects import Effects
from copybandit.sim.from_shop import storefront_of
from copybandit.sim.season import Plan, Season
from copybandit.sim.types import DataError
from tests.copy_selection_lives import allowed, assert_equal, episode, front, lively
from tests.small_world import small_shop, small_world

MODES = list(AutoresetMode)


def both(n: int, mode: AutoresetMode, **arguments: Any) -> tuple[CopySelectionVectorEnv, SyncVectorEnv]:
    """The native vector and Gymnasium's loop over single environments."""
    ours = CopySelectionVectorEnv(n, autoreset_mode=mode, **arguments)
    loop = SyncVectorEnv([lambda: CopySelectionEnv(**arguments)] * n, autoreset_mode=mode)
    return ours, loop


def truth_of(env: Any) -> dict[str, Any]:
    """What oracles tell of all rows, for the native vector and the loop."""
    names = ("expected_click", "expected_reward", "bought", "waiting")
    if isinstance(env, CopySelectionVectorEnv):
        return {name: getattr(Oracle(env), name)() for name in names}
    handles = [Oracle(one) for one in env.envs]
    return {name: np.stack([getattr(handle, name)() for handle in handles]) for name in names}


def walk_together(ours: Any, loop: Any, steps: int, mode: AutoresetMode, seed: int) -> dict[str, float]:
    """Steps of both, compared bit for bit; how often what happened."""
    rng = np.random.default_rng(seed)
    seen = {"terminated": 0.0, "truncated": 0.0, "click": 0.0, "conversion": 0.0}
    left, right = ours.reset(seed=seed), loop.reset(seed=seed)
    assert_equal(left[0], right[0])
    assert_equal(left[1], right[1])
    over = np.zeros(ours.num_envs, dtype=np.bool_)
    for step in range(steps):
        if mode == AutoresetMode.DISABLED and over.any():
            left, right = (env.reset(options={"reset_mask": over.copy()}) for env in (ours, loop))
            assert_equal(left[0], right[0], f"reset {step}")
            assert_equal(left[1], right[1], f"reset {step}")
        # Where Gymnasium resets, it does not look at the action; elsewhere the mask of the visit counts.
        action = allowed(left[0]["action_mask"], rng)
        left, right = ours.step(action), loop.step(action)
        for part, mine, other in zip(("obs", "reward", "term", "trunc", "info"), left, right, strict=True):
            assert_equal(mine, other, f"{part} {step}")
        assert_equal(truth_of(ours), truth_of(loop), f"truth {step}")
        over = left[2] | left[3]
        seen["terminated"] += left[2].sum()
        seen["truncated"] += left[3].sum()
        for name in ("click", "conversion"):
            seen[name] += left[4][name].sum() if name in left[4] else 0
    return seen


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gaps", [False, True])
def test_a_row_is_the_single_environment_over_hundreds_of_steps(mode: AutoresetMode, gaps: bool) -> None:
    ours, loop = both(6, mode, shop=lively(gaps), reward="value")
    seen = walk_together(ours, loop, 300, mode, seed=11)
    assert min(seen["terminated"], seen["truncated"]) > 10 and seen["click"] > 100 and seen["conversion"] > 30


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 9),
    mode=st.sampled_from(MODES),
    reward=st.sampled_from(["click", "conversion", "value"]),
    gaps=st.booleans(),
    low_rank=st.booleans(),
)
def test_any_seed_size_and_mode(
    seed: int, n: int, mode: AutoresetMode, reward: str, gaps: bool, low_rank: bool
) -> None:
    season = lively(gaps, 0 if low_rank else 2**28)
    walk_together(*both(n, mode, shop=season, reward=reward), steps=15, mode=mode, seed=seed)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**20), rows=st.lists(st.integers(0, 39), min_size=1, max_size=5, unique=True))
def test_a_shard_lives_what_the_whole_lives(seed: int, rows: list[int]) -> None:
    whole, shard = (CopySelectionVectorEnv(n, lively()) for n in (40, len(rows)))
    left, _ = whole.reset(seed=seed)
    right, _ = shard.reset(seed=[seed + row for row in rows])
    for step in range(20):
        assert_equal({name: values[rows] for name, values in left.items()}, right)
        action = (np.arange(40) + step) % 5
        left, reward, *_ = whole.step(action)
        right, own, *_ = shard.step(action[rows])
        assert (reward[rows] == own).all()


def test_gymnasium_finds_nothing_to_say() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(COPY_SELECTION).unwrapped)
        for mode in ("ansi", "rgb_array"):
            env = gymnasium.make(COPY_SELECTION, shop=lively(), reward="value", render_mode=mode)
            check_env(env.unwrapped)


def test_it_is_made_by_name_and_needs_no_argument() -> None:
    env, many = gymnasium.make(COPY_SELECTION), gymnasium.make_vec(COPY_SELECTION, num_envs=8)
    assert isinstance(env.unwrapped, CopySelectionEnv)
    assert isinstance(many.unwrapped, CopySelectionVectorEnv)
    assert many.observation_space["prior"].shape == (8, 6) and many.action_space.shape == (8,)  # type: ignore[index]
    assert many.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    seen, _ = env.reset(seed=4)
    batch, _ = many.reset(seed=4)
    assert_equal({name: values[:1] for name, values in batch.items()}, {n: v[None] for n, v in seen.items()})
    assert many.observation_space.contains(batch)
    for _ in range(30):
        batch, *_ = many.step(many.action_space.sample())
        assert many.observation_space.contains(batch)
    settings: dict[str, Any] = {
        "effects": Effects.only(),
        "plan": Plan(visits=3),
        "autoreset_mode": "SameStep",
    }
    same = gymnasium.make_vec(COPY_SELECTION, num_envs=2, **settings)
    assert same.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP


@pytest.mark.parametrize("gaps", [False, True])
def test_the_conformance_check_passes_on_a_fitted_shop(gaps: bool) -> None:
    check_copy_selection(Season(storefront_of(small_shop(small_world())), Effects(), Plan()))
    check_copy_selection(lively(gaps))


def test_a_seed_is_an_episode_and_episodes_differ() -> None:
    env, twin = CopySelectionEnv(), CopySelectionEnv()
    rows = [[episode(one, seed, np.random.default_rng(0)) for seed in (3, None)] for one in (env, twin)]
    for left, right in zip(*rows, strict=True):
        assert len(left) == len(right)
        for mine, other in zip(left, right, strict=True):
            for a, b in zip(mine, other, strict=True):
                assert_equal(a, b)
    assert rows[0][0][0][1] != rows[0][1][0][1]
    again = env.reset(seed=3)[0]
    assert_equal(again, rows[0][0][0][0])


def test_what_a_caller_does_to_observations_changes_nothing() -> None:
    mine, other = (CopySelectionVectorEnv(4, lively()) for _ in range(2))
    mine.reset(seed=0)
    other.reset(seed=0)
    for step in range(10):
        left, right = (env.step(np.full(4, step % 5)) for env in (mine, other))
        assert_equal(left[0], right[0])
        assert_equal(left[4], right[4])
        for values in left[0].values():
            values[:] = 0
        for name, values in left[4].items():
            values[:] = False if name[0] == "_" else 3
        for values in left[1:4]:
            values[:] = 1


def test_the_truth_is_told_only_to_who_asks() -> None:
    env = gymnasium.make(COPY_SELECTION, shop=lively(), reward="value")
    seen, told = env.reset(seed=0)
    facts = {"shopper", "product", "visit", "day"}
    happened = {"shown", "click", "conversion", "value", "arrived"}
    assert set(told) == facts and set(env.step(np.int64(0))[4]) == facts | happened
    believed = {"context", "prior", "candidates", "shopper", "product"}
    rest = {"exposure", "cluster_exposure", "position", "time", "action_mask"}
    assert set(seen) == believed | rest
    oracle = Oracle(env)
    click, price = oracle.expected_click(), front().price[env.step(np.int64(1))[4]["product"]]
    assert click.shape == (5,) and (click > 0).all() and not np.allclose(click, seen["prior"])
    click, bought = oracle.expected_reward("click"), oracle.expected_reward("conversion")
    assert (click == oracle.expected_click()).all() and (bought < click).all()
    assert np.allclose(oracle.expected_reward(), bought * price)
    with pytest.raises(DataError, match="needs a copy-selection environment, got CartPoleEnv"):
        Oracle(gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize("reward", ["click", "conversion", "value"])
def test_rewards_come_as_often_as_the_oracle_expects(reward: Any) -> None:
    season = Season(front(), Effects(no_click=0.3, leave=0.0, delay_days=1.0, buy_base=0.5), Plan(visits=40))
    env = CopySelectionVectorEnv(400, season, reward=reward)
    oracle, _ = Oracle(env), env.reset(seed=1)
    rng, expected, got = np.random.default_rng(0), [], []
    for _ in range(35):
        action = rng.integers(5, size=400)
        expected.append(oracle.expected_reward()[np.arange(400), action])
        _, own, *_ = env.step(action)
        got.append(oracle.bought() * 1.0 if reward == "conversion" else own)
    difference = np.sum(got, axis=0) - np.sum(expected, axis=0)
    tolerance = 4 * difference.std() / np.sqrt(len(difference))
    # Of value, a little is still on its way after the last step.
    late = 0.2 * np.sum(expected) / len(difference) if reward == "value" else 0.0
    assert -tolerance - late < difference.mean() < tolerance


def test_the_observation_is_what_the_shop_believes() -> None:
    env = CopySelectionEnv(lively(gaps=True))
    belief, present = front().belief, front(gaps=True).present
    for _ in range(20):
        seen, info = env.reset(options={"shopper": 11, "day": 2.0})
        p = info["product"]
        match = (belief.shoppers[11] * (belief.products[p] + belief.topics[p])).sum(axis=1)
        odds = belief.base + belief.level[p] + belief.wording[p] + match
        assert np.allclose(seen["prior"], np.where(present[p], 1 / (1 + np.exp(-odds)), 0), atol=1e-6)
        assert (seen["action_mask"] == present[p]).all() and (env.action_masks() == present[p]).all()
        assert (seen["shopper"] == belief.shoppers[11]).all() and (
            seen["product"] == belief.products[p]
        ).all()
        assert (seen["candidates"][~present[p]] == 0).all() and seen["time"] == 2.0
        assert 1 <= seen["position"][0] <= 3 and (seen["exposure"] == 0).all()
    alike = CopySelectionVectorEnv(9, front(), effects=Effects.only()).reset(seed=0)[0]["shopper"]
    assert np.allclose(alike, belief.shoppers.mean(axis=0), atol=1e-6)


def test_a_step_out_of_turn_is_refused() -> None:
    env, many = CopySelectionEnv(), CopySelectionVectorEnv(2, autoreset_mode="Disabled", plan=Plan(visits=1))
    for call in (
        lambda: env.step(np.int64(0)),
        env.action_masks,
        many.action_masks,
        lambda: many.step(np.zeros(2, dtype=np.int64)),
    ):
        with pytest.raises(ResetNeeded):
            call()
    many.reset(seed=0)
    many.step(np.array([0, 0]))
    with pytest.raises(ResetNeeded, match="environment 0 is over"):
        many.step(np.array([0, 0]))
    episode(env, 0, np.random.default_rng(0))
    with pytest.raises(ResetNeeded):
        env.step(np.int64(0))


def test_absent_and_foreign_columns_are_refused() -> None:
    env, many = CopySelectionEnv(lively(True)), CopySelectionVectorEnv(3, lively(True))
    env.reset(seed=0)
    many.reset(seed=0)
    closed = np.flatnonzero(~env.action_masks())
    while not len(closed):
        env.reset()
        closed = np.flatnonzero(~env.action_masks())
    with pytest.raises(DataError, match="which is absent; see action_mask"):
        env.step(closed[0])
    while many.action_masks().all():
        many.step(allowed(many.action_masks(), np.random.default_rng(0)))
    with pytest.raises(DataError, match="which is absent; see action_mask"):
        many.step(np.argmin(many.action_masks(), axis=1))
    for action in (5, -1):
        with pytest.raises(DataError, match=r"in \[0, 5\)"):
            env.step(np.int64(action))
        with pytest.raises(DataError, match=r"in \[0, 5\)"):
            many.step(np.full(3, action))
    for actions in (np.zeros(2, dtype=np.int64), np.zeros(3)):
        with pytest.raises(DataError, match=r"whole numbers of shape \(3,\)"):
            many.step(actions)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"shoper": 1}, "unknown reset option 'shoper'; choose from shopper, day"),
        ({"shopper": 300}, r"shopper must be one number or 1 in \[0, 299\]"),
        ({"day": np.nan}, "day must be"),
        ({"day": [1.0, 2.0]}, "day must be one number or 1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        CopySelectionEnv(lively()).reset(options=options)


@pytest.mark.parametrize("mask", [[True, False], np.zeros(2, dtype=np.bool_), np.ones(3, dtype=np.bool_)])
def test_bad_masks_are_refused(mask: Any) -> None:
    many = CopySelectionVectorEnv(2, lively())
    many.reset(seed=0)
    with pytest.raises(DataError, match="reset_mask must"):
        many.reset(options={"reset_mask": mask})


def test_the_check_notices_a_life_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the single environment drew from a generator that its neighbours share.
    monkeypatch.setattr("copybandit.sim.visitor._AHEAD", 1)
    monkeypatch.setattr("copybandit.sim.visitor.words_of", lambda key, number: words_of(key, number + 1))
    with pytest.raises(DataError, match="must equal the vector's"):
        check_copy_selection(lively())
