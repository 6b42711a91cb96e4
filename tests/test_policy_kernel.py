"""The compiled kernel and the desk against the NumPy form of the same rules."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import ABSENT, Batch
from copybandit.agents.decide import decide
from copybandit.agents.desk import Desk
from copybandit.agents.fast import SWITCH, desk_kernel, kernel
from copybandit.agents.policies import BetaThompson, LinTS, LinUCB, SquareCB
from copybandit.agents.policy_features import LinearOptions
from copybandit.sim.types import DataError, Floats, Ints

pytest.importorskip("numba", reason="the extra [fast] is not installed: nothing to compare with")

M, Q, P, S = 24, 5, 3, 2
ACTIONS = np.random.default_rng(1).normal(size=(M, Q))
LINEAR = LinearOptions(
    n_actions=M, n_features=Q, interactions=((0, 1), (2, 4)), state_channels=(1,), ridge=5.0
)
CROSSED = LinearOptions(**LINEAR, n_context=P, hashed_crosses=6)
some_seed = st.integers(0, 2**32 - 1)


@contextmanager
def numpy_only() -> Iterator[None]:
    """Without the kernel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, "0")
        kernel.cache_clear()
        desk_kernel.cache_clear()
        assert kernel() is None
        yield
    kernel.cache_clear()
    desk_kernel.cache_clear()


def make_batch(rng: np.random.Generator, n: int, k: int = 5) -> Batch:
    candidates = np.argsort(rng.random((n, M)), axis=1)[:, :k].astype(np.int32)
    absent = rng.random((n, k)) < 0.3
    absent[np.arange(n), rng.integers(k, size=n)] = False
    candidates[absent] = ABSENT
    return Batch(
        context=rng.normal(size=(n, P)),
        actions=ACTIONS,
        candidates=candidates,
        state=rng.uniform(0.01, 0.2, (n, k, S)),
        time=np.zeros(n),
    )


def feedback(rng: np.random.Generator, n: int) -> tuple[Batch, Ints, Floats, Floats]:
    batch = make_batch(rng, n)
    weight = rng.uniform(0, 2, n) * (rng.random(n) < 0.8)
    return batch, batch.present.argmax(axis=1), (rng.random(n) < 0.1).astype(float), weight


def trained(rng: np.random.Generator, *sizes: int) -> list[LinUCB | LinTS]:
    policies: list[LinUCB | LinTS] = [LinUCB(**LINEAR, alpha=0.7), LinTS(**LINEAR)]
    policies += [LinUCB(**CROSSED), LinTS(**CROSSED)]
    for n in sizes:
        told = feedback(rng, n)
        for policy in policies:
            policy.update(*told)
    return policies


def test_the_kernel_is_there_where_numba_is() -> None:
    assert kernel() is not None
    assert desk_kernel() is not None


def test_importing_a_folder_loads_no_numba() -> None:
    code = "import sys, copybandit.agents.policies, copybandit.agents.desk; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@settings(max_examples=40, deadline=None)
