"""Every policy keeps the same promises: a loggable distribution, a state that no bad row can touch, weight 1 on replay."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.bandit import Response, Visits, batch_of, run_bandit
from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.batch_rows import take
from copybandit.agents.check import check_policy
from copybandit.agents.decide import decide
from copybandit.agents.discounted import Discounted
from copybandit.agents.disjoint_model import DisjointOptions
from copybandit.agents.forgetful import Forgetful
from copybandit.agents.guarded import Guarded
from copybandit.agents.guardrails import Guardrails
from copybandit.agents.policies import (
    UCB1,
    BetaThompson,
    BootstrapBag,
    EpsilonGreedy,
    ExploreThenCommit,
    HorizonIndex,
    LinTS,
    LinUCB,
    LogisticThompson,
    PriorGreedy,
    Softmax,
    SquareCB,
    Uniform,
)
from copybandit.agents.policy_disjoint import DisjointLinTS, DisjointLinUCB
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.policy_neural_linear import NeuralLinear
from copybandit.agents.watchful import Watchful
from copybandit.agents.windowed import Windowed
from copybandit.evaluation.ope_crossfit import cross_fit_scale
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import USUAL
from copybandit.evaluation.ope_rows import rows_of_log
from copybandit.sim.types import DataError, Floats, Ints

M, Q, P = 24, 5, 3
EPSILON = 0.04
PRIOR = np.random.default_rng(0).uniform(0.005, 0.05, M)
ACTIONS = np.random.default_rng(1).normal(size=(M, Q))
LINEAR = LinearOptions(
    n_actions=M, n_features=Q, interactions=((0, 1), (2, 4)), state_channels=(1,), ridge=5.0
)
DISJOINT = DisjointOptions(n_actions=M, n_context=P, ridge=5.0, waves=4)


def small_neural_linear() -> NeuralLinear:
    """One that is fitted after every second batch of 50 rows and soon overwrites what it remembers."""
    return NeuralLinear(
        n_actions=M,
        n_features=Q,
        n_context=P,
        n_product=2,
        n_linear=1,
        state_channels=(1,),
        points=8,
        epsilon=EPSILON,
        ridge=5.0,
        hidden=6,
        width=4,
        rank=2,
        kept=180,
        every=100,
        steps=8,
    )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A policy and which of the promises it makes.

    Attributes:
        make: a fresh one.
        floor: share of uniform exploration.
        learns: whether feedback changes it.
        ordered: whether the order of rows within a batch of feedback matters.
        featured: whether it reads ``Batch.actions``, ``context`` and ``state`` channel 1.
        contextual: whether it reads ``Batch.context`` alone.
    """

    make: Callable[[], Forgetful]
    floor: float = EPSILON
    learns: bool = True
    ordered: bool = False
    featured: bool = False
    contextual: bool = False


