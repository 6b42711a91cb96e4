"""The one list of policies: what a checkpoint can hold, what settings can name, what the promises are tested of.

A new policy gets a line here, and an entry with the tests; what can be put around a policy likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from copybandit.agents.around import Around
from copybandit.agents.discounted import Discounted
from copybandit.agents.disjoint_model import DisjointOptions
from copybandit.agents.guarded import Guarded
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
from copybandit.agents.stateful import Lasting, Stateful
from copybandit.agents.watchful import Watchful
from copybandit.agents.windowed import Windowed
from copybandit.sim.types import Floats


@dataclass(frozen=True, kw_only=True)
class Believed:
    """What is known of m variants before any feedback: all that a policy can start from.

    Attributes:
        prior: shape (m,), click probability of each.
        n_features: columns of ``Batch.actions``.
        n_context: columns of ``Batch.context``.
        state_channels: channels of ``Batch.state`` that can be learned from.
        horizon: impressions per candidate set.
        shared: precision of a shared coefficient.
        own: precision of what a variant has of its own; also how many clicks its prior is worth.
        epsilon: share of uniform exploration.
        hashed_crosses: features into which context x action columns are hashed.
    """

    prior: Floats
    n_features: int
    n_context: int
    state_channels: tuple[int, ...]
    horizon: float
    shared: float
    own: float
    epsilon: float
    hashed_crosses: int = 0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of policy.

    Attributes:
        make: its class.
        start: a fresh one given what is believed; None where settings cannot name it.
    """

    make: type[Lasting]
    start: Callable[[Believed], Lasting] | None


def _shared(it: Believed) -> LinearOptions:
    return LinearOptions(
        n_actions=len(it.prior),
        n_features=it.n_features,
        n_context=it.n_context,
        hashed_crosses=it.hashed_crosses,
        state_channels=it.state_channels,
        ridge=it.shared,
        residual_ridge=it.own,
    )


def _each(it: Believed) -> DisjointOptions:
    return DisjointOptions(n_actions=len(it.prior), n_context=it.n_context, ridge=it.own)


def _neural(it: Believed) -> Lasting:
    """Its head reads all features as they are, too."""
    return NeuralLinear(
        n_actions=len(it.prior),
        n_features=it.n_features,
        n_context=it.n_context,
        n_linear=it.n_features,
        state_channels=it.state_channels,
        ridge=it.shared,
        residual_ridge=it.own,
        epsilon=it.epsilon,
    )


KINDS: dict[str, Kind] = {
    # By counts alone.
    "uniform": Kind(make=Uniform, start=lambda it: Uniform()),
    "prior_greedy": Kind(make=PriorGreedy, start=None),
    "explore_then_commit": Kind(
        make=ExploreThenCommit,
        start=lambda it: ExploreThenCommit(n_actions=len(it.prior), epsilon=it.epsilon),
    ),
    "thompson": Kind(make=BetaThompson, start=lambda it: BetaThompson(it.prior, epsilon=it.epsilon)),
    "epsilon_greedy": Kind(
        make=EpsilonGreedy,
        start=lambda it: EpsilonGreedy(n_actions=len(it.prior), strength=it.own, epsilon=it.epsilon),
    ),
    "ucb1": Kind(make=UCB1, start=lambda it: UCB1(n_actions=len(it.prior), epsilon=it.epsilon)),
    "bootstrap_bag": Kind(
        make=BootstrapBag,
        start=lambda it: BootstrapBag(n_actions=len(it.prior), strength=it.own, epsilon=it.epsilon),
    ),
    "horizon_index": Kind(
        make=HorizonIndex,
        start=lambda it: HorizonIndex(it.prior, horizon=it.horizon, strength=it.own, epsilon=it.epsilon),
    ),
    # On features that variants share.
    "linucb": Kind(make=LinUCB, start=lambda it: LinUCB(epsilon=it.epsilon, **_shared(it))),
    "softmax": Kind(make=Softmax, start=lambda it: Softmax(epsilon=it.epsilon, **_shared(it))),
    "squarecb": Kind(make=SquareCB, start=lambda it: SquareCB(epsilon=it.epsilon, **_shared(it))),
    "lints": Kind(make=LinTS, start=lambda it: LinTS(epsilon=it.epsilon, **_shared(it))),
    "logistic_thompson": Kind(
        make=LogisticThompson, start=lambda it: LogisticThompson(epsilon=it.epsilon, **_shared(it))
    ),
    "neural_linear": Kind(make=NeuralLinear, start=_neural),
    # On coefficients of each variant's own.
    "disjoint_linucb": Kind(
        make=DisjointLinUCB, start=lambda it: DisjointLinUCB(epsilon=it.epsilon, **_each(it))
    ),
    "disjoint_lints": Kind(
        make=DisjointLinTS, start=lambda it: DisjointLinTS(epsilon=it.epsilon, **_each(it))
    ),
}
"""Every policy, by the name it has in settings, logs and checkpoints."""
AROUND: dict[str, type[Around]] = {kind.kind: kind for kind in (Discounted, Windowed, Watchful, Guarded)}
"""What can be put around any of them, in any order, by the name it has in checkpoints."""
ALL = (*KINDS, *AROUND)
"""Names of both."""


def kind_of(policy: Stateful) -> str | None:
    """The name of the list that a policy goes by; None where it is none of the list."""
    if isinstance(policy, Around):
        return policy.kind if AROUND.get(policy.kind) is type(policy) else None
    kind = KINDS.get(policy.name)
    return policy.name if kind is not None and kind.make is type(policy) else None
