"""Limits on mean costs: the multipliers' bounds and directions, and a run that keeps a limit it would have broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.agents.constraints import DAMPING, FARTHEST, Constraint, constraints_for, penalty
from copybandit.agents.ppo import PPOSettings, TuneResult, tune_ppo
from copybandit.agents.reward_scale import reference_cells
from copybandit.agents.reward_seam import Reward
from copybandit.agents.tune import Task
from copybandit.agents.tune import tune as tune_any
from copybandit.agents.tune_settings import BestOfNSettings, DPOSettings, GANTuneSettings, GRPOSettings
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_writer

PROMPTS = [field_prompt(brief(i)) for i in range(32)]
NUMBERS = st.floats(-1e3, 1e3)
SHARED: dict[str, Any] = {
    "episodes": 32 * 40, "batch_size": 32, "learning_rate": 1e-2, "missing_eos_penalty": 0.0,
}  # fmt: skip
LENGTH = Constraint(name="length", limit=10.0, scale=2.0)


@given(st.lists(NUMBERS, max_size=30), st.floats(0, 2), st.floats(0, 20))
def test_a_multiplier_stays_between_0_and_its_cap(excesses: list[float], rate: float, cap: float) -> None:
    one = LENGTH
    for excess in excesses:
        before, one = one, one.ascended(excess, rate, cap)
        assert 0 <= one.memory <= cap and 0 <= one.multiplier <= cap
        assert abs(one.memory - before.memory) <= rate + 1e-12


@given(st.floats(0, 5), st.floats(0.1, 5), st.floats(0.1, 2))
def test_a_multiplier_grows_while_its_limit_is_broken_and_falls_to_0_while_it_is_kept(
    begun: float, excess: float, rate: float
) -> None:
    one = replace(LENGTH, memory=begun, multiplier=begun)
    broken = [one := one.ascended(excess, rate, 1000.0) for _ in range(4)]
    assert (np.diff([begun, *(after.multiplier for after in broken)]) > 0).all()
    assert broken[0].multiplier == pytest.approx(begun + (1 + DAMPING) * rate * min(excess, 1.0))
    kept = [one := one.ascended(-excess, rate, 1000.0) for _ in range(1000)]
    assert (np.diff([after.memory for after in kept]) <= 0).all()
    assert (kept[-1].memory, kept[-1].multiplier) == (0.0, 0.0)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.floats(0, 10), st.floats(1e-3, 100))
def test_the_penalty_rises_with_the_cost_and_is_bounded(
    costs: list[float], multiplier: float, scale: float
) -> None:
    limits = (Constraint(name="c", limit=1.0, scale=scale, multiplier=multiplier),)
    taken = penalty(limits, (("c", np.sort(costs)),), len(costs))
    assert (np.diff(taken) >= 0).all() and np.abs(taken).max() <= FARTHEST * multiplier + 1e-9


def test_scales_are_those_of_reference_texts() -> None:
    costs = (("length", np.array([8.0, 12.0])), ("rude", np.array([0.0, 0.0])))
    found = constraints_for((("length", 9.0), ("rude", 0.1)), costs, 2)
    assert [(one.name, one.scale, one.multiplier) for one in found] == [
        ("length", 2.0, 0.0),
        ("rude", 0.1, 0.0),
    ]
    assert not penalty(found, costs, 2).any()


def test_limits_that_mean_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="limit lenght: the reward must tell a cost of that name, got length"):
        constraints_for((("lenght", 9.0),), (("length", np.ones(2)),), 2)
    with pytest.raises(DataError, match="limits must be finite and one per cost"):
        PPOSettings(limits=(("length", 1.0), ("length", 2.0)))
    with pytest.raises(DataError, match="limits must be finite and one per cost"):
        PPOSettings(limits=(("length", float("nan")),))
    with pytest.raises(DataError, match="multiplier_cap must be >= 0"):
        PPOSettings(multiplier_cap=-1.0)


def longer_is_better(cells: Ints, texts: list[str]) -> Reward:
    """Pays for words, each less than the one before: with no limit, the longest answers win."""
    length = np.array([float(len(text)) for text in texts])
    return Reward(total=np.sqrt(length), costs=(("length", length),))


def tuned(tmp_path: Path, **fields: object) -> TuneResult:
    settings = PPOSettings(
        episodes=32 * 50,
        batch_size=32,
        reference_samples=64,
        critic_hidden=8,
        learning_rate=1e-2,
        kl_coef=0.0,
        missing_eos_penalty=0.0,
    )
    settings = replace(settings, **fields)  # type: ignore[arg-type]  # names and values vary by test
    return tune_ppo(tiny_writer(max_new_tokens=12), PROMPTS, longer_is_better, settings, 0, tmp_path)


def test_a_limit_is_kept_where_tuning_would_break_it_and_reward_is_still_earned(tmp_path: Path) -> None:
    free = tuned(tmp_path)
    begun = dict(free.updates[0].costs)["length"]
    limit = 1.15 * begun
    kept = tuned(tmp_path, limits=(("length", limit),))

    def late(result: TuneResult) -> float:
        return float(np.mean([dict(update.costs)["length"] for update in result.updates[-15:]]))

    assert late(free) > 1.4 * begun
    assert late(kept) == pytest.approx(limit, rel=0.1)
    earned = np.mean([update.reward for update in kept.updates[-15:]])
    assert earned > kept.updates[0].reward
    multipliers = [dict(update.multipliers)["length"] for update in kept.updates]
    assert multipliers[0] == 0 and max(multipliers) > 0.2 and min(multipliers) >= 0


OTHERS: dict[str, Any] = {
    "grpo": GRPOSettings(**SHARED, reference_samples=64, beta=0.0),
    "dpo": DPOSettings(**SHARED, epochs=2),
    "best-of-n": BestOfNSettings(**SHARED),
    "gan": GANTuneSettings(**SHARED, reward_weight=1.0),
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_way_of_tuning_keeps_a_limit_that_it_would_have_broken(name: str, tmp_path: Path) -> None:
    task = Task(
        prompts=PROMPTS, reward=longer_is_better, real=[(i, f"a lamp {i % 5}") for i in range(len(PROMPTS))]
    )

    def lengths(**fields: Any) -> list[float]:
        settings = replace(OTHERS[name], **fields)
        found = tune_any(tiny_writer(max_new_tokens=12), task, settings, 0, tmp_path)
        return [dict(update.costs)["length"] for update in found.updates]

    free = lengths()
    limit = 1.15 * free[0]
    assert np.mean(free[-10:]) > 1.5 * free[0]
    assert np.mean(lengths(limits=(("length", limit),))[-10:]) < 1.1 * limit


@pytest.mark.parametrize("name", OTHERS)
def test_a_limit_on_a_cost_that_nobody_tells_is_refused_by_every_way(name: str, tmp_path: Path) -> None:
    def silent(cells: Ints, texts: list[str]) -> Reward:
        return Reward(total=np.array([float(len(text)) for text in texts]))

    settings = replace(OTHERS[name], limits=(("length", 9.0),))
    task = Task(prompts=PROMPTS, reward=silent, real=[(i, f"a lamp {i}") for i in range(len(PROMPTS))])
    with pytest.raises(DataError, match="limit length: the reward must tell a cost of that name, got none"):
        tune_any(tiny_writer(), task, settings, 0, tmp_path)


def test_limits_without_force_are_refused() -> None:
    with pytest.raises(
        DataError, match="gan: reward_weight must be >= 0, and above 0 where there are limits"
    ):
        GANTuneSettings(reward_weight=0.0, limits=(("length", 9.0),))
    with pytest.raises(DataError, match="dpo: limits must be finite and one per cost"):
        DPOSettings(limits=(("length", 1.0), ("length", 2.0)))


def test_where_no_reference_text_was_written_a_limit_is_its_own_scale() -> None:
    (found,) = constraints_for((("length", -4.0),), (), 0)
    assert (found.scale, found.multiplier) == (4.0, 0.0)


def test_a_limit_that_is_kept_changes_nothing(tmp_path: Path) -> None:
    free = tuned(tmp_path, episodes=96)
    kept = tuned(tmp_path, episodes=96, limits=(("length", 1000.0),))
    assert [update.reward for update in free.updates] == [update.reward for update in kept.updates]
    assert all(dict(update.multipliers) == {"length": 0.0} for update in kept.updates)


def test_a_cost_that_is_no_number_is_refused(tmp_path: Path) -> None:
    def endless(cells: Ints, texts: list[str]) -> Reward:
        return Reward(total=np.zeros(len(texts)), costs=(("length", np.full(len(texts), np.inf)),))

    with pytest.raises(DataError, match="reward: length must be finite, got inf for prompt"):
        tune_ppo(tiny_writer(), PROMPTS, endless, PPOSettings(batch_size=8), 0, tmp_path)


@given(st.integers(1, 30), st.integers(1, 90), st.integers(0, 10**6))
def test_reference_texts_are_of_all_prompts_alike_and_of_the_last_as_soon_as_of_the_first(
    prompts: int, n: int, seed: int
) -> None:
    cells = reference_cells(prompts, n, np.random.default_rng(seed))
    count = np.bincount(cells, minlength=prompts)
    assert len(cells) == n and len(count) == prompts and count.max() - count.min() <= 1
    if n < prompts:
        several = [reference_cells(prompts, n, np.random.default_rng([seed, k])) for k in range(600)]
        assert any((prompts - 1) in row for row in several)