PLAIN: dict[str, Entry] = {
    "uniform": Entry(make=Uniform, floor=1.0, learns=False),
    "prior_greedy": Entry(make=lambda: PriorGreedy(epsilon=EPSILON), learns=False),
    "explore_then_commit": Entry(make=lambda: ExploreThenCommit(n_actions=M, explore=40, epsilon=EPSILON)),
    "thompson": Entry(make=lambda: BetaThompson(PRIOR, strength=60, epsilon=EPSILON)),
    "horizon_index": Entry(
        make=lambda: HorizonIndex(PRIOR, horizon=400, strength=5, spread=0.6, epsilon=EPSILON)
    ),
    "linucb": Entry(make=lambda: LinUCB(**LINEAR, epsilon=EPSILON), featured=True),
    "epsilon_greedy": Entry(make=lambda: EpsilonGreedy(n_actions=M, strength=5, epsilon=EPSILON)),
    "squarecb": Entry(make=lambda: SquareCB(**LINEAR, epsilon=EPSILON), featured=True),
    "lints": Entry(make=lambda: LinTS(**LINEAR, epsilon=EPSILON), featured=True),
    "softmax": Entry(make=lambda: Softmax(**LINEAR, epsilon=EPSILON), featured=True),
    "logistic_thompson": Entry(make=lambda: LogisticThompson(**LINEAR, epsilon=EPSILON), featured=True),
    "bootstrap_bag": Entry(make=lambda: BootstrapBag(n_actions=M, strength=5, epsilon=EPSILON), ordered=True),
    "neural_linear": Entry(make=small_neural_linear, ordered=True, featured=True),
    "ucb1": Entry(make=lambda: UCB1(n_actions=M, width=0.1, epsilon=EPSILON)),
    "disjoint_linucb": Entry(make=lambda: DisjointLinUCB(**DISJOINT, epsilon=EPSILON), contextual=True),
    "disjoint_lints": Entry(make=lambda: DisjointLinTS(**DISJOINT, epsilon=EPSILON), contextual=True),
}
"""Every policy by its name."""
AROUND: dict[str, Entry] = {
    "discounted": Entry(
        make=lambda: Discounted(LinUCB(**LINEAR, epsilon=EPSILON), half_life_days=2.0), featured=True
    ),
    "discounted_by_rows": Entry(
        make=lambda: Discounted(LinTS(**LINEAR, epsilon=EPSILON), half_life_rows=90),
        ordered=True,
        featured=True,
    ),
    "windowed": Entry(
        make=lambda: Windowed(LinUCB(**LINEAR, epsilon=EPSILON), days=2.0, blocks=4), featured=True
    ),
    "windowed_by_rows": Entry(
        make=lambda: Windowed(BetaThompson(PRIOR, strength=60, epsilon=EPSILON), rows=120), ordered=True
    ),
    "guarded": Entry(
        make=lambda: Guarded(
            LinTS(**LINEAR, epsilon=0.01),
            Guardrails(floor=EPSILON, cap=0.9, least=((3, 0.1),), most=((5, 0.3),)),
        ),
        featured=True,
    ),
    "watchful": Entry(
        make=lambda: Watchful(LinUCB(**LINEAR, epsilon=EPSILON), n_actions=M, false_alarm=0.01, block=0.1),
        featured=True,
    ),
}
"""What is put around a policy."""
ENTRIES = PLAIN | AROUND
LEARNERS = [name for name, entry in ENTRIES.items() if entry.learns]
FEATURED = [name for name, entry in ENTRIES.items() if entry.featured]
CONTEXTUAL = [name for name, entry in ENTRIES.items() if entry.featured or entry.contextual]
UNORDERED = [name for name in LEARNERS if not ENTRIES[name].ordered]

some_seed = st.integers(0, 2**32 - 1)


def make_batch(rng: np.random.Generator, n: int = 20, k: int = 4) -> Batch:
    """Rows of distinct variants, some absent, at least one present."""
    candidates = np.argsort(rng.random((n, M)), axis=1)[:, :k].astype(np.int32)
    absent = rng.random((n, k)) < 0.3
    absent[np.arange(n), rng.integers(k, size=n)] = False
    candidates[absent] = ABSENT
    prior = np.clip(PRIOR[candidates] * rng.uniform(0.5, 2.0, (n, k)), 1e-6, 0.5)
    return Batch(
        context=rng.normal(size=(n, P)),
        actions=ACTIONS,
        candidates=candidates,
        state=np.stack([prior, rng.random((n, k))], axis=2),
        time=3 * rng.random(n),
    )


def feedback(policy: Learner, rng: np.random.Generator, n: int = 50) -> tuple[Batch, Ints, Floats, Floats]:
    """What a policy is told after a batch: clicks that depend on the variant."""
    batch = make_batch(rng, n=n)
    column = decide(policy.action_probs(batch, rng), rng)
    click_probability = 0.02 + 0.3 * (batch.shown(column) % 4 == 0)
    reward = (rng.random(n) < click_probability).astype(float)
    return batch, column, reward, rng.uniform(0.5, 1.5, n)


def trained(name: str, rng: np.random.Generator, steps: int) -> Forgetful:
    policy = ENTRIES[name].make()
    for _ in range(steps):
        policy.update(*feedback(policy, rng))
    return policy


