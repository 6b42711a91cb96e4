"""Guardrails: the closest distribution that keeps the rules, and who is held out, today and in any process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import ABSENT, Batch
from copybandit.agents.batch_rows import take
from copybandit.agents.check import check_policy
from copybandit.agents.decide import decide
from copybandit.agents.guarded import Guarded
from copybandit.agents.guardrails import Guardrails
from copybandit.agents.holdout import Holdout, held_probs
from copybandit.agents.policies import LinUCB, PriorGreedy, Uniform
from copybandit.agents.policy_fixed import FixedVariants
from copybandit.sim.types import DataError, Floats
from tests.test_policies import M, Q, make_batch, one_set, train

some_seed = st.integers(0, 2**32 - 1)


def any_probs(batch: Batch, rng: np.random.Generator, sharpness: float) -> Floats:
    """Distributions over present candidates, some of them with zeros."""
    raw = batch.present * rng.random(batch.present.shape) ** sharpness
    raw[rng.random(raw.shape) < 0.2] = 0.0
    raw = np.where(raw.sum(axis=1, keepdims=True) > 0, raw, batch.present)
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


@settings(max_examples=80, deadline=None)
@given(
    seed=some_seed,
    floor=st.floats(0, 0.12),
    cap=st.floats(0.55, 1.0),
    sharpness=st.floats(0.2, 9),
    paused=st.sets(st.integers(0, M - 1), max_size=3),
    named=st.floats(0.0, 0.5),
)
def test_every_rule_is_kept_and_nothing_else_moves(
    seed: int, floor: float, cap: float, sharpness: float, paused: set[int], named: float
) -> None:
    rng = np.random.default_rng(seed)
    batch = make_batch(rng, n=30, k=6)
    rules = Guardrails(
        floor=floor,
        cap=cap,
        least=((1, min(named, cap, 0.3)),),
        most=((2, named),),
        paused=tuple(sorted(paused - {1, 2})),
    )
    probs = any_probs(batch, rng, sharpness)
    low, high, live = rules._bounds(batch)
    fine = live.any(axis=1) & (low.sum(axis=1) <= 1) & (high.sum(axis=1) >= 1)
    batch, probs, low, high, live = (
        take(batch, fine),
        *(values[fine] for values in (probs, low, high, live)),
    )
    found = rules.project(probs, batch)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    assert (found >= low - 1e-8).all() and (found <= high + 1e-8).all()
    assert (found[~live] == 0).all()
    # What is strictly between its bounds keeps its proportions.
    free = (found > low + 1e-7) & (found < high - 1e-7) & (probs > 1e-9)
    scale = np.where(free, found / np.where(free, probs, 1.0), np.nan)
    for row in scale:
        inside = row[np.isfinite(row)]
        if len(inside):
            np.testing.assert_allclose(inside, inside[0], rtol=1e-6)
    again = rules.project(found, batch)
    np.testing.assert_allclose(again, found, atol=1e-8)


def test_it_is_the_closest_distribution_that_keeps_the_rules() -> None:
    rng = np.random.default_rng(0)
    batch, probs = one_set(1, [0, 1, 2, 3]), np.array([[0.9, 0.06, 0.03, 0.01]])
    found = Guardrails(floor=0.05, cap=0.6).project(probs, batch)[0]
    distance = float((found * np.log(found / probs[0])).sum())
    for _ in range(3_000):
        other = rng.dirichlet(np.ones(4))
        if other.min() >= 0.05 and other.max() <= 0.6:
            assert float((other * np.log(other / probs[0])).sum()) >= distance - 1e-9


def test_rows_that_keep_the_rules_are_not_touched() -> None:
    batch, rng = make_batch(np.random.default_rng(1), n=50), np.random.default_rng(2)
    probs = PriorGreedy(epsilon=0.2).action_probs(batch, rng)
    assert Guardrails(floor=0.05, cap=1.0).project(probs, batch) is probs


def test_what_is_paused_is_never_shown_and_the_rest_keeps_its_proportions() -> None:
    batch, probs = one_set(2, [4, 5, 6, 7]), np.array([[0.5, 0.2, 0.2, 0.1], [0.7, 0.0, 0.3, 1e-12]])
    found = Guardrails(paused=(4,)).project(probs, batch)
    np.testing.assert_allclose(found[0], [0, 0.4, 0.4, 0.2])
    assert (found[:, 0] == 0).all() and found[1, 1] == 0


def test_where_all_is_paused_the_control_is_shown_or_the_error_says_so() -> None:
    batch, probs = one_set(1, [4, 5, 6]), np.array([[0.2, 0.3, 0.5]])
    with pytest.raises(DataError, match=r"row 0: a candidate must not be paused, got all of \[4 5 6\]"):
        Guardrails(paused=(4, 5, 6)).project(probs, batch)
    shown = Guardrails(paused=(4, 5, 6), control=(5, 9), floor=0.1, cap=0.7).project(probs, batch)
    np.testing.assert_array_equal(shown, [[0, 1, 0]])


def test_what_is_alone_is_shown() -> None:
    batch, probs = one_set(1, [4, 5]), np.array([[0.2, 0.8]])
    np.testing.assert_array_equal(Guardrails(paused=(5,), cap=0.6).project(probs, batch), [[1, 0]])


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        (
            Guardrails(floor=0.4),
            r"row 0: floor and least must add up to at most 1 over \[4 5 6\], got 1.2; lower",
        ),
        (Guardrails(least=((4, 0.6), (5, 0.6))), "floor and least must add up to at most 1"),
        (Guardrails(cap=0.3), r"cap and most must add up to at least 1 over \[4 5 6\], got 0.9; raise"),
        (Guardrails(paused=(4,), cap=0.4), "cap and most must add up to at least 1"),
    ],
)
def test_rules_that_cannot_all_be_kept_are_named(rules: Guardrails, rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        rules.project(np.array([[0.2, 0.3, 0.5]]), one_set(1, [4, 5, 6]))


@pytest.mark.parametrize(
    "setting",
    [
        {"floor": -0.1},
        {"cap": 0.0},
        {"floor": 0.5, "cap": 0.4},
        {"least": ((1, 0.2), (1, 0.3))},
        {"most": ((1, 1.2),)},
        {"least": ((1, 0.5),), "most": ((1, 0.4),)},
        {"floor": float("nan")},
        {"paused": (1.5,)},
        {"control": (-1,)},
        {"least": ((0.5, 0.2),)},
    ],
)
def test_rules_that_are_no_probabilities_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(DataError, match="guardrails"):
        Guardrails(**setting)  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None)
@given(seed=some_seed, steps=st.integers(0, 4))
def test_a_guarded_policy_is_a_policy(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    rules = Guardrails(floor=0.02, cap=0.97, least=((3, 0.2),), paused=(0,), control=(0,))
    guarded = Guarded(LinUCB(n_actions=M, n_features=Q, epsilon=0.01), rules)
    train(guarded, rng, steps)
    candidates = np.array([[3, 5, 8, 11], [5, 0, 7, ABSENT], [ABSENT, 0, ABSENT, ABSENT]], dtype=np.int32)
    batch = replace(one_set(3, [3, 5, 8, 11]), candidates=candidates)
    check_policy(guarded, batch, rng)
    probs = guarded.action_probs(batch, rng)
    assert probs[0, 0] >= 0.2 - 1e-9 and probs[1, 1] == 0 and probs[2, 1] == 1
    column = decide(probs, rng)
    assert (probs[np.arange(3), column] > 0).all()


def test_a_share_of_shoppers_is_held_out_for_good() -> None:
    ids = [f"shopper-{i}" for i in range(20_000)]
    tenth = Holdout(share=0.1, salt="spring")
    held = tenth.holds(ids)
    assert abs(held.mean() - 0.1) < 4 * np.sqrt(0.09 / 20_000)
    np.testing.assert_array_equal(held[5:9], tenth.holds(ids[5:9]))
    # A larger share holds out the same shoppers and more; another salt others.
    assert (Holdout(share=0.3, salt="spring").holds(ids) >= held).all()
    other = Holdout(share=0.1, salt="autumn").holds(ids)
    assert abs((held & other).mean() - 0.01) < 4 * np.sqrt(0.01 / 20_000)


def test_shoppers_by_number_are_held_out_alike() -> None:
    tenth, shopper = Holdout(share=0.1, salt="spring"), np.arange(20_000)
    held = tenth.holds_index(shopper)
    assert abs(held.mean() - 0.1) < 4 * np.sqrt(0.09 / 20_000)
    np.testing.assert_array_equal(tenth.holds_index(shopper[::-7]), held[::-7])
    assert not Holdout(share=0.0, salt="x").holds_index(shopper).any()


def test_another_process_holds_out_the_same() -> None:
    code = (
        "from copybandit.agents.holdout import Holdout\nimport numpy as np\n"
        "h = Holdout(share=0.2, salt='s')\n"
        "print(h.holds([str(i) for i in range(99)]).nonzero()[0].tolist(), "
        "h.holds_index(np.arange(99)).nonzero()[0].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    holdout = Holdout(share=0.2, salt="s")
    by_id = holdout.holds([str(i) for i in range(99)]).nonzero()[0].tolist()
    by_number = holdout.holds_index(np.arange(99)).nonzero()[0].tolist()
    assert done.stdout.strip() == f"{by_id} {by_number}"


@pytest.mark.parametrize(("share", "salt"), [(-0.1, "s"), (1.0, "s"), (0.1, "")])
def test_holdouts_that_cannot_be_are_refused(share: float, salt: str) -> None:
    with pytest.raises(DataError, match="holdout"):
        Holdout(share=share, salt=salt)


def test_each_shopper_has_the_propensities_of_the_policy_he_got() -> None:
    rng, batch = np.random.default_rng(3), make_batch(np.random.default_rng(4), n=40)
    policy, held = PriorGreedy(epsilon=0.1), np.arange(40) % 3 == 0
    probs = held_probs(policy, Uniform(), batch, held, rng)
    np.testing.assert_array_equal(probs[held], Uniform().action_probs(batch, rng)[held])
    np.testing.assert_array_equal(probs[~held], policy.action_probs(batch, rng)[~held])


def test_the_fixed_control_shows_its_variants() -> None:
    batch = replace(one_set(2, [4, 5, 6]), candidates=np.array([[4, 5, 6], [5, ABSENT, 7]], dtype=np.int32))
    policy = FixedVariants((4, 6, 9))
    check_policy(policy, batch, np.random.default_rng(0))
    probs = policy.action_probs(batch, np.random.default_rng(0))
    np.testing.assert_array_equal(probs, [[0.5, 0, 0.5], [0.5, 0, 0.5]])
    with pytest.raises(DataError, match="at least 0"):
        FixedVariants((-1,))
