"""Forgetting: back to the start by a known share, by half-lives, and by windows, for every learner."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import Batch
from copybandit.agents.batch_rows import join, take
from copybandit.agents.discounted import Discounted
from copybandit.agents.policies import EpsilonGreedy
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_laplace import LogisticModel
from copybandit.agents.policy_linear import LinearModel
from copybandit.agents.stateful import Lasting
from copybandit.agents.windowed import Windowed
from copybandit.sim.types import DataError, Floats, Ints
from tests.policy_entries import ACTIONS, PLAIN, UNORDERED, M, Q, make_batch, small_neural_linear, state_of
from tests.test_policies import dense_row

LINEAR = LinearOptions(
    n_actions=M,
    n_features=Q,
    interactions=((0, 1), (2, 4)),
    state_channels=(1,),
    ridge=5.0,
    residual_ridge=11.0,
)
Told = tuple[Batch, Ints, Floats, Floats]

MAKE = {name: entry.make for name, entry in PLAIN.items() if entry.learns}
SUMS = [
    name for name in MAKE if name in UNORDERED and name not in ("explore_then_commit", "logistic_thompson")
]
"""Learners to whom neither order nor batches matter."""

some_seed = st.integers(0, 2**32 - 1)


def told(rng: np.random.Generator, n: int, start: float = 0.0, end: float = 1.0) -> Told:
    """Feedback in order of time, clicks by variant, some rows without weight."""
    batch = replace(make_batch(rng, n), time=np.sort(rng.uniform(start, end, n)))
    column = np.where(batch.present, rng.random(batch.present.shape), -1.0).argmax(axis=1)
    reward = (rng.random(n) < 0.02 + 0.3 * (batch.shown(column) % 4 == 0)).astype(float)
    return batch, column, reward, np.where(rng.random(n) < 0.1, 0.0, rng.uniform(0.5, 1.5, n))


def part(one: Told, rows: Ints) -> Told:
    batch, column, reward, weight = one
    return take(batch, rows), column[rows], reward[rows], weight[rows]


def probs(policy: Lasting, seed: int = 0) -> Floats:
    return policy.action_probs(make_batch(np.random.default_rng(seed), 50), np.random.default_rng(0))


@pytest.mark.parametrize("name", MAKE)
@settings(max_examples=10, deadline=None)
@given(seed=some_seed)
def test_all_kept_changes_nothing_and_none_kept_is_the_start(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    policy, fresh = MAKE[name](), MAKE[name]()
    first = told(rng, 60)
    policy.update(*first)
    before = probs(policy)
    policy.forget(1.0)
    np.testing.assert_allclose(probs(policy), before, atol=1e-9)
    policy.forget(0.0)
    np.testing.assert_allclose(probs(policy), probs(fresh), atol=1e-9)
    again = told(rng, 60)
    policy.update(*again)
    fresh.update(*again)
    np.testing.assert_allclose(probs(policy), probs(fresh), atol=1e-9)


@pytest.mark.parametrize("name", MAKE)
def test_forgetting_one_variant_leaves_the_others(name: str) -> None:
    rng = np.random.default_rng(3)
    policy = MAKE[name]()
    policy.update(*told(rng, 8_000))
    partly = copy.deepcopy(policy)
    partly.forget(0.0, np.array([4]))
    asked = make_batch(rng, 2_000)
    without = ~(asked.candidates == 4).any(axis=1)
    old, new = (one.action_probs(asked, np.random.default_rng(0)) for one in (policy, partly))
    np.testing.assert_allclose(new[without], old[without], atol=1e-9)
    assert np.abs(new[~without] - old[~without]).max() > 1e-4


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("keep", [-0.1, 1.1, np.nan])
def test_what_cannot_be_forgotten_is_named(name: str, keep: float) -> None:
    policy = MAKE[name]()
    policy.update(*told(np.random.default_rng(0), 50))
    before = probs(policy)
    with pytest.raises(DataError, match=r"keep must be in \[0, 1\]"):
        policy.forget(keep)
    with pytest.raises(DataError, match=r"variants must be in \[0, 24\)"):
        policy.forget(0.5, np.array([0, M]))
    np.testing.assert_array_equal(probs(policy), before)


def dense(rows: list[Told]) -> tuple[Floats, Floats]:
    """Precision and moment of [theta, rho] that rows add, shapes (9 + M, 9 + M) and (9 + M,)."""
    a, b = np.zeros((9 + M, 9 + M)), np.zeros(9 + M)
    for batch, column, reward, weight in rows:
        for row in range(len(batch)):
            phi = dense_row(batch, row, int(column[row]))
            a += weight[row] * batch.prior[row, column[row]] * np.outer(phi, phi)
            b += weight[row] * reward[row] * phi
    return a, b


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_linear_model_forgets_by_its_normal_equations(keep: float) -> None:
    rng = np.random.default_rng(1)
    model = LinearModel(**LINEAR)
    rows = [told(rng, 80), told(rng, 3)]
    for one in rows:
        model.update(*one)
    model.forget(keep)
    start = np.diag(np.r_[np.full(9, 5.0), np.full(M, 11.0)])
    a, b = dense(rows)
    solution = np.linalg.solve(start + keep * a, 5.0 * np.eye(9 + M)[0] + keep * b)
    np.testing.assert_allclose(model.theta, solution[:9], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.residual, solution[9:], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("kind", [LinearModel, LogisticModel])
def test_of_one_variant_only_its_own_given_the_shared_fades(kind: type[LinearModel | LogisticModel]) -> None:
    model = kind(**LINEAR)
    model.update(*told(np.random.default_rng(2), 80))
    arrow = model._arrow
    theta, keep = np.array(model.theta), 0.25

    def conditional() -> tuple[Floats, Floats]:
        """Precision of rho given theta, and its mean there."""
        rho = model.residual if isinstance(model, LinearModel) else model.rho
        return arrow.diagonal.copy(), rho + arrow.centre @ theta

    (precision, level), shape = conditional(), arrow.schur.copy()
    model.forget(keep, np.array([8, 2]))
    after, faded = conditional()
    np.testing.assert_array_equal(arrow.schur, shape)
    np.testing.assert_array_equal(model.theta, theta)
    for v in range(M):
        share = keep if v in (2, 8) else 1.0
        assert after[v] == pytest.approx(share * precision[v] + (1 - share) * 11.0)
        assert after[v] * faded[v] == pytest.approx(share * precision[v] * level[v], abs=1e-12)


def test_a_logistic_posterior_is_raised_to_a_power() -> None:
    model = LogisticModel(**LINEAR)
    model.update(*told(np.random.default_rng(4), 80))
    eye = np.eye(9 + M)
    before = np.array([np.concatenate(model._arrow.times(row[:9], row[9:])) for row in eye])
    mean = np.r_[model.theta, model.rho]
    model.forget(0.4)
    start = np.diag(np.r_[np.full(9, 5.0), np.full(M, 11.0)])
    precision = 0.4 * before + 0.6 * start
    after = np.array([np.concatenate(model._arrow.times(row[:9], row[9:])) for row in eye])
    np.testing.assert_allclose(after, precision, rtol=1e-9, atol=1e-9)
    expected = np.linalg.solve(precision, 0.4 * before @ mean)
    np.testing.assert_allclose(np.r_[model.theta, model.rho], expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("variants", [None, np.array([4, 7])])
def test_a_neural_head_learned_anew_from_faded_rows_is_the_faded_head(variants: Ints | None) -> None:
    rng, policy = np.random.default_rng(10), small_neural_linear()
    policy.update(*told(rng, 150))
    assert policy._fitted_at == policy._memory.rows > 100
    theta = policy._head._model.theta
    policy.forget(0.3, variants)
    faded = probs(policy)
    if variants is not None:
        np.testing.assert_array_equal(policy._head._model.theta, theta)
    _, reward, weight = policy._memory.told
    policy._learn_head(reward, weight)
    if variants is None:
        np.testing.assert_allclose(probs(policy), faded, atol=1e-9)
    else:
        assert np.abs(policy._head._model.theta - theta).max() > 1e-6


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("unit", ["days", "rows"])
@settings(max_examples=10, deadline=None)
@given(seed=some_seed, half_life=st.floats(0.05, 100), cuts=st.lists(st.integers(0, 90), max_size=5))
def test_discounting_is_weighting_by_age(
    name: str, unit: str, seed: int, half_life: float, cuts: list[int]
) -> None:
    rows = told(np.random.default_rng(seed), 90, end=3.0)
    batch, column, reward, weight = rows
    policy = (
        Discounted(MAKE[name](), half_life_days=half_life)
        if unit == "days"
        else Discounted(MAKE[name](), half_life_rows=20 * half_life)
    )
    for piece in np.split(np.arange(90), sorted(cuts)):
        policy.update(*part(rows, piece))
    counted = weight > 0
    age = batch.time[counted].max() - batch.time if unit == "days" else counted.sum() - np.cumsum(counted)
    faded = weight * 0.5 ** (age / (half_life if unit == "days" else 20 * half_life))
    aged = MAKE[name]()
    aged.update(batch, column, reward, np.where(counted, faded, 0.0))
    if (
        name != "squarecb"
    ):  # its count of rows is a float sum, its probabilities go with the square root of it
        np.testing.assert_allclose(probs(policy), probs(aged), atol=1e-6)
    else:
        np.testing.assert_allclose(probs(policy), probs(aged), atol=1e-4)


def test_late_rows_weigh_what_they_would_have_weighed_on_time() -> None:
    rows = told(np.random.default_rng(5), 60, end=4.0)
    on_time, late = (Discounted(MAKE["lints"](), half_life_days=1.0) for _ in range(2))
    on_time.update(*rows)
    for piece in (np.arange(30, 60), np.arange(30)):
        late.update(*part(rows, piece))
    np.testing.assert_allclose(probs(late), probs(on_time), atol=1e-9)


def test_after_many_half_lives_the_start_is_back() -> None:
    rng = np.random.default_rng(6)
    policy, fresh = Discounted(MAKE["linucb"](), half_life_days=0.01), MAKE["linucb"]()
    policy.update(*told(rng, 200))
    last = told(rng, 1, start=90.0, end=90.0)
    policy.update(*last)
    fresh.update(*last)
    np.testing.assert_allclose(probs(policy), probs(fresh), atol=1e-9)


@pytest.mark.parametrize("name", MAKE)
def test_refused_feedback_fades_nothing(name: str) -> None:
    rng = np.random.default_rng(7)
    policy = Discounted(MAKE[name](), half_life_days=1.0)
    policy.update(*told(rng, 50))
    before, clock = probs(policy), policy._clock
    batch, column, reward, weight = told(rng, 20, start=9.0, end=10.0)
    moved = np.where(batch.present, batch.candidates + M, -1).astype(np.int32)
    grown = replace(batch, actions=np.vstack([ACTIONS, ACTIONS]), candidates=moved)
    with pytest.raises(DataError, match="below 24"):
        policy.update(grown, column, reward, weight)
    np.testing.assert_array_equal(probs(policy), before)
    assert policy._clock == clock


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("unit", ["days", "rows"])
@settings(max_examples=8, deadline=None)
@given(seed=some_seed, blocks=st.integers(1, 6), pieces=st.integers(1, 9))
def test_a_window_holds_the_newest_blocks_and_nothing_else(
    name: str, unit: str, seed: int, blocks: int, pieces: int
) -> None:
    rows = told(np.random.default_rng(seed), 90, end=5.0)
    batch, _, _, weight = rows
    days = unit == "days"
    policy = (
        Windowed(MAKE[name](), days=1.5, blocks=blocks)
        if days
        else Windowed(MAKE[name](), rows=30, blocks=blocks)
    )
    parts = np.array_split(np.arange(90), pieces)
    for piece in parts:
        policy.update(*part(rows, piece))
    counted = weight > 0
    block = np.floor((batch.time / 1.5 if days else (np.cumsum(counted) - 1) / 30) * blocks)
    kept = counted & (block > block[counted].max() - blocks)
    fresh = MAKE[name]()
    for piece in parts:
        fresh.update(*part(rows, piece[kept[piece]]))
    atol = 1e-5 if name in ("logistic_thompson", "squarecb") else 1e-9
    np.testing.assert_allclose(probs(policy), probs(fresh), atol=atol)


def test_a_window_does_not_drift_over_two_thousand_rebuilds() -> None:
    rng = np.random.default_rng(8)
    policy, fresh = Windowed(MAKE["softmax"](), rows=4, blocks=4), MAKE["softmax"]()
    rows = told(rng, 2_000)
    rows = (*rows[:3], np.ones(2_000))
    for row in range(2_000):
        policy.update(*part(rows, np.array([row])))
    fresh.update(*part(rows, np.arange(1_996, 2_000)))
    np.testing.assert_allclose(probs(policy), probs(fresh), atol=1e-12)
    assert sum(len(one.block) for one in policy._kept) == 4


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("keep", [0.0, 0.3])
def test_what_a_window_forgot_does_not_come_back_when_a_block_leaves(name: str, keep: float) -> None:
    rng = np.random.default_rng(10)
    policy, fresh = (Windowed(MAKE[name](), days=4.0, blocks=4) for _ in range(2))
    old, held, last = (told(rng, 60, start=day, end=day + 0.9) for day in (0.0, 2.0, 4.0))
    gone = np.array([0, 3, 8])
    policy.update(*old)
    policy.update(*held)
    policy.forget(keep, gone)
    policy.update(*last)  # the first block leaves, the others are learned again
    batch, column, reward, weight = held
    mine = np.isin(batch.shown(column), gone)
    fresh.update(batch, column, reward, np.where(mine, keep * weight, weight))
    fresh.update(*last)
    np.testing.assert_allclose(probs(policy), probs(fresh), atol=1e-9)


def test_numbers_of_half_the_size_are_kept_as_they_are_saved() -> None:
    rng = np.random.default_rng(11)
    policy = Windowed(MAKE["linucb"](), days=4.0)
    batch, column, reward, weight = told(rng, 60)
    small = replace(
        batch, context=batch.context.astype(np.float32), candidates=batch.candidates.astype(np.int64)
    )
    policy.update(small, column.astype(np.int32), reward.astype(np.float32), weight.astype(np.float32))
    again = Windowed(MAKE["linucb"](), days=4.0)
    again.set_state(policy.get_state())
    assert state_of(again) == state_of(policy)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Discounted(MAKE["ucb1"]()),
        lambda: Discounted(MAKE["ucb1"](), half_life_days=1.0, half_life_rows=2.0),
        lambda: Discounted(MAKE["ucb1"](), half_life_days=0.0),
        lambda: Windowed(MAKE["ucb1"]()),
        lambda: Windowed(MAKE["ucb1"](), days=1.0, rows=3),
        lambda: Windowed(MAKE["ucb1"](), days=np.nan),
        lambda: Windowed(MAKE["ucb1"](), days=1.0, blocks=0),
    ],
)
def test_lengths_that_cannot_be_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(DataError, match="above 0"):
        make()


class Turning:
    """24 variants in sets of 4; half-way the best and the worst of each set change places."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._rate = np.tile([0.30, 0.10, 0.06, 0.03], M // 4)

    def season(self, policy: Lasting, steps: int = 120, size: int = 100) -> float:
        """Expected clicks per request after the turn."""
        rng, earned = self._rng, []
        for step in range(steps):
            first = 4 * rng.integers(M // 4, size=size)
            candidates = (first[:, None] + np.arange(4)).astype(np.int32)
            batch = replace(
                make_batch(rng, size),
                candidates=candidates,
                state=np.full((size, 4, 2), 0.1),
                time=np.full(size, step / 10),
            )
            rate = self._rate if step < steps // 2 else self._rate.reshape(-1, 4)[:, ::-1].ravel()
            p = policy.action_probs(batch, rng)
            column = (np.cumsum(p, axis=1) < rng.random((size, 1))).sum(axis=1)
            column = np.minimum(column, 3)
            shown = rate[candidates[np.arange(size), column]]
            policy.update(batch, column, (rng.random(size) < shown).astype(float), np.ones(size))
            if step >= steps // 2:
                earned.append(float((p * rate[candidates]).sum(axis=1).mean()))
        return float(np.mean(earned))


@pytest.mark.parametrize("kind", ["discounted", "windowed"])
def test_where_the_world_turns_forgetting_pays(kind: str) -> None:
    def make(plain: Lasting) -> Lasting:
        if kind == "discounted":
            return Discounted(plain, half_life_days=1.0)
        return Windowed(plain, days=2.0, blocks=4)

    gain = np.array(
        [
            Turning(seed).season(make(EpsilonGreedy(n_actions=M, strength=5.0)))
            - Turning(seed).season(EpsilonGreedy(n_actions=M, strength=5.0))
            for seed in range(6)
        ]
    )
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(len(gain))


def test_batches_join_and_come_apart() -> None:
    rng = np.random.default_rng(9)
    narrow, wide = make_batch(rng, 5, k=2), make_batch(rng, 7, k=4)
    both = join([narrow, wide])
    assert len(both) == 12 and both.candidates.shape == (12, 4)
    np.testing.assert_array_equal(both.candidates[:5, :2], narrow.candidates)
    assert not both.present[:5, 2:].any()
    again = take(both, np.arange(5, 12))
    for name in ("context", "candidates", "state", "time"):
        np.testing.assert_array_equal(getattr(again, name), getattr(wide, name))
    with pytest.raises(DataError, match="at least one"):
        join([])
    with pytest.raises(DataError, match="agree"):
        join([narrow, replace(wide, context=wide.context[:, :1])])