def state_of(value: object) -> object:
    """All a policy holds, arrays as bytes, so that == compares to the last bit."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return [state_of(one) for one in value]
    if isinstance(value, dict):
        return {name: state_of(one) for name, one in value.items()}
    if hasattr(value, "__dict__"):
        return {name: state_of(one) for name, one in vars(value).items()}
    return value


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=25, deadline=None)
@given(seed=some_seed, n=st.integers(1, 30), k=st.integers(1, 8), steps=st.integers(0, 6))
def test_is_a_distribution_over_present_candidates(name: str, seed: int, n: int, k: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    policy = trained(name, rng, steps)
    check_policy(policy, make_batch(rng, n, k), rng, floor=ENTRIES[name].floor)


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=10, deadline=None)
@given(seed=some_seed, n=st.integers(1, 12), k=st.integers(1, 8))
def test_a_batch_is_its_requests_one_by_one(name: str, seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    policy, batch = trained(name, rng, 3), make_batch(rng, n, k)
    together = policy.action_probs(batch, np.random.default_rng(0))
    alone = [policy.action_probs(take(batch, np.array([row])), np.random.default_rng(0)) for row in range(n)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-9)


@pytest.mark.parametrize("name", ENTRIES)
def test_asking_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(1)
    policy = trained(name, rng, 3)
    before = state_of(policy)
    policy.action_probs(make_batch(rng), rng)
    assert state_of(policy) == before


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=10, deadline=None)
@given(seed=some_seed, n=st.integers(0, 30))
def test_feedback_of_no_weight_changes_nothing(name: str, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    policy = trained(name, rng, 2)
    before = state_of(policy)
    batch, column, reward, _ = feedback(policy, rng, n)
    policy.update(batch, column, reward, np.zeros(n))
    assert state_of(policy) == before


@pytest.mark.parametrize("name", LEARNERS)
def test_feedback_with_weight_changes_what_is_chosen(name: str) -> None:
    rng = np.random.default_rng(4)
    policy, batch = trained(name, rng, 0), make_batch(rng)
    before = policy.action_probs(batch, np.random.default_rng(0))
    for _ in range(8):
        policy.update(*feedback(policy, rng))
    assert np.abs(policy.action_probs(batch, np.random.default_rng(0)) - before).max() > 1e-3


@pytest.mark.parametrize("name", UNORDERED)
@settings(max_examples=10, deadline=None)
@given(seed=some_seed)
def test_order_of_rows_within_a_batch_does_not_matter(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    policy = trained(name, rng, 2)
    other = copy.deepcopy(policy)
    batch, column, reward, weight = feedback(policy, rng)
    order = rng.permutation(len(batch))
    policy.update(batch, column, reward, weight)
    other.update(take(batch, order), column[order], reward[order], weight[order])
    asked = make_batch(rng)
    np.testing.assert_allclose(
        policy.action_probs(asked, np.random.default_rng(0)),
        other.action_probs(asked, np.random.default_rng(0)),
        atol=1e-7,
    )


@pytest.mark.parametrize("name", ENTRIES)
def test_log_of_zero_rows_is_harmless(name: str) -> None:
    policy = ENTRIES[name].make()
    empty = make_batch(np.random.default_rng(0), n=0)
    assert policy.action_probs(empty, np.random.default_rng(0)).shape == (0, 4)
    policy.update(empty, np.empty(0, np.int64), np.empty(0), np.empty(0))
    check_policy(policy, make_batch(np.random.default_rng(1)), np.random.default_rng(2))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("name", LEARNERS)
def test_unusable_feedback_is_refused_and_changes_nothing(name: str, bad: float) -> None:
    rng = np.random.default_rng(7)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before = state_of(policy)
    column, fine = batch.present.argmax(axis=1), np.ones(len(batch))
    poisoned = np.where(np.arange(len(batch)) == 4, bad, 1.0)
    for reward, weight in ((poisoned, fine), (fine, poisoned), (fine, -fine)):
        with pytest.raises(DataError, match="must be finite"):
            policy.update(batch, column, reward, weight)
    with pytest.raises(DataError, match="present candidate"):
        policy.update(batch, np.where(batch.present.all(1), 9, (~batch.present).argmax(1)), fine, fine)
    with pytest.raises(DataError, match="one per request"):
        policy.update(batch, column, fine[:-1], fine)
    assert state_of(policy) == before


@pytest.mark.parametrize("name", LEARNERS)
def test_a_variant_without_a_place_is_refused_and_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(8)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before = state_of(policy)
    candidates = batch.candidates.copy()
    candidates[5, 0] = M
    grown = replace(batch, candidates=candidates, actions=np.vstack([ACTIONS, ACTIONS[:1]]))
    for ask in (
        lambda: policy.action_probs(grown, rng),
        lambda: policy.update(grown, np.zeros(20, np.int64), np.ones(20), np.ones(20)),
    ):
        with pytest.raises(DataError):
            ask()
    assert state_of(policy) == before


@pytest.mark.parametrize("name", FEATURED)
def test_features_of_another_width_are_refused_and_change_nothing(name: str) -> None:
    rng = np.random.default_rng(9)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before, ones = state_of(policy), np.ones(20)
    column = batch.present.argmax(axis=1)
    for other, rule in (
        (replace(batch, actions=ACTIONS[:, :3]), "actions must have 5 columns, got 3"),
        (replace(batch, context=batch.context[:, :2]), "context columns"),
        (replace(batch, state=batch.state[:, :, :1]), "state_channels"),
    ):
        with pytest.raises(DataError, match=rule):
            policy.action_probs(other, rng)
        with pytest.raises(DataError, match=rule):
            policy.update(other, column, ones, ones)
    assert state_of(policy) == before


@pytest.mark.parametrize("name", CONTEXTUAL)
def test_a_context_of_another_width_is_refused_and_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(9)
    policy, batch = trained(name, rng, 3), make_batch(rng)
    before, column = state_of(policy), batch.present.argmax(axis=1)
    other = replace(batch, context=batch.context[:, :2])
    with pytest.raises(DataError, match="context columns"):
        policy.action_probs(other, rng)
    with pytest.raises(DataError, match="context columns"):
        policy.update(other, column, np.ones(20), np.ones(20))
    assert state_of(policy) == before


@pytest.mark.parametrize("name", ENTRIES)
def test_stays_a_distribution_on_rows_at_the_edge_of_what_is_allowed(name: str) -> None:
    rng = np.random.default_rng(10)
    policy = ENTRIES[name].make()
    column = rng.normal(size=(M, 1))
    huge = np.hstack([column * 1e6 / np.abs(column).max(), column, column, np.zeros((M, 2))])
    for weight in (1e6, 1e-12):
        for _ in range(4):
            batch = replace(make_batch(rng, n=100), actions=huge)
            prior = np.where(rng.random(batch.prior.shape) < 0.5, 1e-12, 1 - 1e-12)
            batch = replace(batch, state=np.stack([prior, batch.state[:, :, 1]], axis=2))
            shown = decide(policy.action_probs(batch, rng), rng)
            policy.update(batch, shown, rng.integers(2, size=100).astype(float), np.full(100, weight))
    check_policy(policy, replace(make_batch(rng), actions=huge), rng, floor=ENTRIES[name].floor)


class Street:
    """A shop of 6 products with up to 4 variants; the warm start is noisy, fatigue is none."""

    def __init__(self, seed: int) -> None:
        self.actions: Floats = ACTIONS
        self._rng = np.random.default_rng(seed)
        self._truth = np.clip(PRIOR * np.exp(self._rng.normal(scale=0.5, size=M)), 0.001, 0.5)
        self.seen: list[Visits] = []

    def visits(self, step: int, size: int) -> Visits:
        product = self._rng.integers(M // 4, size=size)
        candidates = (product[:, None] * 4 + np.arange(4)).astype(np.int32)
        candidates[product % 3 == 0, 1] = ABSENT
        visits = Visits(
            shopper=np.arange(size),
            product=product,
            position=np.ones(size, dtype=np.int64),
            time=step + np.arange(size) / size,
            candidates=candidates,
            context=self._rng.normal(size=(size, P)),
            state=np.stack([PRIOR[candidates], self._rng.random((size, 4))], axis=2),
        )
        self.seen.append(visits)
        return visits

    def expected_click(self, visits: Visits) -> Floats:
        return self._truth[visits.candidates]

    def respond(self, visits: Visits, column: Ints) -> Response:
        probability = self.expected_click(visits)[np.arange(len(column)), column]
        click = (self._rng.random(len(column)) < probability).astype(float)
        return Response(click=click, conversion=0 * click, value=0 * click)


@pytest.mark.parametrize("name", ENTRIES)
def test_replaying_the_logging_policy_gives_weight_one_on_every_row(name: str) -> None:
    shop = Street(5)
    run = run_bandit(
        ENTRIES[name].make(), shop, n_impressions=2100, batch_size=250, rng=np.random.default_rng(0)
    )
    again, target, start = ENTRIES[name].make(), [], 0
    for visits in shop.seen:
        rows = slice(start, start + len(visits.time))
        batch = batch_of(visits, shop.actions)
        target.append(again.action_probs(batch, np.random.default_rng(1)))
        again.update(batch, run.log.action[rows], run.log.reward[rows], np.ones(len(batch)))
        start = rows.stop
    replayed = np.concatenate(target)
    np.testing.assert_array_equal(replayed, run.log.action_probs)
    ips, snips, _, _ = evaluate(rows_of_log(run.log, replayed, cross_fit_scale(run.prior, run.log)), USUAL)
    assert ips.value == snips.value == run.log.reward.mean()
    assert ips.weight_sum_over_n == ips.max_weight == 1.0
    assert ips.ess == len(run.log)