@given(seed=some_seed, n=st.integers(0, 40), k=st.integers(1, 9))
def test_probabilities_are_those_of_numpy(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    for policy in trained(rng, 200, 3):
        batch = make_batch(rng, n, k)
        found = policy.action_probs(batch, rng)
        with numpy_only():
            np.testing.assert_allclose(found, policy.action_probs(batch, rng), rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=some_seed, sizes=st.lists(st.integers(1, 8), min_size=1, max_size=10))
def test_learning_is_that_of_numpy(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    for policy in trained(rng, 30):
        other, told = copy.deepcopy(policy), [feedback(rng, n) for n in sizes]
        for one in told:
            policy.update(*one)
        with numpy_only():
            for one in told:
                other.update(*one)
        for name in ("shared", "each"):
            ours, theirs = getattr(policy._model._arrow, name), getattr(other._model._arrow, name)
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
        assert policy._model._arrow.since == other._model._arrow.since


@settings(max_examples=30, deadline=None)
@given(seed=some_seed, n=st.integers(1, 30), k=st.integers(1, 12))
def test_the_same_columns_are_drawn_to_the_last_bit(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(k, 0.2), n)
    found = decide(probs, np.random.default_rng(seed))
    with numpy_only():
        np.testing.assert_array_equal(found, decide(probs, np.random.default_rng(seed)))


def test_arrays_of_other_kinds_take_the_long_way() -> None:
    rng = np.random.default_rng(2)
    for policy in trained(rng, 50):
        batch = make_batch(rng, 6)
        other = Batch(
            context=np.asfortranarray(batch.context),
            actions=ACTIONS,
            candidates=batch.candidates.astype(np.int64),  # what a caller may do
            state=batch.state,
            time=batch.time,
        )
        np.testing.assert_allclose(
            policy.action_probs(other, rng), policy.action_probs(batch, rng), atol=1e-12
        )


def bad_requests() -> dict[str, tuple[list[float], list[int], list[list[float]], float]]:
    """A request by what is wrong with it."""
    x, c, s = [0.1, 0.2, 0.3], [4, 7, 1], [[0.1, 0.0]] * 3
    return {
        "finite": ([0.1, np.nan, 0.3], c, s, 0.0),
        "at most 1e": (x, c, [[0.1, 1e9], *s[1:]], 0.0),
        "time must be finite": (x, c, s, np.inf),
        "candidates must be distinct": (x, [4, 7, 4], s, 0.0),
        r"must be in \[-1, 24\)": (x, [4, 24, 1], s, 0.0),
        "candidates must name a variant": (x, [-1, -1, -1], s, 0.0),
        r"prior must be in \(0, 1\)": (x, c, [[0.1, 0.0], [1.0, 0.0], [0.1, 0.0]], 0.0),
        r"context must be \(3,\)": (x[:2], c, s, 0.0),
        "got": (x, [*c, 9, 10, 11], [[0.1, 0.0]] * 6, 0.0),
        "list of variant indices": (x, [0.5, 1.5, 2.5], s, 0.0),  # type: ignore[list-item]
        "variant indices, got int64": (x, [2**32 + 1, 2, 3], s, 0.0),
        "variant indices, got int64 of shape": (x, [-(2**63), 2, 3], s, 0.0),
        "state": (x, c, s[:2], 0.0),
    }


def open_desk(policy: LinUCB | LinTS | SquareCB | BetaThompson) -> Desk:
    return Desk(policy, ACTIONS, slots=5, context=P, channels=S, rng=np.random.default_rng(7))


def serve(desk: Desk, rng: np.random.Generator, rows: int) -> None:
    """Requests of 1 to 5 candidates, answered out of order, some never."""
    batch, open_ = make_batch(rng, rows), []
    for row in range(rows):
        present = batch.present[row]
        choice = desk.decide(
            batch.context[row], batch.candidates[row, present], batch.state[row, present], float(row)
        )
        assert choice.decision == row
        assert choice.variant == batch.candidates[row, present][choice.column]
        open_.append(choice.decision)
        if rng.random() < 0.8:
            desk.learn(
                open_.pop(int(rng.integers(len(open_)))), float(rng.random() < 0.2), rng.uniform(0.5, 2)
            )


@pytest.mark.parametrize("make", [LinUCB, LinTS])
@pytest.mark.parametrize("options", [LINEAR, CROSSED], ids=["named", "hashed"])
def test_a_desk_logs_and_learns_the_same_either_way(
    make: type[LinUCB] | type[LinTS], options: LinearOptions
) -> None:
    logs, policies = [], []
    for compiled in (True, False):
        policy, rng = make(**options), np.random.default_rng(3)
        desk = open_desk(policy)
        if compiled:
            serve(desk, rng, 300)
        else:
            with numpy_only():
                serve(desk, rng, 300)
        logs.append(desk.log)
        policies.append(policy)
    ours, theirs = logs
    for name in ("time", "context", "candidates", "state", "action", "reward", "weight"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_allclose(ours.action_probs, theirs.action_probs, rtol=0, atol=1e-11)
    np.testing.assert_allclose(
        policies[0]._model._arrow.each, policies[1]._model._arrow.each, rtol=1e-11, atol=1e-11
    )
    assert 0 < np.isnan(ours.reward).sum() < 150
    assert (ours.propensity > 0).all()


@pytest.mark.parametrize("make", [lambda: SquareCB(**LINEAR), lambda: LinTS(**LINEAR)])
def test_a_desk_is_the_policy_batch_by_batch(make: Callable[[], SquareCB | LinTS]) -> None:
    """What is logged is what the policy gives for a batch of one, taught in the order of the answers."""
    desk, again = open_desk(make()), make()
    rng = np.random.default_rng(4)
    for row in range(40):
        batch = make_batch(rng, 1)
        choice = desk.decide(batch.context[0], batch.candidates[0], batch.state[0])
        np.testing.assert_allclose(
            desk.log.action_probs[row], again.action_probs(batch, rng)[0], rtol=0, atol=1e-12
        )
        assert choice.propensity == desk.log.propensity[row]
        column = np.array([choice.column])
        desk.learn(choice.decision, float(row % 3 == 0))
        again.update(batch, column, np.array([float(row % 3 == 0)]), np.ones(1))


@pytest.mark.parametrize("rule", bad_requests())
@pytest.mark.parametrize("warm", [False, True])
def test_a_desk_refuses_what_no_policy_can_use_and_stays_as_it_was(rule: str, warm: bool) -> None:
    desk, fine = open_desk(LinTS(**LINEAR)), open_desk(LinTS(**LINEAR))
    request = np.array([0.1, 0.2, 0.3]), np.array([4, 7, 1]), np.full((3, S), 0.1)
    for one in (desk, fine) if warm else ():
        one.decide(*request)
    context, candidates, state, time = bad_requests()[rule]
    as_arrays = np.array(context), np.array(candidates), np.array(state)
    for asked in ((context, candidates, state), as_arrays):
        with pytest.raises(DataError, match=rule):
            desk.decide(asked[0], asked[1], asked[2], time)
    assert len(desk) == len(desk.log) == int(warm)
    assert desk.decide(*request) == fine.decide(*request)


@pytest.mark.parametrize("make", [lambda: LinUCB(**LINEAR), lambda: BetaThompson(np.full(M, 0.1))])
def test_a_desk_refuses_answers_it_cannot_place(make: Callable[[], LinUCB | BetaThompson]) -> None:
    desk, rng = open_desk(make()), np.random.default_rng(5)
    serve(desk, rng, 20)
    choice = desk.decide(np.zeros(P), [1, 2], [[0.1, 0.0], [0.2, 0.0]])
    before = copy.deepcopy(desk.policy)
    for decision, reward, weight, rule in (
        (21, 1.0, 1.0, r"decision must be in \[0, 21\), got 21"),
        (-1, 1.0, 1.0, "got -1"),
        (choice.decision, np.nan, 1.0, "reward must be finite"),
        (choice.decision, 1.0, np.inf, "weight must be finite"),
        (choice.decision, 1.0, 0.0, "weight must be above 0"),
    ):
        with pytest.raises(DataError, match=rule):
            desk.learn(decision, reward, weight)
    asked = make_batch(rng, 5)
    np.testing.assert_array_equal(desk.policy.action_probs(asked, rng), before.action_probs(asked, rng))
    assert np.isnan(desk.log.reward[-1])
    desk.learn(choice.decision, 1.0)
    with pytest.raises(DataError, match=r"answered with 1\.0, got 0\.0 as well"):
        desk.learn(choice.decision, 0.0)
    assert desk.log.reward[-1] == 1.0


@pytest.mark.parametrize("make", [LinUCB, LinTS])
def test_a_desk_refuses_variants_beyond_its_policy_after_requests_too(
    make: type[LinUCB] | type[LinTS],
) -> None:
    """The desk knows 24 variants, the policy 10: what is known of the others lies beyond the end of its arrays."""
    desk = open_desk(make(n_actions=10, n_features=Q))
    state = np.full((2, S), 0.1)
    desk.decide(np.zeros(P), np.array([1, 9], dtype=np.int32), state)
    with pytest.raises(DataError, match="candidates must be below 10, got 23"):
        desk.decide(np.zeros(P), np.array([1, 23], dtype=np.int32), state)
    assert len(desk) == 1


def test_a_desk_needs_sizes() -> None:
    with pytest.raises(DataError, match="slots and channels must be at least 1"):
        Desk(LinUCB(**LINEAR), ACTIONS, slots=0, context=1, rng=np.random.default_rng(0))


def test_actions_that_are_fixed_are_looked_at_once_and_others_each_time() -> None:
    actions = ACTIONS.copy()
    parts = {
        "context": np.zeros((1, P)),
        "candidates": np.array([[1, 2]], dtype=np.int32),
        "state": np.full((1, 2, S), 0.1),
        "time": np.zeros(1),
    }
    Batch(actions=actions, **parts)  # type: ignore[arg-type]  # arrays of several kinds
    actions[0, 0] = np.nan
    with pytest.raises(DataError, match="actions must be finite"):
        Batch(actions=actions, **parts)  # type: ignore[arg-type]
    actions.flags.writeable = False
    with pytest.raises(DataError, match="actions must be finite"):
        Batch(actions=actions, **parts)  # type: ignore[arg-type]
