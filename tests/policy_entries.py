"""Who keeps the promises that `test_policy_conformance` tests: every policy of `policy_kinds`, and what is put around one.

A policy is added by an entry of PLAIN, what can be put around one by an entry of AROUND.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.decide import decide
from copybandit.agents.discounted import Discounted
from copybandit.agents.disjoint_model import DisjointOptions
from copybandit.agents.guarded import Guarded
from copybandit.agents.guardrails import Guardrails
from copybandit.agents.policies import (
    UCB1,
    BetaThompson,
    BootstrapBag,
    DisjointLinTS,
    DisjointLinUCB,
    EpsilonGreedy,
    ExploreThenCommit,
    HorizonIndex,
    LinTS,
    LinUCB,
    LogisticThompson,
    NeuralLinear,
    PriorGreedy,
    Softmax,
    SquareCB,
    Uniform,
)
from copybandit.agents.policy_features import LinearOptions
from copybandit.agents.stateful import Lasting
from copybandit.agents.watchful import Watchful
from copybandit.agents.windowed import Windowed
from copybandit.sim.types import Floats, Ints

M, Q, P = 24, 5, 3
EPSILON = 0.04
PRIOR = np.random.default_rng(0).uniform(0.005, 0.05, M)
ACTIONS = np.random.default_rng(1).normal(size=(M, Q))
LINEAR = LinearOptions(
    n_actions=M, n_features=Q, interactions=((0, 1), (2, 4)), state_channels=(1,), ridge=5.0
)
CROSSED = LinearOptions(**LINEAR, n_context=P, hashed_crosses=6)
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

    make: Callable[[], Lasting]
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
    "linucb_crossed": Entry(make=lambda: LinUCB(**CROSSED, epsilon=EPSILON), featured=True),
    "lints_crossed": Entry(make=lambda: LinTS(**CROSSED, epsilon=EPSILON), featured=True),
    "neural_linear": Entry(make=small_neural_linear, ordered=True, featured=True),
    "ucb1": Entry(make=lambda: UCB1(n_actions=M, width=0.1, epsilon=EPSILON)),
    "disjoint_linucb": Entry(make=lambda: DisjointLinUCB(**DISJOINT, epsilon=EPSILON), contextual=True),
    "disjoint_lints": Entry(make=lambda: DisjointLinTS(**DISJOINT, epsilon=EPSILON), contextual=True),
}
"""Every policy by its name, some with settings of their own beside it."""
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
    "nested": Entry(
        make=lambda: Guarded(
            Watchful(
                Discounted(
                    Windowed(LinTS(**LINEAR, epsilon=EPSILON), days=2.5, blocks=3), half_life_days=1.5
                ),
                n_actions=M,
                false_alarm=0.01,
                block=0.1,
            ),
            Guardrails(floor=EPSILON / 2, cap=0.95),
        ),
        floor=EPSILON / 2,
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


def trained(name: str, rng: np.random.Generator, steps: int) -> Lasting:
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
