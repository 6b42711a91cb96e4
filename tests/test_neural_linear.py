"""Neural-linear: it finds what no linear policy can, loses little where there is nothing to find, and forgets in order."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.decide import decide
from copybandit.agents.explain import explain
from copybandit.agents.explain_parts import FeatureNames
from copybandit.agents.neural_fit import Rows, fit_network
from copybandit.agents.neural_memory import RowMemory
from copybandit.agents.neural_network import Network, Widths, last_layer, new_network
from copybandit.agents.policies import LinTS
from copybandit.agents.policy_neural_linear import NeuralLinear
from copybandit.sim.types import DataError, Floats
from tests.policy_entries import state_of

M, Q, P, K = 40, 4, 2, 5
BASE = 0.1


class World:
    """Clicks whose logarithm is linear in the copy, or that hang on whether copy and context have the same sign."""

    def __init__(self, seed: int, *, linear: bool) -> None:
        self.rng = np.random.default_rng([seed, 9])
        self.actions: Floats = self.rng.normal(size=(M, Q))
        self.linear = linear
        self.copy, self.context = (v / np.linalg.norm(v) for v in self.rng.normal(size=(2, Q)))

    def rate(self, batch: Batch) -> Floats:
        says = (self.actions @ self.copy)[batch.candidates]
        if self.linear:
            return np.asarray(BASE * np.exp(0.5 * np.tanh(says)))
        return np.asarray(BASE * (1 + 0.8 * np.sign(says * batch.context[:, :1])))

    def requests(self, n: int) -> Batch:
        return Batch(
            context=self.rng.normal(size=(n, P)),
            actions=self.actions,
            candidates=np.argsort(self.rng.random((n, M)), axis=1)[:, :K].astype(np.int32),
            state=np.full((n, K, 1), BASE),
            time=np.zeros(n),
        )


def gap_closed(policy: Learner, seed: int, *, linear: bool, rounds: int) -> float:
    """Share of the way from a uniform choice to the best one, over all rounds of 250 requests."""
    world = World(seed, linear=linear)
    got = np.zeros(3)
    for _ in range(rounds):
        batch = world.requests(250)
        probs, rate = policy.action_probs(batch, world.rng), world.rate(batch)
        column = decide(probs, world.rng)
        click = world.rng.random(250) < rate[np.arange(250), column]
        policy.update(batch, column, click.astype(float), np.ones(250))
        got += (probs * rate).sum(), rate.mean(axis=1).sum(), rate.max(axis=1).sum()
    return float((got[0] - got[1]) / (got[2] - got[1]))


def neural(seed: int = 0) -> NeuralLinear:
    return NeuralLinear(
        n_actions=M, n_features=Q, n_context=P, n_linear=Q, ridge=10.0, every=1000, points=8, seed=seed
    )


def linear() -> LinTS:
    return LinTS(n_actions=M, n_features=Q, ridge=10.0, points=8)


@pytest.mark.slow
def test_it_beats_lints_where_reward_is_not_linear() -> None:
    better = [
        gap_closed(neural(seed=seed), seed, linear=False, rounds=20)
        - gap_closed(linear(), seed, linear=False, rounds=20)
        for seed in range(5)
    ]
    error = np.std(better, ddof=1) / np.sqrt(len(better))
    assert np.mean(better) > 3 * error and np.mean(better) > 0.15


@pytest.mark.slow
def test_it_loses_little_where_reward_is_linear() -> None:
    ours = [gap_closed(neural(seed=seed), seed, linear=True, rounds=20) for seed in range(4)]
    theirs = [gap_closed(linear(), seed, linear=True, rounds=20) for seed in range(4)]
    assert np.mean(theirs) > 0.3 and np.mean(ours) > 0.7 * np.mean(theirs)


def fit(seed: int, rows: Rows, widths: Widths) -> tuple[Network, Network]:
    before = new_network(widths, np.random.default_rng(seed))
    rng = np.random.default_rng([seed, 1])
    return before, fit_network(before, rows, widths, steps=150, rate=0.01, ridge=1.0, decay=0.1, rng=rng)


def test_fitting_finds_a_cross_and_is_repeatable() -> None:
    """Reward hangs on the sign of context times copy alone; the other columns, the product's, are noise."""
    rng, widths = (
        np.random.default_rng(0),
        Widths(context=1, copy=2, product=1, state=0, rank=3, hidden=16, width=8),
    )
    z = rng.normal(size=(3000, 4))
    truth = 1 + 0.8 * np.sign(z[:, 0] * z[:, 1])
    rows = Rows(
        z=z, prior=np.full(3000, 0.5), reward=rng.binomial(1, 0.5 * truth).astype(float), weight=np.ones(3000)
    )
    before, after = fit(1, rows, widths)
    _, again = fit(1, rows, widths)
    assert state_of(after) == state_of(again)
    fresh = rng.normal(size=(2000, 4))
    truth = 1 + 0.8 * np.sign(fresh[:, 0] * fresh[:, 1])
    found = 1 + last_layer(after, fresh, widths, np.tanh) @ after.out
    assert np.corrcoef(found, truth)[0, 1] > 0.8
    assert (before.out == 0).all()


def test_a_fit_that_explodes_leaves_the_network_as_it_was() -> None:
    widths = Widths(context=0, copy=2, product=0, state=0, rank=0, hidden=4, width=3)
    rows = Rows(z=np.ones((10, 2)), prior=np.full(10, 0.5), reward=np.full(10, np.inf), weight=np.ones(10))
    before, after = fit(0, rows, widths)
    assert after is before


@settings(max_examples=60, deadline=None)
@given(kept=st.integers(1, 9), sizes=st.lists(st.integers(0, 20), max_size=6))
def test_memory_holds_the_last_rows(kept: int, sizes: list[int]) -> None:
    memory, total = RowMemory(kept=kept, inputs=2), 0
    for size in sizes:
        row = np.arange(total, total + size, dtype=np.float64)
        memory.add(np.stack([row, -row], axis=1), row.astype(np.int64), row, row + 0.5, row + 1)
        total += size
    last = np.arange(max(0, total - kept), total)
    assert memory.rows == total and sorted(memory.variant.tolist()) == last.tolist()
    np.testing.assert_array_equal(memory.input[:, 0], memory.variant)
    prior, reward, weight = memory.told
    np.testing.assert_array_equal(
        np.stack([prior, reward - 0.5, weight - 1]), np.tile(memory.variant, (3, 1))
    )


def test_before_the_first_fit_it_is_lints_on_its_linear_columns() -> None:
    world, ours, theirs = World(3, linear=True), neural(), linear()
    for _ in range(3):
        batch = world.requests(250)
        column = decide(theirs.action_probs(batch, world.rng), world.rng)
        click = (world.rng.random(250) < world.rate(batch)[np.arange(250), column]).astype(float)
        for policy in (ours, theirs):
            policy.update(batch, column, click, np.ones(250))
    mine, plain = ours._head._model.scores(ours._represented(batch)), theirs._model.scores(batch)
    np.testing.assert_allclose(mine.mean, plain.mean, atol=1e-12)
    np.testing.assert_allclose(mine.variance(), plain.variance(), rtol=1e-9)


def test_the_network_is_one_part_of_an_explanation() -> None:
    world, policy = World(4, linear=False), neural()
    gap = gap_closed(policy, 4, linear=False, rounds=5)
    assert gap > 0
    batch = world.requests(2)
    told = explain(policy, batch, FeatureNames(actions=("urgency", "price", "warmth", "length")))[0][0]
    words = {part.words for part in told.contributions}
    assert {"urgency", "price", "warmth", "length", "what the network sees in it"} <= words


def test_settings_that_cannot_be_are_refused() -> None:
    for changes, rule in (
        ({"n_product": 5}, "n_product and n_linear must be in"),
        ({"n_linear": 5}, "n_product and n_linear must be in"),
        ({"kept": 0}, "kept, every and steps must be at least 1"),
        ({"hidden": 0}, "hidden and width must be at least 1"),
        ({"rank": -1}, "columns must be >= 0"),
        ({"n_features": 0, "n_context": 0}, "columns must be >= 0 and at least one"),
    ):
        arguments = {"n_actions": M, "n_features": 4, "n_context": P, **changes}
        with pytest.raises(DataError, match=rule):
            NeuralLinear(**arguments)  # type: ignore[arg-type]


def test_torch_is_imported_for_fitting_only() -> None:
    code = (
        "import sys; from copybandit.agents.policy_neural_linear import NeuralLinear;"
        "NeuralLinear(n_actions=3, n_features=2, n_context=1); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


WITHOUT_TORCH = """
import sys
import numpy as np
sys.modules["torch"] = None
from copybandit.agents.batch import Batch
from copybandit.agents.policy_neural_linear import NeuralLinear
from copybandit.sim.types import DataError
policy = NeuralLinear(n_actions=3, n_features=0, n_context=1, every=4)
batch = Batch(
    context=np.ones((2, 1)), actions=np.empty((3, 0)), candidates=np.zeros((2, 1), dtype=np.int32),
    state=np.full((2, 1, 1), 0.1), time=np.zeros(2),
)
told = np.zeros(2, dtype=np.int64), np.ones(2), np.ones(2)
policy.update(batch, *told)
before = {name: array.copy() for name, array in policy.get_state().items()}
try:
    policy.update(batch, *told)
except DataError as error:
    print(error)
for name, array in policy.get_state().items():
    np.testing.assert_array_equal(array, before[name], err_msg=name)
"""


def test_without_torch_the_update_that_would_fit_is_refused_and_learns_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("neural_linear: fitting needs torch, got none")
